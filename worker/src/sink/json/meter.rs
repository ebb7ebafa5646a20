//! A file that counts the bytes written to it.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes written by one sink, in all its files together.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(super) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A file open for writing whose bytes are counted.
#[derive(Debug)]
pub(super) struct MeteredFile {
    file: File,
    meter: Meter,
}

impl MeteredFile {
    /// A new empty file; one that is there already is emptied.
    pub(super) fn create(path: &Path, meter: &Meter) -> io::Result<Self> {
        Ok(Self { file: File::create(path)?, meter: meter.clone() })
    }

    /// A new file where none may be yet.
    pub(super) fn create_new(path: &Path, meter: &Meter) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, meter: meter.clone() })
    }

    /// Contents and length are on disk after this.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Drops everything after `length` and goes on writing there.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    /// The file itself, for what needs no counting.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Write for MeteredFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        let bytes = room::take(bytes)?;
        let written = self.file.write(bytes)?;
        self.meter.add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A disk that fills up, for tests: the bytes that this thread may still write.
#[cfg(test)]
pub(super) mod room {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    pub(in crate::sink::json) fn set(left: Option<usize>) {
        LEFT.set(left);
    }

    pub(super) fn take(bytes: &[u8]) -> io::Result<&[u8]> {
        let Some(left) = LEFT.get() else {
            return Ok(bytes);
        };
        if left == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let fits = bytes.get(..left.min(bytes.len())).unwrap_or(bytes);
        LEFT.set(Some(left - fits.len()));
        Ok(fits)
    }
}
