//! Exceptions that say something of the server, the database or the login, whatever was asked.

use std::time::Duration;

use super::answer::{Expected, Purpose};
use super::exception::Exception;
use super::refusal;
use super::sentence::sentence;
use crate::failure::{Failure, Reason};

impl Exception {
    /// Concurrent updates. Odoo repeats such a transaction five times itself before it tells us; in a `load` it does not
    /// and reports the row instead.
    pub(super) fn conflict(&self, expected: &Expected<'_>) -> Option<Failure> {
        let named =
            ["SerializationFailure", "DeadlockDetected", "LockNotAvailable", "TransactionRollbackError"];
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
                format!("Odoo at {} could not keep two changes of one record apart", expected.place.host()),
            )
        })
    }

    pub(super) fn credentials(&self, expected: &Expected<'_>) -> Option<Failure> {
        let place = expected.place;
        let host = place.host();
        if self.message.starts_with("Too many login failures") {
            // From the source: by default five failures from one address, then 60 s without any login.
            let what =
                format!("Odoo at {host} takes no login from our address for a while: too many were wrong");
            let failure = Failure::systemic(Reason::Credentials, what).after(Duration::from_mins(1));
            return Some(failure.advise("check the login and the password or API key, then wait a minute"));
        }
        if self.is_session_expired() {
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

    pub(super) fn database(&self, expected: &Expected<'_>) -> Option<Failure> {
        let place = expected.place;
        let refused = ["OperationalError", "InvalidCatalogName"];
        let unknown = self.is_named(&refused) && self.says(&["database \""]) && self.says(&["does not exist"])
            // From the source: /web/session/authenticate of a database that the server's filter hides.
            || self.message == "Database not found."
            || self.is_named(&["KeyError"]) && self.message.trim_matches('\'') == place.database();
        if unknown {
            return Some(refusal::no_database(expected));
        }
        self.is_named(&["UndefinedTable", "UndefinedColumn"]).then(|| {
            let what =
                format!("database '{}' does not fit the code of Odoo at {}", place.database(), place.host());
            Failure::systemic(Reason::Database, format!("{what}: {}", sentence(&self.message)))
                .advise("check that it is an Odoo database, and finish the upgrade of its modules")
        })
    }

    /// Trouble of the server itself.
    pub(super) fn server(&self, expected: &Expected<'_>) -> Option<Failure> {
        let host = expected.place.host();
        if self.is_named(&["DiskFull"]) || self.says(&["[Errno 28] No space left"]) {
            let what = format!("the disk of Odoo at {host} is full");
            return Some(Failure::systemic(Reason::DiskFull, what).advise("make room there"));
        }
        let is_over_time = self.is_named(&["Exception"]) && self.says(&["time limit exceeded"]);
        if is_over_time || self.is_named(&["QueryCanceled", "GatewayTimeout", "TimeoutError"]) {
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
            "ConnectionError",
            "ConnectionResetError",
            "BrokenPipeError",
            "ReadOnlySqlTransaction",
            "InternalServerError",
            "BadGateway",
            "ServiceUnavailable",
        ];
        // The image library raises the same exception without a number for a broken image, which is the record's fault.
        let is_system_call = self.is_named(&["OSError"]) && self.message.starts_with("[Errno ");
        (is_system_call || self.is_named(&busy)).then(|| {
            Failure::transient(Reason::ServerError, format!("Odoo at {host} is in trouble: {}", self.words()))
                .advise("look into the log of Odoo and of its PostgreSQL")
        })
    }
}
