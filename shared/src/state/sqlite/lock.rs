//! Locks that keep two processes over one state apart: one each for what must not be done twice at a time.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::failure::{Failure, Reason};
use crate::file_lock::FileLock;
use crate::utc::in_utc;

/// Longest holder's note that is read, in bytes.
const NOTE_LIMIT: u64 = 200;

/// Held while a process enumerates; dropping it lets the next one in. The operating system drops it with the process,
/// however that ends.
#[derive(Debug)]
pub struct EnumerationLock(#[expect(dead_code, reason = "held for its Drop alone")] Held);

#[derive(Debug)]
#[expect(dead_code, reason = "held for its Drop alone")]
enum Held {
    File(FileLock),
    Memory(OwnedMutexGuard<()>),
}

/// What one process at a time may do over a state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusive {
    /// Enumerate, and bring the fields.
    Enumeration,
    /// Bring images: a backlog of days must keep no enumeration waiting.
    Images,
    /// Keep the schedule.
    Schedule,
}

impl Exclusive {
    fn suffix(self) -> &'static str {
        match self {
            Self::Enumeration => ".lock",
            Self::Images => ".images.lock",
            Self::Schedule => ".schedule.lock",
        }
    }

    fn held_by(self, holder: &str, state: &Path) -> Failure {
        let state = state.display();
        match self {
            Self::Enumeration => {
                Failure::systemic(Reason::Locked, format!("the state {state} is in use by {holder}"))
                    .advise("wait until it ends or stop it; two at a time would enqueue everything twice")
            }
            Self::Images => Failure::systemic(
                Reason::Locked,
                format!("images of the state {state} are brought by {holder}"),
            )
            .advise("leave it to that one, or stop it: one process at a time brings them"),
            Self::Schedule => Failure::systemic(
                Reason::Locked,
                format!("the schedule of the state {state} is kept by {holder}"),
            )
            .advise("stop that one first: one daemon runs everything that is due"),
        }
    }
}

/// Locks `<state>.lock` or the like, a file of its own: `SQLite`'s locks on the state must not be touched.
pub(super) fn lock_file(state: &Path, what: Exclusive) -> Result<EnumerationLock, Failure> {
    let mut path = state.as_os_str().to_owned();
    path.push(what.suffix());
    let path = PathBuf::from(path);
    let failed = |error: io::Error| {
        Failure::systemic(Reason::File, format!("the lock {} cannot be taken", path.display()))
            .because(error)
            .advise("check that this user may write to its folder")
    };
    let Some(mut lock) = FileLock::try_take(&path).map_err(failed)? else {
        return Err(what.held_by(&note(&path), state));
    };
    write_note(lock.file()).map_err(failed)?;
    Ok(EnumerationLock(Held::File(lock)))
}

/// The same for a state in memory, which only this process can see.
pub(super) fn lock_memory(locks: &[Arc<Mutex<()>>; 3], what: Exclusive) -> Result<EnumerationLock, Failure> {
    let [enumeration, images, schedule] = locks;
    let lock = match what {
        Exclusive::Enumeration => enumeration,
        Exclusive::Images => images,
        Exclusive::Schedule => schedule,
    };
    let guard = Arc::clone(lock)
        .try_lock_owned()
        .map_err(|_| what.held_by("this process", Path::new("in memory")))?;
    Ok(EnumerationLock(Held::Memory(guard)))
}

fn write_note(file: &mut File) -> io::Result<()> {
    let now = in_utc(Timestamp::now());
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("process {} since {now}\n", std::process::id()).as_bytes())
}

/// What the holder wrote about itself. Where locks forbid reading (Windows) or the holder has not written yet, "another
/// process".
fn note(path: &Path) -> String {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(NOTE_LIMIT).read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn the_second_is_told_who_holds_it_and_since_when() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let first = lock_file(&state, Exclusive::Enumeration).unwrap();
        let failure = lock_file(&state, Exclusive::Enumeration).unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Locked));
        let pid = std::process::id().to_string();
        assert!(failure.what().contains(&format!("process {pid} since 20")), "{failure}");
        // What else is done one at a time is not kept waiting by it.
        let images = lock_file(&state, Exclusive::Images).unwrap();
        let failure = lock_file(&state, Exclusive::Images).unwrap_err();
        assert!(
            failure.what().contains(&format!("images of the state {} are brought", state.display())),
            "{failure}"
        );
        drop((first, images));
        lock_file(&state, Exclusive::Enumeration).unwrap();
    }

    #[test]
    fn a_note_left_by_a_killed_process_locks_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state.db.lock"), "process 1 since 2020-01-01 and more text")
            .unwrap();
        drop(lock_file(&folder.path().join("state.db"), Exclusive::Enumeration).unwrap());
        let note = std::fs::read_to_string(folder.path().join("state.db.lock")).unwrap();
        assert!(
            note.starts_with(&format!("process {}", std::process::id())) && !note.contains("2020"),
            "{note}"
        );
    }

    #[test]
    fn a_state_in_memory_is_locked_within_its_process() {
        let locks = Default::default();
        let first = lock_memory(&locks, Exclusive::Enumeration).unwrap();
        assert_eq!(lock_memory(&locks, Exclusive::Enumeration).unwrap_err().reason, Reason::Locked);
        lock_memory(&locks, Exclusive::Images).unwrap();
        drop(first);
        lock_memory(&locks, Exclusive::Enumeration).unwrap();
    }
}
