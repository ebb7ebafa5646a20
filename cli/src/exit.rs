//! Exit codes.

use std::process::ExitCode;

use shared::failure::{Class, Failure};

/// How a command ended. Ordered: of several pipelines the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// 0.
    Done,
    /// 1: some records are in the dead letters.
    RecordsFailed,
    /// 3: a system was unreachable or sick.
    Unreachable,
    /// 2: usage, configuration, credentials or rights.
    Configuration,
    /// 130: stopped by a signal.
    Stopped,
}

impl Exit {
    /// What a failure that ended a pipeline means for the exit code.
    pub(crate) fn after(failure: &Failure) -> Self {
        match failure.class {
            Class::Interrupted => Self::Stopped,
            _ if failure.reason.is_configuration() => Self::Configuration,
            _ => Self::Unreachable,
        }
    }

    /// Prints the failure that ended a command, and gives its exit code.
    pub(crate) fn of_failure(failure: &Failure) -> Self {
        Self::of_error(&format!("{failure:#}"));
        Self::after(failure)
    }

    #[expect(clippy::print_stderr, reason = "the one place where a command's failure is printed")]
    pub(crate) fn of_error(message: &str) -> Self {
        eprintln!("catalog-sync: {message}");
        Self::Unreachable
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::RecordsFailed => 1,
            Exit::Configuration => 2,
            Exit::Unreachable => 3,
            Exit::Stopped => 130,
        })
    }
}
