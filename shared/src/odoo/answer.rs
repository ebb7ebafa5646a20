//! What came back, and whether it is a result.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::call::Call;
use super::exception::Exception;
use super::place::Place;
use super::refusal;
use crate::failure::{Class, Failure, Reason};

/// An HTTP answer, read whole. Its debug form hides the cookie and the body.
#[derive(Clone, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header `Content-Type`.
    pub content_type: Option<String>,
    /// Header `Location`.
    pub location: Option<String>,
    /// Header `Retry-After`, as a time from now.
    pub retry_after: Option<Duration>,
    /// Value of the cookie `session_id`, where the answer sets it.
    pub session: Option<String>,
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

impl Answer {
    /// Whether the body may be JSON: Odoo's error pages are HTML, and a proxy's may be anything.
    fn json(&self) -> Option<Value> {
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace())?;
        if *first == b'<' {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }
}

/// How a result is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `{"jsonrpc", "id", "result" | "error"}` with HTTP 200 in either case.
    JsonRpc,
    /// The bare result with HTTP 200, or `{"name", "message", ...}` with another status.
    Bare,
}

/// What a request was for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// Finding out the version, the first thing that is ever asked.
    Version,
    /// Proving who we are.
    Login,
    /// A call of a model's method.
    Call(&'a Call<'a>),
}

impl Purpose<'_> {
    /// Whether it changes nothing.
    pub(crate) fn is_read(&self) -> bool {
        match self {
            Self::Version | Self::Login => true,
            Self::Call(call) => call.operation.is_read(),
        }
    }
}

/// What an answer is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Where it was asked; messages name it.
    pub place: &'a Place,
    /// What for.
    pub purpose: Purpose<'a>,
    /// How the result is wrapped.
    pub envelope: Envelope,
}

/// Why an answer holds no result.
pub(super) enum Refusal {
    /// Odoo raised an exception and says which.
    Exception(Exception),
    /// There is no more to it.
    Failed(Failure),
}

impl Expected<'_> {
    /// The result in an answer.
    ///
    /// # Errors
    /// The failure that the evidence shows: first status and headers that any web server may send, then the name and the
    /// wording of Odoo's exception. Never panics, whatever the bytes.
    pub fn classify(&self, answer: &Answer) -> Result<Value, Failure> {
        self.read(answer).map_err(|refusal| match refusal {
            Refusal::Exception(exception) => exception.into_failure(self),
            Refusal::Failed(failure) => failure,
        })
    }

    pub(super) fn read(&self, answer: &Answer) -> Result<Value, Refusal> {
        if let Some(failure) = refusal::before_the_body(self, answer) {
            return Err(Refusal::Failed(failure));
        }
        match (answer.json(), self.envelope) {
            (Some(json), Envelope::JsonRpc) if answer.status == 200 => self.unwrap(json),
            (Some(json), Envelope::Bare) if answer.status == 200 => Ok(json),
            (Some(json), _) => match Exception::from_json(&json) {
                Some(exception) => Err(Refusal::Exception(exception)),
                None => Err(Refusal::Failed(refusal::by_status(self, answer))),
            },
            (None, _) => Err(Refusal::Failed(refusal::by_status(self, answer))),
        }
    }

    /// A method that returns nothing leaves `result` out (measured on Odoo 17 to 19), so only a foreign shape is an error.
    fn unwrap(&self, json: Value) -> Result<Value, Refusal> {
        if let Some(exception) = Exception::from_json(&json) {
            return Err(Refusal::Exception(exception));
        }
        match json {
            Value::Object(mut envelope) if envelope.contains_key("jsonrpc") => {
                Ok(envelope.remove("result").unwrap_or(Value::Null))
            }
            _ => Err(Refusal::Failed(self.shape("is no JSON-RPC answer"))),
        }
    }

    /// An answer that came through but is not what is documented. It is tried again: a proxy cuts answers off, and a server
    /// that is being upgraded answers oddly.
    pub(super) fn shape(&self, what: &str) -> Failure {
        let host = self.place.host();
        if let Purpose::Version = self.purpose {
            return not_odoo(self.place);
        }
        Failure::new(Class::Transient, Reason::Protocol, format!("the answer of Odoo at {host} {what}"))
            .advise("check that no proxy in front of Odoo cuts off or replaces answers")
    }
}

/// Something answers, but not Odoo.
pub(super) fn not_odoo(place: &Place) -> Failure {
    Failure::configuration(format!("{} does not look like an Odoo server", place.address()))
        .advise("set `url` to the address of the server itself, without /web or /odoo at the end")
}
