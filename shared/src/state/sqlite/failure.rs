//! Which class of failure an `SQLite` error is, and what a person can do about it.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::failure::{Failure, Reason};

/// What stops a transaction.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// `SQLite`'s own.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Our own, already in words.
    #[error(transparent)]
    Refused(#[from] Failure),
}

impl StoreError {
    /// In words. `file` is the state's name for people.
    pub(super) fn into_failure(self, file: &Path) -> Failure {
        match self {
            Self::Sqlite(error) => of_sqlite(error, file),
            Self::Refused(failure) => failure,
        }
    }
}

fn of_sqlite(error: rusqlite::Error, file: &Path) -> Failure {
    let file = file.display();
    let failure = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            Failure::systemic(Reason::DiskFull, format!("no space left for the state {file}"))
                .advise("free space on its disk; nothing is lost, the next run goes on from here")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::transient(
            Reason::Locked,
            format!("another process keeps the state {file} locked"),
        )
        .advise(
            "look for a second catalog-sync, a backup or an open database shell on that file and let it end",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            Failure::systemic(Reason::File, format!("the state {file} cannot be opened for writing")).advise(
                "check that its folder exists and that this user may write to the folder and the file",
            )
        }
        Some(ErrorCode::SystemIoFailure) => {
            Failure::systemic(Reason::File, format!("the disk fails under the state {file}"))
                .advise("check the disk and its mount, then start again")
        }
        // None: a column holds what is never written there.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => damaged(&file),
        Some(_) => Failure::systemic(Reason::File, format!("the state {file} does not work")).advise(
            "start again; if it comes back, move the file away: the next run rebuilds it from the sink",
        ),
    };
    failure.because(error)
}

fn damaged(file: &std::path::Display<'_>) -> Failure {
    Failure::systemic(Reason::File, format!("the state {file} is damaged")).advise(format!(
        "move {file}, {file}-wal and {file}-shm away: the next run rebuilds the state from the sink, at the cost of \
         time only"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;
    use rusqlite::ffi;

    fn of_code(code: i32) -> Failure {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        StoreError::from(error).into_failure(Path::new("state.db"))
    }

    #[test]
    fn each_sqlite_error_has_its_class_and_an_advice() {
        for (code, class, reason) in [
            (ffi::SQLITE_FULL, Class::Systemic, Reason::DiskFull),
            (ffi::SQLITE_BUSY, Class::Transient, Reason::Locked),
            (ffi::SQLITE_LOCKED, Class::Transient, Reason::Locked),
            (ffi::SQLITE_READONLY, Class::Systemic, Reason::File),
            (ffi::SQLITE_CANTOPEN, Class::Systemic, Reason::File),
            (ffi::SQLITE_CORRUPT, Class::Systemic, Reason::File),
            (ffi::SQLITE_NOTADB, Class::Systemic, Reason::File),
            (ffi::SQLITE_IOERR, Class::Systemic, Reason::File),
            (ffi::SQLITE_MISUSE, Class::Systemic, Reason::File),
        ] {
            let failure = of_code(code);
            assert_eq!((failure.class, failure.reason), (class, reason), "{code}");
            assert!(failure.what().contains("state.db") && failure.advice().is_some(), "{failure}");
        }
    }

    #[test]
    fn a_damaged_file_is_to_be_moved_away() {
        let failure = of_code(ffi::SQLITE_CORRUPT);
        assert!(failure.to_string().contains("rebuilds the state from the sink"), "{failure}");
    }
}
