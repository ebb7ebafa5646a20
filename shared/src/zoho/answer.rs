//! What came back, and whether it is a result.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::quota::Quota;
use super::refusal::{self, Refusal};
use super::request::Request;

/// An HTTP answer, read whole. Its debug form hides the body.
#[derive(Clone, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header `Content-Type`.
    pub content_type: Option<String>,
    /// Header `Retry-After`, as a time from now.
    pub retry_after: Option<Duration>,
    /// What it tells of the calls that are left.
    pub quota: Option<Quota>,
    /// It came from another host that an image was redirected to: no word in it is Zoho's.
    pub is_foreign: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What an answer is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Host that was asked; messages name it.
    pub host: &'a str,
    /// Organisation that was asked for.
    pub organization: &'a str,
    /// What was asked.
    pub request: &'a Request,
}

impl Expected<'_> {
    /// The object in an answer.
    ///
    /// # Errors
    /// What Zoho's code says, which may come with HTTP 200, and without one what the status says. Never panics, whatever the
    /// bytes.
    pub fn classify(&self, answer: &Answer) -> Result<Value, Refusal> {
        let json = answer.json().filter(|_| !answer.is_foreign);
        let code = json.as_ref().and_then(code);
        match (answer.status, code, json) {
            (200..=299, Some(0), Some(json)) => Ok(json),
            (_, Some(code), Some(json)) if code != 0 => {
                Err(refusal::by_code(self, answer, code, &message(&json)))
            }
            _ => Err(refusal::by_status(self, answer)),
        }
    }
}

impl Answer {
    /// The body where it is a JSON object: error pages are HTML, and a proxy's may be anything.
    pub(super) fn json(&self) -> Option<Value> {
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace())?;
        if *first != b'{' {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }
}

/// Zoho's own error code: a number, and in some answers the text of one.
fn code(json: &Value) -> Option<u64> {
    match json.get("code")? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Zoho's words, on one line and not longer than a log line should be.
fn message(json: &Value) -> String {
    let text = json.get("message").and_then(Value::as_str).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}
