//! Faults on order: what Zoho, the network and other users of the organisation do on bad days.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::zoho::route::ZohoEndpoint;

/// One way to go wrong. Except for [`ZohoFault::Cut`], [`ZohoFault::Delay`] and [`ZohoFault::EndEarly`] the call is not
/// looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZohoFault {
    /// HTTP 502 with a page of HTML.
    BadGateway,
    /// HTTP 500 with code 1000.
    InternalError,
    /// HTTP 400 with code 4.
    BadRequest,
    /// HTTP 404 with code 1002.
    NotFound,
    /// HTTP 401 with code 57.
    Unauthorized,
    /// HTTP 400 with `Access Denied`, the throttle of the token endpoint.
    AccessDenied,
    /// HTTP 429 with the body of this code.
    Throttled {
        /// 43 or 44 for the minute, 45 for the day, 1070 for calls in process.
        code: i64,
        /// Seconds in `Retry-After`; without it there is no such header.
        #[serde(default)]
        retry_after: Option<i64>,
    },
    /// HTTP 429 with a page of HTML.
    ThrottledPage,
    /// HTTP 200 with a code other than 0.
    ErrorInSuccess {
        /// The code, such as 1000.
        code: i64,
    },
    /// The connection ends without an answer.
    Close,
    /// The answer stops in the middle.
    Cut,
    /// The answer comes so many milliseconds later.
    Delay {
        /// Milliseconds.
        millis: u64,
    },
    /// No answer at all; the connection stays open.
    Hang,
    /// A list ends early, as if there were no more: so many of its rows and no word of the others.
    EndEarly {
        /// Rows that are left of the page.
        rows: usize,
    },
}

/// A fault, and the calls it befalls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZohoFaultRule {
    /// What goes wrong.
    pub fault: ZohoFault,
    /// Only calls of this endpoint; without it any but the token endpoint.
    #[serde(default)]
    pub endpoint: Option<ZohoEndpoint>,
    /// Matching calls that pass unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// How many calls it befalls.
    #[serde(default = "once")]
    pub count: u64,
}

fn once() -> u64 {
    1
}

impl ZohoFaultRule {
    /// A fault of the next API call.
    pub fn once(fault: ZohoFault) -> Self {
        Self { fault, endpoint: None, skip: 0, count: 1 }
    }

    /// The same for calls of one endpoint alone.
    #[must_use]
    pub fn endpoint(self, endpoint: ZohoEndpoint) -> Self {
        Self { endpoint: Some(endpoint), ..self }
    }

    /// The same after so many matching calls went well.
    #[must_use]
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// The same so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { count, ..self }
    }

    fn concerns(&self, endpoint: ZohoEndpoint) -> bool {
        self.endpoint.map_or(endpoint != ZohoEndpoint::Token, |wanted| wanted == endpoint)
    }
}

/// The rules in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<ZohoFaultRule>);

impl Faults {
    pub(crate) fn add(&mut self, rule: ZohoFaultRule) {
        self.0.push_back(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Rules that are not used up.
    pub(crate) fn pending(&self) -> Vec<ZohoFaultRule> {
        self.0.iter().cloned().collect()
    }

    /// The fault that befalls this call, if any.
    pub(crate) fn take(&mut self, endpoint: ZohoEndpoint) -> Option<ZohoFault> {
        let at = self.0.iter().position(|rule| rule.count > 0 && rule.concerns(endpoint))?;
        let rule = self.0.get_mut(at)?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.count -= 1;
        let fault = rule.fault.clone();
        if rule.count == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_befalls_the_calls_it_names_and_no_more() {
        let mut faults = Faults::default();
        faults
            .add(ZohoFaultRule::once(ZohoFault::BadGateway).endpoint(ZohoEndpoint::Image).after(1).times(2));
        assert_eq!(faults.take(ZohoEndpoint::List), None);
        assert_eq!(faults.take(ZohoEndpoint::Image), None, "the first is skipped");
        assert_eq!(faults.take(ZohoEndpoint::Image), Some(ZohoFault::BadGateway));
        assert_eq!(faults.take(ZohoEndpoint::Image), Some(ZohoFault::BadGateway));
        assert_eq!(faults.take(ZohoEndpoint::Image), None, "used up");
    }

    #[test]
    fn a_rule_without_endpoint_leaves_tokens_alone() {
        let mut faults = Faults::default();
        faults.add(ZohoFaultRule::once(ZohoFault::Hang));
        assert_eq!(faults.take(ZohoEndpoint::Token), None);
        assert_eq!(faults.take(ZohoEndpoint::Other), Some(ZohoFault::Hang));
    }
}
