//! Refusals as the API words them: an HTTP status, a code and a message.

use serde_json::json;

use crate::zoho::http::Response;

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) message: String,
    /// Seconds in a `Retry-After` header.
    pub(crate) retry_after: Option<i64>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: i64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// A stale or unknown token, and a missing scope: live answers do not tell them apart.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, 57, "You are not authorized to perform this operation")
    }

    /// A path that means nothing.
    pub(crate) fn invalid_url() -> Self {
        Self::new(404, 5, "Invalid URL Passed")
    }

    /// A record that is not there or no longer there.
    pub(crate) fn no_such(what: &str) -> Self {
        Self::new(404, 1002, format!("{what} does not exist."))
    }

    /// A parameter with a value that cannot be.
    pub(crate) fn invalid_value(name: &str) -> Self {
        // The documentation shows 2 for filter_by; 4 was seen for other parameters.
        let code = if name == "filter_by" { 2 } else { 4 };
        Self::new(400, code, format!("Invalid value passed for {name}"))
    }

    /// HTTP 429 with the body of this code: 43 and 44 for the minute, 45 for the day, 1070 for calls in process.
    pub(crate) fn throttled(code: i64, per_day: u32, retry_after: Option<i64>) -> Self {
        let message = match code {
            43 => "For security reasons you have been blocked for some time as you have exceeded the maximum number \
                   of requests per minute."
                .to_owned(),
            44 => "For security reasons your organization has been blocked as it have exceeded the maximum number of \
                   requests per minute that can originate from an organization."
                .to_owned(),
            1070 => "You have reached the maximum number of in process requests allowed. Kindly try again after some \
                     time."
                .to_owned(),
            _ => format!(
                "The API call for this organization has exceeded the maximum call rate limit of {per_day}."
            ),
        };
        Self { status: 429, code, message, retry_after }
    }

    pub(crate) fn response(&self) -> Response {
        let mut response = Response::json(self.status, &json!({"code": self.code, "message": self.message}));
        if let Some(seconds) = self.retry_after {
            response.headers.push(("Retry-After", seconds.to_string()));
        }
        response
    }
}
