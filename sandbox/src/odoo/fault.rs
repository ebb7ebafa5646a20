//! Faults on order: what real servers, proxies and networks do on bad days.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// One way to go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// HTTP 502 with a page of HTML, from a proxy; nothing is done.
    BadGateway,
    /// HTTP 429 with `Retry-After` in seconds, from a proxy; nothing is done.
    TooManyRequests {
        /// Value of `Retry-After`.
        retry_after: u64,
    },
    /// HTTP 503 with `Retry-After` in seconds, from a proxy; nothing is done.
    Unavailable {
        /// Value of `Retry-After`.
        retry_after: u64,
    },
    /// The connection ends without an answer and nothing is done.
    CloseBeforeAnswer,
    /// The work is done and the answer stops in the middle.
    CutAnswer,
    /// The work is done so many milliseconds later, and then answered.
    Delay {
        /// Milliseconds.
        millis: u64,
    },
    /// The work is done at once, and its answer comes so many milliseconds later.
    ReplyLate {
        /// Milliseconds.
        millis: u64,
    },
    /// No answer at all, and nothing is done; the connection stays open.
    Hang,
    /// The work is done and the connection ends without an answer.
    LoseReply,
    /// The connection ends at once, and the work is done so many milliseconds later, or as soon as
    /// [`Control::hurry`](crate::Control::hurry) says so.
    WorkLate {
        /// Milliseconds.
        millis: u64,
    },
    /// As [`Fault::WorkLate`], but no answer at all: the connection stays open.
    HangAndWorkLate {
        /// Milliseconds.
        millis: u64,
    },
    /// Odoo gave up after its retries: another transaction was faster. `load` says so in row messages.
    SerializationFailure,
    /// All sessions end before the call is looked at.
    ExpireSessions,
    /// The call is refused for want of rights.
    AccessError,
    /// HTTP 200 with JSON that stops in the middle; nothing is done.
    InvalidJson,
    /// The work is done and the answer carries so many bytes too much.
    HugeBody {
        /// Bytes added to the body.
        bytes: usize,
    },
}

/// A fault, and the calls it befalls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// Only calls of this model.
    #[serde(default)]
    pub model: Option<String>,
    /// Only calls of this method; `authenticate` and `version` name the calls that come first.
    #[serde(default)]
    pub method: Option<String>,
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

impl FaultRule {
    /// A fault of the next call of any model.
    pub fn once(fault: Fault) -> Self {
        Self { fault, model: None, method: None, skip: 0, count: 1 }
    }

    /// The same for calls of one model alone.
    #[must_use]
    pub fn model(self, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..self }
    }

    /// The same for calls of one method alone.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
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

    fn concerns(&self, model: Option<&str>, method: &str) -> bool {
        let model_fits = self.model.as_deref().is_none_or(|wanted| Some(wanted) == model);
        let method_fits = self.method.as_deref().is_none_or(|wanted| wanted == method);
        // Without a condition a rule is about model calls: logging in works.
        let any = self.model.is_some() || self.method.is_some() || model.is_some();
        model_fits && method_fits && any
    }
}

/// The rules in force, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<FaultRule>);

impl Faults {
    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.0.push_back(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn pending(&self) -> Vec<FaultRule> {
        self.0.iter().cloned().collect()
    }

    /// The fault that befalls this call, if any.
    pub(crate) fn take(&mut self, model: Option<&str>, method: &str) -> Option<Fault> {
        let at = self.0.iter().position(|rule| rule.count > 0 && rule.concerns(model, method))?;
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
        faults.add(FaultRule::once(Fault::BadGateway).model("res.partner").method("read").after(1).times(2));
        let mut take = |model, method| faults.take(model, method).is_some();
        assert!(!take(Some("res.partner"), "search"));
        assert!(!take(Some("product.template"), "read"));
        assert!(!take(Some("res.partner"), "read"), "the first is skipped");
        assert!(take(Some("res.partner"), "read") && take(Some("res.partner"), "read"));
        assert!(!take(Some("res.partner"), "read"), "used up");
    }

    #[test]
    fn a_rule_without_conditions_leaves_the_login_alone() {
        let mut faults = Faults::default();
        faults.add(FaultRule::once(Fault::Hang));
        assert_eq!(faults.take(None, "authenticate"), None);
        assert_eq!(faults.take(Some("res.partner"), "read"), Some(Fault::Hang));
    }
}
