//! Odoo's exceptions and what each means. Names and wordings were recorded on Odoo 17, 18 and 19 over both dialects; those
//! marked "from the source" were read there and not provoked.

use std::time::Duration;

use serde_json::Value;

use super::answer::{Expected, Purpose};
use super::call::Operation;
use super::refusal;
use super::sentence::{quoted, sentence};
use crate::failure::{Class, Failure, Reason};

/// An exception as Odoo tells it. The server's traceback (`debug`) is dropped at once: it holds paths and values.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    name: String,
    message: String,
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
                message: text(data, "message")
                    .or_else(|| text(error, "message"))
                    .unwrap_or_default(),
                session_expired: error.get("code").and_then(Value::as_i64) == Some(100)
                    || name == "odoo.http.SessionExpiredException",
                name,
            });
        }
        let name = text(json, "name")?;
        Some(Self {
            message: text(json, "message")?,
            session_expired: false,
            name,
        })
    }

    /// A row's message of `load`, which has no name.
    pub(super) fn of_row(message: &str) -> Self {
        Self {
            name: String::new(),
            message: message.to_owned(),
            session_expired: false,
        }
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

    fn says(&self, wordings: &[&str]) -> bool {
        wordings.iter().any(|wording| self.message.contains(wording))
    }

    fn is_named(&self, names: &[&str]) -> bool {
        let last = self.name.rsplit('.').next().unwrap_or_default();
        names.contains(&last)
    }

    /// Concurrent updates. Odoo repeats such a transaction five times itself before it tells us; in a `load` it does not
    /// and reports the row instead.
    fn conflict(&self, expected: &Expected<'_>) -> Option<Failure> {
        let named = [
            "SerializationFailure",
            "DeadlockDetected",
            "LockNotAvailable",
            "TransactionRollbackError",
        ];
        let newer = ["LockError", "ConcurrencyError", "InFailedSqlTransaction"];
        let wordings = [
            "could not serialize access",
            "deadlock detected",
            "could not obtain lock",
            "current transaction is aborted",
        ];
        (self.is_named(&named) || self.is_named(&newer) || self.says(&wordings)).then(|| {
            Failure::transient(
                Reason::Conflict,
                format!(
                    "Odoo at {} could not keep two changes of one record apart",
                    expected.place.host()
                ),
            )
        })
    }

    fn credentials(&self, expected: &Expected<'_>) -> Option<Failure> {
        let place = expected.place;
        let host = place.host();
        if self.says(&["Too many login failures"]) {
            // From the source: by default five failures from one address, then 60 s without any login.
            let what =
                format!("Odoo at {host} takes no login from our address for a while: too many were wrong");
            let failure = Failure::systemic(Reason::Credentials, what).after(Duration::from_mins(1));
            return Some(failure.advise("check the login and the password or API key, then wait a minute"));
        }
        if self.session_expired {
            let what = format!("Odoo at {host} does not know our session although it was opened just now");
            return Some(
                Failure::systemic(Reason::Credentials, what).advise(
                    "let all servers behind the load balancer share their sessions, or use an API key",
                ),
            );
        }
        let user_is_gone = self.is_named(&["MissingError"])
            && self.says(&["(Record: res.users("])
            && !matches!(expected.purpose, Purpose::Call(call) if call.model == "res.users");
        let rejected = user_is_gone || self.is_named(&["AccessDenied", "Unauthorized"]);
        rejected.then(|| refusal::rejected(place))
    }

    fn database(&self, expected: &Expected<'_>) -> Option<Failure> {
        let place = expected.place;
        let unknown = self.says(&["database \""]) && self.says(&["does not exist"])
            // From the source: /web/session/authenticate of a database that the server's filter hides.
            || self.message == "Database not found."
            || self.is_named(&["KeyError"]) && self.message.trim_matches('\'') == place.database();
        if unknown {
            return Some(refusal::no_database(expected));
        }
        self.is_named(&["UndefinedTable", "UndefinedColumn"]).then(|| {
            let what = format!(
                "database '{}' does not fit the code of Odoo at {}",
                place.database(),
                place.host()
            );
            Failure::systemic(Reason::Database, format!("{what}: {}", sentence(&self.message)))
                .advise("check that it is an Odoo database, and finish the upgrade of its modules")
        })
    }

    /// Trouble of the server itself.
    fn server(&self, expected: &Expected<'_>) -> Option<Failure> {
        let host = expected.place.host();
        if self.is_named(&["DiskFull"]) || self.says(&["No space left on device"]) {
            let what = format!("the disk of Odoo at {host} is full");
            return Some(Failure::systemic(Reason::DiskFull, what).advise("make room there"));
        }
        if self.is_named(&["QueryCanceled", "GatewayTimeout", "TimeoutError"]) || self.says(&["time limit"]) {
            let what = format!("Odoo at {host} gave up on the call: it took too long");
            return Some(Failure::transient(Reason::Timeout, what));
        }
        let busy = [
            "OperationalError",
            "InterfaceError",
            "PoolError",
            "AdminShutdown",
            "CrashShutdown",
            "CannotConnectNow",
            "TooManyConnections",
            "OutOfMemory",
            "MemoryError",
            "OSError",
            "ConnectionError",
            "ConnectionResetError",
            "BrokenPipeError",
            "ReadOnlySqlTransaction",
            "InternalServerError",
            "BadGateway",
            "ServiceUnavailable",
        ];
        (self.is_named(&busy) || self.says(&["cursor already closed", "connection already closed"])).then(
            || {
                Failure::transient(
                    Reason::ServerError,
                    format!("Odoo at {host} is in trouble: {}", self.words()),
                )
            },
        )
    }

    fn model(&self, expected: &Expected<'_>) -> Option<Failure> {
        let Purpose::Call(call) = expected.purpose else {
            return None;
        };
        let (model, method) = (call.model, call.operation.method());
        let no_model = self.says(&[
            &format!("Object {model} doesn't exist"),
            &format!("the model '{model}' does not exist"),
        ]) || self.is_named(&["KeyError"]) && self.message.trim_matches('\'') == model;
        let no_method = self.says(&["The method '"]) && self.says(&["does not exist"])
            || self.says(&["Private methods (such as"])
            || self.is_named(&["AttributeError"]) && self.says(&[&format!("has no attribute '{method}'")]);
        let what = match (no_model, no_method) {
            (true, _) => format!("has no model '{model}'"),
            (_, true) => format!("offers no method '{method}' of model '{model}'"),
            _ => return None,
        };
        Some(
            Failure::systemic(Reason::Model, format!("Odoo at {} {what}", expected.place.host()))
                .advise("install the module it belongs to, or correct the pipeline's entity"),
        )
    }

    fn field(&self, expected: &Expected<'_>) -> Option<Failure> {
        let Purpose::Call(call) = expected.purpose else {
            return None;
        };
        let (name, how) = self.unknown_field(call.model, &call.operation)?;
        let what = format!(
            "{how} field '{name}' of model '{}' in Odoo at {}",
            call.model,
            expected.place.host()
        );
        Some(
            Failure::systemic(Reason::Field, what)
                .advise("correct the pipeline's fields, or install the module that adds it"),
        )
    }

    /// The field that is not there, in every wording that was recorded.
    fn unknown_field(&self, model: &str, operation: &Operation<'_>) -> Option<(String, &'static str)> {
        let message = self.message.as_str();
        let unprefixed = |text: &str| text.strip_prefix(&format!("{model}.")).unwrap_or(text).to_owned();
        if let Some(rest) = message.strip_prefix("Invalid field ") {
            let bare = rest.split_once(" in ").map(|(path, _)| unprefixed(path));
            let name = if rest.starts_with('\'') || rest.starts_with("name '") {
                quoted(rest, '\'').map(str::to_owned)
            } else {
                bare
            };
            return Some((name?, "there is no"));
        }
        if let Some(rest) = message.strip_prefix("Cannot convert ") {
            let (path, _) = rest.split_once(" to SQL because it is not stored")?;
            return Some((
                unprefixed(path),
                "nothing can be searched or sorted by the computed",
            ));
        }
        // From the source: a field that belongs to groups the user is not in.
        if self.is_named(&["AccessError"]) && self.says(&["enough rights to access the field"]) {
            let name = quoted(message, '"').or_else(|| quoted(message, '\''))?;
            return Some((name.to_owned(), "the user may not use"));
        }
        if let (Operation::Load { fields, .. }, true) = (operation, self.is_named(&["KeyError"])) {
            // Odoo 17: load of an unknown column.
            let column = message.trim_matches('\'');
            let is_ours = |field: &String| field.split(['/', ':']).next() == Some(column);
            return fields
                .iter()
                .any(is_ours)
                .then(|| (column.to_owned(), "there is no"));
        }
        None
    }

    /// The rights of the user. Whoever may not write a model at all cannot write any record of it; a rule that hides one
    /// record is that record's. The list of groups has tabs in every language, the sentence is for English.
    fn rights(&self, expected: &Expected<'_>) -> Option<Failure> {
        let model_level = self.message.starts_with("You are not allowed to ") || self.says(&["\n\t- "]);
        let is_row = self.name.is_empty() && self.message.starts_with("You are not allowed to ");
        if !is_row && !self.is_named(&["AccessError", "Forbidden"]) {
            return None;
        }
        let class = if expected.purpose.is_read() || model_level {
            Class::Systemic
        } else {
            Class::Permanent
        };
        let what = format!(
            "Odoo at {} refuses {}: {}",
            expected.place.host(),
            expected.place.whose(),
            self.words()
        );
        Some(Failure::new(class, Reason::Rights, what).advise("give the user this right in Odoo"))
    }

    /// What Odoo says of the request rather than of its values.
    fn request(&self, expected: &Expected<'_>) -> Option<Failure> {
        let host = expected.place.host();
        if self.is_named(&["RequestEntityTooLarge"]) {
            return Some(refusal::too_large(expected));
        }
        if self.is_named(&["MissingError"]) {
            return Some(Failure::permanent(Reason::Missing, self.words()));
        }
        self.name.starts_with("werkzeug.exceptions.").then(|| {
            Failure::systemic(
                Reason::Protocol,
                format!("Odoo at {host} does not understand the request: {}", self.words()),
            )
            .advise("check that this version of Odoo is supported")
        })
    }

    /// Everything else: of a write the values are at fault, of a read the domain, the order or the server's own code.
    fn values(&self, expected: &Expected<'_>) -> Failure {
        if !expected.purpose.is_read() {
            return Failure::permanent(
                Reason::BadRecord,
                format!("Odoo refuses the record: {}", self.words()),
            );
        }
        let host = expected.place.host();
        let asked_wrongly = [
            "UserError",
            "ValidationError",
            "ValueError",
            "TypeError",
            "AssertionError",
            "IndexError",
        ];
        if self.is_named(&asked_wrongly) || self.name.starts_with("psycopg2.") {
            let what = format!("Odoo at {host} cannot evaluate the search: {}", self.words());
            return Failure::configuration(what).advise("correct the pipeline's filter, order and fields");
        }
        let what = format!("Odoo at {host} fails with an error of its own: {}", self.words());
        Failure::systemic(Reason::ServerError, what).advise("look into the log of Odoo")
    }

    /// The message, or the name where there is none; Python says no more of a `KeyError` than the key.
    fn words(&self) -> String {
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
