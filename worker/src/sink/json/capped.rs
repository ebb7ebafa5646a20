//! A limit on the bytes that one record may take of a file.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, SeekFrom};
use std::rc::Rc;

use super::record_text::MAX_RECORD_BYTES;

/// The bytes that may still be read; the reader and whoever counts the records share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance(Rc<Cell<usize>>);

impl Allowance {
    /// Allows one more record. What is read ahead of it counts too, hence the extra bytes.
    pub(super) fn renew(&self) {
        self.0.set(MAX_RECORD_BYTES + 128 * 1024);
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        match self.0.get().checked_sub(bytes) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "a record is too long")),
        }
    }
}

/// A file whose reads fail with `InvalidData` when the allowance is spent.
#[derive(Debug)]
pub(super) struct Capped {
    pub(super) file: File,
    pub(super) allowance: Allowance,
}

impl Read for Capped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.allowance.spend(read)?;
        Ok(read)
    }
}

impl io::Seek for Capped {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
