//! A failure and its class. The class is decided once, by the code that saw the evidence; everything above only
//! matches on it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is done about a failure. The table in ARCHITECTURE.md says which evidence leads to which class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Gone after a while: tried again through a retry tier; spends an attempt.
    Transient,
    /// The remote system asked us to wait: waits as told, no attempt is spent.
    Throttled,
    /// These values will never be accepted: dead letter.
    Permanent,
    /// The job cannot be decoded or keeps crashing workers: dead letter.
    Poison,
    /// The system is sick, not the record: the pipeline pauses, no attempt is spent.
    Systemic,
    /// We were told to stop before the end: given back to the queue.
    Interrupted,
    /// Made by a newer version of catalog-sync: kept for newer workers.
    Newer,
}

impl Class {
    /// The label in metrics, the same as in a dead letter's JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Permanent => "permanent",
            Self::Poison => "poison",
            Self::Systemic => "systemic",
            Self::Interrupted => "interrupted",
            Self::Newer => "newer",
        }
    }
}

/// Why something failed, as a closed set: the label by which failures are counted and grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Wrong or missing setting.
    Configuration,
    /// The user name, password or key was rejected.
    Credentials,
    /// The database does not exist.
    Database,
    /// The user may not do this.
    Rights,
    /// The model or its method does not exist.
    Model,
    /// The field does not exist, or not for this user.
    Field,
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The server answered with an error that is its own.
    ServerError,
    /// The server could not serialise concurrent updates.
    Conflict,
    /// The server asked us to wait.
    Throttled,
    /// An answer that does not have the documented shape.
    Protocol,
    /// The sink refuses these values, or the source's record cannot be mapped.
    BadRecord,
    /// The record does not exist (any more).
    Missing,
    /// No space left on the device.
    DiskFull,
    /// A file or folder cannot be read or written.
    File,
    /// Another process holds the lock.
    Locked,
    /// The job crashed its worker too often.
    Crashed,
    /// The job cannot be decoded.
    Undecodable,
    /// We were told to stop.
    Stopped,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 20] = [
        Self::Configuration,
        Self::Credentials,
        Self::Database,
        Self::Rights,
        Self::Model,
        Self::Field,
        Self::Unreachable,
        Self::Timeout,
        Self::ServerError,
        Self::Conflict,
        Self::Throttled,
        Self::Protocol,
        Self::BadRecord,
        Self::Missing,
        Self::DiskFull,
        Self::File,
        Self::Locked,
        Self::Crashed,
        Self::Undecodable,
        Self::Stopped,
    ];

    /// The reason with this label.
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.label() == label)
    }

    /// The label in metrics, in `status --json` and in dead letters.
    pub fn label(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Credentials => "credentials",
            Self::Database => "database",
            Self::Rights => "rights",
            Self::Model => "model",
            Self::Field => "field",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::ServerError => "server_error",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Protocol => "protocol",
            Self::BadRecord => "bad_record",
            Self::Missing => "missing",
            Self::DiskFull => "disk_full",
            Self::File => "file",
            Self::Locked => "locked",
            Self::Crashed => "crashed",
            Self::Undecodable => "undecodable",
            Self::Stopped => "stopped",
        }
    }

    /// Whether a person has to change a setting, a password, a path or a right (exit code 2), in contrast to a system
    /// that is down, full or busy (exit code 3).
    pub fn is_configuration(self) -> bool {
        matches!(
            self,
            Self::Configuration
                | Self::Credentials
                | Self::Database
                | Self::Rights
                | Self::Model
                | Self::Field
                | Self::File
                | Self::BadRecord
        )
    }
}

/// The advice where only we can have made the mistake.
pub const DEFECT: &str = "report this with the log: it is a defect of catalog-sync";

/// The advice for a message in our queues that is no job of ours.
pub const STRANGER: &str =
    "see who else writes to this queue; `catalog-sync dead discard --stray` forgets the message";

/// More characters than any sentence of ours has; what others say may be as long as a document.
const MOST_CHARACTERS: usize = 1_000;

/// The same words as a line of a log or a terminal can hold them: no line breaks nor anything else that a terminal would
/// obey, and no more than a thousand characters.
pub fn one_line(text: String) -> String {
    if text.len() <= MOST_CHARACTERS && !text.contains(char::is_control) {
        return text;
    }
    let mut line: String = text.chars().take(MOST_CHARACTERS).collect();
    if line.len() < text.len() {
        line.pop();
        line.push('…');
    }
    line.replace(char::is_control, " ")
}

/// A failure in words: one sentence of what happened, one of what to do, its class and its cause.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What is done about it.
    pub class: Class,
    /// The label it is counted under.
    pub reason: Reason,
    what: String,
    advice: Option<String>,
    /// How long the remote system asked us to wait.
    pub retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure; `what` is one sentence without a full stop. What it repeats of others' words is kept to [one
    /// line](one_line).
    pub fn new(class: Class, reason: Reason, what: impl Into<String>) -> Self {
        Self { class, reason, what: one_line(what.into()), advice: None, retry_after: None, source: None }
    }

    /// Goes away by itself.
    pub fn transient(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Class::Transient, reason, what)
    }

    /// The record's own fault.
    pub fn permanent(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Class::Permanent, reason, what)
    }

    /// The system's fault.
    pub fn systemic(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Class::Systemic, reason, what)
    }

    /// A wrong setting: systemic, exit code 2.
    pub fn configuration(what: impl Into<String>) -> Self {
        Self::systemic(Reason::Configuration, what)
    }

    /// We were told to stop.
    pub fn interrupted(what: impl Into<String>) -> Self {
        Self::new(Class::Interrupted, Reason::Stopped, what)
    }

    /// Adds what a person can do about it: an imperative sentence without a full stop.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(one_line(advice.into()));
        self
    }

    /// Adds the time that the remote system asked us to wait.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Keeps the cause; it is printed by `{:#}` only.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same, seen so often that it is the system's fault.
    #[must_use]
    pub fn of_system(mut self) -> Self {
        self.class = Class::Systemic;
        self
    }

    /// A remote system asks us to wait: nothing is sick, and nothing failed.
    pub fn is_throttle(&self) -> bool {
        self.class == Class::Throttled || self.reason == Reason::Throttled
    }

    /// What happened, without advice and causes.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }
}

impl fmt::Display for Failure {
    /// `{}`: what happened and what to do. `{:#}`: with the chain of causes in between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if f.alternate() {
            let mut cause = self.source.as_deref().map(|source| source as &dyn Error);
            while let Some(error) = cause {
                write!(f, ": {}", one_line(error.to_string()))?;
                cause = error.source();
            }
        }
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_one_line_and_not_longer_than_a_thousand_characters() {
        let long = "ü".repeat(999);
        assert_eq!(one_line(long.clone()), long);
        assert_eq!(one_line(format!("{long}ü")).chars().count(), 1_000);
        assert_eq!(one_line(format!("{long}üü")), format!("{long}…"));
        let forged = "no\nINFO all is well\u{1b}[2J\u{9b}1A";
        let failure = Failure::permanent(Reason::BadRecord, forged)
            .because(std::io::Error::other(forged))
            .advise(format!("see {forged}"));
        assert!(!format!("{failure:#}").contains(char::is_control), "{failure:#}");
        assert!(failure.what().starts_with("no INFO all is well"), "{failure}");
    }

    #[test]
    fn alternate_form_names_the_causes_and_plain_form_does_not() {
        let failure = Failure::transient(Reason::Unreachable, "no connection to erp.example")
            .because(std::io::Error::other("refused"))
            .advise("check that the server is running");
        assert_eq!(failure.to_string(), "no connection to erp.example; check that the server is running");
        assert_eq!(
            format!("{failure:#}"),
            "no connection to erp.example: refused; check that the server is running"
        );
    }
}
