//! Odoo's exceptions, and the order in which their meaning is looked for. Names and wordings were recorded on Odoo 17, 18 and
//! 19 over both dialects; those marked "from the source" were read there and not provoked.

use serde_json::Value;

use super::answer::Expected;
use super::sentence::sentence;
use crate::failure::Failure;

/// An exception as Odoo tells it. The server's traceback (`debug`) is dropped at once: it holds paths and values.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub(super) name: String,
    pub(super) message: String,
    session_expired: bool,
}

impl Exception {
    /// Of a JSON-RPC envelope with `error`, or of JSON-2's bare object.
    pub(super) fn from_json(json: &Value) -> Option<Self> {
        let text = |object: &Value, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(error) = json.get("error").filter(|error| error.is_object()) {
            let data = error.get("data").unwrap_or(&Value::Null);
            let name = text(data, "name").unwrap_or_default();
            return Some(Self {
                message: text(data, "message").or_else(|| text(error, "message")).unwrap_or_default(),
                session_expired: error.get("code").and_then(Value::as_i64) == Some(100)
                    || name == "odoo.http.SessionExpiredException",
                name,
            });
        }
        let name = text(json, "name")?;
        Some(Self { message: text(json, "message")?, session_expired: false, name })
    }

    /// A row's message of `load`. It has a name only when Odoo did not know what to say:
    /// `Unknown error during import: <class 'ValueError'>: cannot convert float NaN to integer`.
    pub(super) fn of_row(message: &str) -> Self {
        let unknown = message.strip_prefix("Unknown error during import: <class '");
        let (name, message) = unknown.and_then(|rest| rest.split_once("'>: ")).unwrap_or(("", message));
        Self { name: name.to_owned(), message: message.to_owned(), session_expired: false }
    }

    /// Whether a new login would help.
    pub(super) fn is_session_expired(&self) -> bool {
        self.session_expired
    }

    /// Takes the secret out of the message, should a customised module ever repeat it.
    pub(super) fn redact(&mut self, secret: &str) {
        if secret.len() >= 4 && self.message.contains(secret) {
            self.message = self.message.replace(secret, "***");
        }
    }

    /// The failure it is. Order matters: what says that the server was busy comes before what blames the values.
    pub(super) fn into_failure(self, expected: &Expected<'_>) -> Failure {
        self.conflict(expected)
            .or_else(|| self.credentials(expected))
            .or_else(|| self.database(expected))
            .or_else(|| self.server(expected))
            .or_else(|| self.model(expected))
            .or_else(|| self.field(expected))
            .or_else(|| self.rights(expected))
            .or_else(|| self.request(expected))
            .unwrap_or_else(|| self.values(expected))
    }

    /// Whether the message has one of these wordings in it.
    pub(super) fn says(&self, wordings: &[&str]) -> bool {
        wordings.iter().any(|wording| self.message.contains(wording))
    }

    /// Whether the last part of its name, such as `psycopg2.errors.DiskFull`, is one of these.
    pub(super) fn is_named(&self, names: &[&str]) -> bool {
        let last = self.name.rsplit('.').next().unwrap_or_default();
        names.contains(&last)
    }

    /// The message, or the name where there is none; Python says no more of a `KeyError` than the key.
    pub(super) fn words(&self) -> String {
        let words = sentence(&self.message);
        let short = self.name.rsplit('.').next().unwrap_or_default();
        match (words.is_empty(), short) {
            (true, "") => "no reason given".to_owned(),
            (true, name) => name.to_owned(),
            (false, "KeyError" | "AttributeError" | "IndexError" | "TypeError") => format!("{short} {words}"),
            (false, _) => words,
        }
    }
}
