//! Which class of failure an error of Redis is, and what a person can do about it.

use std::error::Error as _;
use std::fmt;

use deadpool::managed::{HookError, PoolError};
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::failure::{Class, Failure, Reason};

/// What stopped a request.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) failure: Failure,
    /// Whether it is worth trying again on a new connection: the server may be back in a moment.
    pub(super) passes: bool,
}

impl Trouble {
    fn passing(failure: Failure) -> Self {
        Self { failure, passes: true }
    }

    fn lasting(failure: Failure) -> Self {
        Self { failure, passes: false }
    }

    /// No connection could be had.
    pub(super) fn of_pool(error: PoolError<RedisError>, address: &str) -> Self {
        match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                Self::of(error, address)
            }
            // Timeouts: of the connection itself, of a connection that was idle, or of the wait for one.
            error => Self::passing(
                Failure::transient(
                    Reason::Unreachable,
                    format!("no connection to Redis at {address} in time"),
                )
                .because(error)
                .advise(CHECK_SERVER),
            ),
        }
    }

    pub(super) fn of(error: RedisError, address: &str) -> Self {
        match error.kind() {
            ErrorKind::Io => Self::of_transport(&error, address),
            ErrorKind::Client if causes(&error).contains("certificate") => Self::untrusted(&error, address),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::of_answer(&error, address),
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::lasting(
                Failure::systemic(Reason::Protocol, format!("{address} does not answer as Redis does"))
                    .advise("check that the address of Redis is right"),
            ),
            _ => Self::lasting(
                Failure::configuration(format!("Redis at {address} cannot be asked"))
                    .because(error)
                    .advise("check the settings of Redis"),
            ),
        }
    }

    fn of_transport(error: &RedisError, address: &str) -> Self {
        let causes = causes(error);
        if causes.contains("certificate") {
            return Self::untrusted(error, address);
        }
        if causes.contains("corrupt message") || causes.contains("InvalidContentType") {
            return Self::lasting(
                Failure::configuration(format!("{address} does not speak TLS"))
                    .because(Words::alone(error))
                    .advise("use redis:// in the address, or the port that serves TLS"),
            );
        }
        let what = if error.is_timeout() {
            format!("no answer of Redis at {address} in time")
        } else if error.is_connection_refusal() {
            format!("nobody answers at {address}, the address of Redis")
        } else {
            format!("the connection to Redis at {address} broke")
        };
        let failure = Failure::transient(Reason::Unreachable, what).because(Words::alone(error));
        Self::passing(failure.advise(CHECK_SERVER))
    }

    fn untrusted(error: &RedisError, address: &str) -> Self {
        Self::lasting(
            Failure::configuration(format!("the TLS certificate of Redis at {address} is not trusted"))
                .because(Words::alone(error))
                .advise("renew it, or add its authority to the trusted certificates of this machine"),
        )
    }

    /// An error that the server has put into words. Its words are kept only where they cannot repeat what was sent.
    fn of_answer(error: &RedisError, address: &str) -> Self {
        let words = Words::of(error);
        let systemic = |reason, what: &str, advice: &str| {
            let what = format!("Redis at {address} {what}");
            Self::lasting(Failure::new(Class::Systemic, reason, what).because(words.clone()).advise(advice))
        };
        let away = |what: &str| {
            let what = format!("Redis at {address} {what}");
            Self::passing(
                Failure::transient(Reason::Unreachable, what).because(words.clone()).advise(CHECK_SERVER),
            )
        };
        match (error.kind(), words.code.as_str()) {
            (_, "WRONGPASS" | "NOAUTH") => systemic(
                Reason::Credentials,
                "rejects the user name or password",
                "check them; the server tells both cases alike",
            ),
            (ErrorKind::Server(ServerErrorKind::NoPerm), _) => systemic(
                Reason::Rights,
                "does not let this user do that",
                "give the user all rights on the keys of the prefix, and on scripts",
            ),
            (_, "DENIED") => systemic(
                Reason::Rights,
                "takes no connections from other machines",
                "set a password there, or switch its protected mode off",
            ),
            (_, "OOM") => systemic(
                Reason::DiskFull,
                "has no memory left",
                "raise its maxmemory; nothing is lost, work goes on from here",
            ),
            (_, "MISCONF") => systemic(
                Reason::DiskFull,
                "takes no writes, because it cannot save to its disk",
                "free space on its disk; nothing is lost, work goes on from here",
            ),
            (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => away("is a replica, which takes no writes"),
            (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => away("still loads its data"),
            (_, "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS") => away("has lost its other half"),
            (_, "BUSY") => away("is busy with a script"),
            _ if words.detail.contains("max number of clients") => away("has too many clients"),
            (_, "WRONGTYPE") => systemic(
                Reason::Protocol,
                "holds something else under a key of ours",
                "give the state a prefix of its own",
            ),
            (
                ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot),
                _,
            ) => systemic(
                Reason::Configuration,
                "is a cluster",
                "use a single Redis, with replicas where it must not be away for long",
            ),
            _ => systemic(Reason::ServerError, "answers with an error", "look into its log"),
        }
    }

    /// The user name or password was rejected, or there is no such database.
    pub(super) fn of_greeting(error: &RedisError, greeting: Greeting) -> RedisError {
        let words = Words::of(error);
        let is_refused = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
        match greeting {
            // Such as a password where the server asks for none. The words are left out.
            Greeting::Auth if is_refused && !words.detail.contains("max number of clients") => {
                redis::make_extension_error("WRONGPASS".to_owned(), None)
            }
            Greeting::Select if is_refused => {
                RedisError::from((ErrorKind::InvalidClientConfig, "it has no such database"))
            }
            _ => error.clone(),
        }
    }
}

/// What is said on a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeting {
    Auth,
    Select,
}

const CHECK_SERVER: &str = "check that the server is running and that its address is right";

/// What the server said.
#[derive(Debug, Clone)]
struct Words {
    code: String,
    detail: String,
}

impl Words {
    /// Of a connection: an error that holds no word of the server's, nor of ours.
    fn alone(error: &RedisError) -> Self {
        Self { code: String::new(), detail: error.to_string() }
    }

    fn of(error: &RedisError) -> Self {
        // Of several failed requests of a pipeline, the first.
        let first = error.clone().into_server_errors().and_then(|errors| errors.first().cloned());
        let (code, detail) = match &first {
            Some((_, error)) => (error.code().to_owned(), error.details().unwrap_or_default()),
            None => (error.code().unwrap_or_default().to_owned(), error.detail().unwrap_or_default()),
        };
        // An unknown command is repeated with what was sent after it.
        let detail = detail.split_once(", with args").map_or(detail, |(what, _)| what);
        Self { code, detail: detail.chars().take(200).collect() }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.code, if self.code.is_empty() { "" } else { " " }, self.detail)
    }
}

impl std::error::Error for Words {}

fn causes(error: &RedisError) -> String {
    let mut causes = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_answer(answer: &str) -> Trouble {
        let value = redis::parse_redis_value(format!("-{answer}\r\n").as_bytes()).unwrap();
        Trouble::of(value.extract_error().unwrap_err(), "cache:6379")
    }

    #[test]
    fn each_error_of_the_server_has_its_class_and_an_advice() {
        use Class::{Systemic, Transient};
        for (answer, class, reason) in [
            ("READONLY You can't write against a read only replica.", Transient, Reason::Unreachable),
            ("LOADING Redis is loading the dataset in memory", Transient, Reason::Unreachable),
            ("MASTERDOWN Link with MASTER is down", Transient, Reason::Unreachable),
            ("CLUSTERDOWN Hash slot not served", Transient, Reason::Unreachable),
            ("TRYAGAIN Multiple keys request during rehashing", Transient, Reason::Unreachable),
            ("NOREPLICAS Not enough good replicas to write.", Transient, Reason::Unreachable),
            ("BUSY Redis is busy running a script.", Transient, Reason::Unreachable),
            ("ERR max number of clients reached", Transient, Reason::Unreachable),
            ("WRONGPASS invalid username-password pair", Systemic, Reason::Credentials),
            ("NOAUTH Authentication required.", Systemic, Reason::Credentials),
            ("NOPERM this user has no permissions", Systemic, Reason::Rights),
            ("DENIED Redis is running in protected mode", Systemic, Reason::Rights),
            ("OOM command not allowed when used memory > 'maxmemory'.", Systemic, Reason::DiskFull),
            ("MISCONF Redis is configured to save RDB snapshots", Systemic, Reason::DiskFull),
            ("WRONGTYPE Operation against a key", Systemic, Reason::Protocol),
            ("MOVED 3999 127.0.0.1:6381", Systemic, Reason::Configuration),
            ("CROSSSLOT Keys in request don't hash to the same slot", Systemic, Reason::Configuration),
            ("ERR something else", Systemic, Reason::ServerError),
            ("ODD something new", Systemic, Reason::ServerError),
        ] {
            let Trouble { failure, passes } = of_answer(answer);
            assert_eq!((failure.class, failure.reason), (class, reason), "{answer}");
            assert_eq!(passes, class == Transient, "{answer}: only what may pass is tried again");
            assert!(failure.what().contains("cache:6379") && failure.advice().is_some(), "{failure}");
            let code = answer.split(' ').next().unwrap();
            assert!(format!("{failure:#}").contains(code), "{failure:#}");
        }
    }

    #[test]
    fn what_was_sent_is_never_repeated() {
        let failure =
            of_answer("ERR unknown command 'HSET', with args beginning with: 'memo' 's3cret'").failure;
        assert!(!format!("{failure:#} {failure:?}").contains("s3cret"), "{failure:?}");
    }
}
