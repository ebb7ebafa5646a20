//! One writer per file: a lock, and a token that shows when the lock was lost.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared::failure::{Failure, Reason};
use shared::file_lock::FileLock;
use shared::utc::in_utc;

use super::fault::file_failure;

/// Who holds the lock; in a file of its own since Windows lets nobody read a locked file.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    since: String,
    token: String,
}

/// The lock of one sink, held while this value lives; the system releases it when the process dies.
#[derive(Debug)]
pub(super) struct SinkLock {
    /// Held for its Drop alone.
    _lock: FileLock,
    holder: PathBuf,
    token: String,
}

impl SinkLock {
    /// Takes the lock in `sidecar`, or says at once who has it.
    pub(super) fn acquire(sidecar: &Path, visible: &Path) -> Result<Self, Failure> {
        let path = sidecar.join("lock");
        let holder = sidecar.join("holder.json");
        let lock = FileLock::try_take(&path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::Unsupported => {
                    file_failure("lock", &path, error).advise("keep the file on a file system with locks")
                }
                _ => file_failure("open the lock", &path, error),
            })?
            .ok_or_else(|| held_by_another(&holder, visible))?;
        let ours = Holder { pid: std::process::id(), since: in_utc(Timestamp::now()), token: random_id() };
        serde_json::to_string(&ours)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&holder, text))
            .map_err(|error| file_failure("write", &holder, error))?;
        Ok(Self { _lock: lock, holder, token: ours.token })
    }

    /// Fails when somebody removed the lock's folder, or removed the lock and another process took a new one: a lock
    /// on a removed file keeps nobody out.
    pub(super) fn still_held(&self) -> Result<(), Failure> {
        match read_holder(&self.holder) {
            Some(holder) if holder.token == self.token => Ok(()),
            Some(holder) => Err(Failure::systemic(
                Reason::Locked,
                format!(
                    "process {} took over this file at {} while we were writing it",
                    holder.pid, holder.since
                ),
            )
            .advise("stop one of the two; nothing of the other's work was overwritten")),
            None => Err(Failure::systemic(
                Reason::Locked,
                format!("{} was removed while we were using it", self.holder.display()),
            )
            .advise("start the sync again and leave the hidden .sync folder alone while it runs")),
        }
    }
}

fn read_holder(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn held_by_another(holder: &Path, visible: &Path) -> Failure {
    let who = match read_holder(holder) {
        Some(holder) => format!("process {} since {}", holder.pid, holder.since),
        None => "another process".to_owned(),
    };
    Failure::systemic(Reason::Locked, format!("{} is being written by {who}", visible.display()))
        .advise("wait for it to end, or stop it: two syncs cannot write one file")
}

/// 128 random bits as text. The standard library seeds its hash maps from the system's random source; that is the
/// one it offers.
pub(super) fn random_id() -> String {
    let mut hasher = Sha256::new();
    for number in 0..4_u64 {
        hasher.update(RandomState::new().hash_one(number).to_le_bytes());
    }
    hasher.update(std::process::id().to_le_bytes());
    hasher.update(Timestamp::now().as_nanosecond().to_le_bytes());
    let sum: [u8; 32] = hasher.finalize().into();
    let half = sum.first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let visible = Path::new("customers.json");
        let first = SinkLock::acquire(folder.path(), visible).unwrap();
        let failure = SinkLock::acquire(folder.path(), visible).unwrap_err();
        assert_eq!(failure.reason, Reason::Locked);
        let pid = format!("process {} since 20", std::process::id());
        assert!(failure.what().contains(&pid), "{failure}");
        assert!(first.still_held().is_ok());
        drop(first);
        assert!(SinkLock::acquire(folder.path(), visible).is_ok());
    }

    #[test]
    fn a_lost_lock_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let visible = Path::new("customers.json");
        let paused = SinkLock::acquire(folder.path(), visible).unwrap();
        std::fs::remove_file(folder.path().join("lock")).unwrap();
        let newer = SinkLock::acquire(folder.path(), visible).unwrap();
        assert!(newer.still_held().is_ok());
        assert_eq!(paused.still_held().unwrap_err().reason, Reason::Locked);
        std::fs::remove_file(folder.path().join("holder.json")).unwrap();
        assert_eq!(newer.still_held().unwrap_err().reason, Reason::Locked);
    }
}
