//! What can go wrong between us and the broker.

use std::time::Duration;

use lapin::ErrorKind;
use tokio::time::timeout;

use crate::failure::{Failure, Reason};

/// AMQP's codes.
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// Why a channel or connection is of no use any more.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// What lapin reports: the broker closed the channel or the connection, or the network broke.
    Broken(lapin::Error),
    /// No answer in time: what was asked for, and the limit.
    Silent(&'static str, Duration),
    /// The broker cancelled a consumer: its queue was deleted, lost its leader, or the consumer held a job too long.
    Cancelled,
    /// Jobs are ready, and a consumer with room for them gets none.
    Starved,
}

/// Waits for a call, not longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    what: &'static str,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Fault> {
    match timeout(limit, call).await {
        Ok(answer) => answer.map_err(Fault::Broken),
        Err(_) => Err(Fault::Silent(what, limit)),
    }
}

impl Fault {
    /// The queue or exchange does not exist.
    pub(super) fn is_missing(&self) -> bool {
        self.code() == Some(NOT_FOUND)
    }

    /// A queue exists with other arguments than it was declared with: the broker's words.
    pub(super) fn other_arguments(&self) -> Option<String> {
        (self.code() == Some(PRECONDITION_FAILED)).then(|| self.words())
    }

    /// User name or password are wrong. Only of a connection that is being opened.
    pub(super) fn is_rejected(&self) -> bool {
        self.code() == Some(ACCESS_REFUSED)
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Broken(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => Some(error.get_id()),
                _ => None,
            },
            _ => None,
        }
    }

    /// In words, for a log line.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Broken(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => error.get_message().to_string(),
                _ => error.to_string(),
            },
            Self::Silent(what, limit) => format!("no answer within {} s to: {what}", limit.as_secs()),
            Self::Cancelled => "the broker cancelled the consumer".to_owned(),
            Self::Starved => "jobs are ready, but none is delivered".to_owned(),
        }
    }

    /// While a connection to `place` was opened.
    pub(super) fn while_connecting(&self, place: &str) -> Failure {
        match self.code() {
            Some(ACCESS_REFUSED) => Failure::systemic(
                Reason::Credentials,
                format!("RabbitMQ at {place} rejected the user name or password"),
            )
            .advise("check the user and the password of the queue"),
            Some(NOT_ALLOWED) => Failure::systemic(
                Reason::Rights,
                format!("RabbitMQ at {place} does not let us in: {}", self.words()),
            )
            .advise("check the virtual host behind the address, and the user's rights in it"),
            _ => self.while_connected(place),
        }
    }

    /// On a connection to `place` that stood.
    pub(super) fn while_connected(&self, place: &str) -> Failure {
        match self.code() {
            Some(ACCESS_REFUSED) => Failure::systemic(
                Reason::Rights,
                format!("RabbitMQ at {place} does not allow it: {}", self.words()),
            )
            .advise("give the user the rights to configure, write and read what begins with the prefix"),
            Some(PRECONDITION_FAILED) => Failure::configuration(format!(
                "a queue on RabbitMQ at {place} is not like ours: {}",
                self.words()
            ))
            .advise("use another prefix, or delete that queue: what is outstanding is enqueued again"),
            _ => {
                let failure = Failure::transient(
                    Reason::Unreachable,
                    format!("RabbitMQ at {place} cannot be reached: {}", self.words()),
                );
                failure.advise("check that it runs and that its address is right")
            }
        }
    }
}
