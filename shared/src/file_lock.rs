//! A lock file: one process at a time, and free again however that one ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// The lock on a file, held while this value lives; the operating system releases it when the process dies.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Takes the lock on the file at `path`, which is made where it is missing and otherwise left as it is: until the
    /// lock is ours, what stands in it is another's. `None`: somebody has it.
    ///
    /// Errors: the file cannot be opened; [`io::ErrorKind::Unsupported`]: its file system knows no locks.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the file system does not lock files ({error})"),
            )),
        }
    }

    /// The locked file, for a note about who holds it.
    pub fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

/// Closing the file would not do: the lock is the open file's, and a child process that is just being started has that
/// open too until it becomes its own program.
impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock file is released by closing it alone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = FileLock::try_take(&path).unwrap().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_child_process_that_is_being_started_does_not_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut lock = FileLock::try_take(&path).unwrap().unwrap();
        // What a fork does to open files.
        let of_the_child = lock.file().try_clone().unwrap();
        drop(lock);
        assert!(FileLock::try_take(&path).unwrap().is_some());
        drop(of_the_child);
    }

    #[test]
    fn what_stands_in_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "a note").unwrap();
        drop(FileLock::try_take(&path).unwrap().unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a note");
    }
}
