//! One file of the journal: frames of records in the order they came.
//!
//! A frame is the length of its payload (4 bytes, little-endian), the first 8 bytes of the payload's sha256, and the
//! payload: id (8 bytes), content hash (16 bytes), the record's text.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::entry::{ContentHash, Entry};
use super::meter::{Meter, MeteredFile};
use super::record_text::{MAX_RECORD_BYTES, RecordText};

const FRAME_HEAD: u64 = 12;
pub(super) const PAYLOAD_HEAD: usize = 24;
/// Frames gathered in memory before they are handed to the system.
const BUFFER_BYTES: usize = 1024 * 1024;

/// The segment that is being written. Memory: its entries (bounded by the journal) and one buffer.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    file: MeteredFile,
    /// Bytes that are acknowledged: after a failure the file is cut to this.
    acknowledged: u64,
    /// The newest acknowledged entry of every record in this segment.
    pub(super) entries: BTreeMap<u64, Entry>,
    staged: Vec<Entry>,
    staged_end: u64,
    buffer: Vec<u8>,
    torn: bool,
}

impl Segment {
    pub(super) fn create(path: PathBuf, meter: &Meter) -> io::Result<Self> {
        Ok(Self {
            file: MeteredFile::create_new(&path, meter)?,
            path,
            acknowledged: 0,
            entries: BTreeMap::new(),
            staged: Vec::new(),
            staged_end: 0,
            buffer: Vec::new(),
            torn: false,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.acknowledged
    }

    /// Adds a record to what the next `commit` acknowledges.
    pub(super) fn stage(&mut self, record: &RecordText) -> io::Result<()> {
        let payload = PAYLOAD_HEAD + record.text.len();
        let length = |bytes| u32::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
        let (id, text) = (record.id.to_le_bytes(), record.text.as_bytes());
        self.buffer.extend(length(payload)?.to_le_bytes());
        self.buffer.extend(check([&id, &record.hash, text]));
        self.buffer.extend(id);
        self.buffer.extend(record.hash);
        self.buffer.extend(text);
        let start = self.staged_end + FRAME_HEAD;
        self.staged.push(Entry {
            id: record.id,
            offset: start + PAYLOAD_HEAD as u64,
            length: length(text.len())?,
            hash: record.hash,
        });
        self.staged_end = start + payload as u64;
        if self.buffer.len() >= BUFFER_BYTES {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.torn = true;
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Acknowledges what is staged; with `durable` it is on disk when this returns.
    pub(super) fn commit(&mut self, durable: bool) -> io::Result<()> {
        self.write_out()?;
        if durable {
            self.file.sync()?;
        }
        self.torn = false;
        self.acknowledged = self.staged_end;
        self.entries.extend(self.staged.drain(..).map(|entry| (entry.id, entry)));
        Ok(())
    }

    /// Forgets what is staged and cuts what was written of it. Where even that fails it is done by `mend`, before
    /// anything more is written.
    pub(super) fn abandon(&mut self) {
        self.staged.clear();
        self.buffer.clear();
        self.staged_end = self.acknowledged;
        if let Err(error) = self.mend() {
            tracing::debug!(path = %self.path.display(), %error, "torn tail is cut later");
        }
    }

    /// Cuts a torn tail. A failed fsync may have dropped any of the bytes after the acknowledged ones, so they are
    /// written anew and never trusted.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.cut(self.acknowledged)?;
            self.torn = false;
        }
        Ok(())
    }
}

/// What was read back from a segment.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The newest whole entry of every record.
    pub(super) entries: BTreeMap<u64, Entry>,
    /// Bytes of the whole frames at the beginning.
    pub(super) whole: u64,
    /// Bytes in the file.
    pub(super) length: u64,
}

/// Reads a segment up to its first frame that is not whole.
pub(super) fn scan(path: &Path) -> io::Result<Scanned> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut input = BufReader::with_capacity(256 * 1024, file);
    let mut scanned = Scanned { entries: BTreeMap::new(), whole: 0, length };
    let mut payload = Vec::new();
    while let Some((entry, end)) = next_frame(&mut input, scanned.whole, length, &mut payload)? {
        scanned.entries.insert(entry.id, entry);
        scanned.whole = end;
    }
    Ok(scanned)
}

/// The frame that starts at `start`, and where it ends; `None` when there is no whole one.
fn next_frame(
    input: &mut BufReader<File>,
    start: u64,
    file_length: u64,
    payload: &mut Vec<u8>,
) -> io::Result<Option<(Entry, u64)>> {
    let left = file_length.saturating_sub(start);
    if left < FRAME_HEAD {
        return Ok(None);
    }
    let (mut length, mut expected) = ([0; 4], [0; 8]);
    input.read_exact(&mut length)?;
    input.read_exact(&mut expected)?;
    let length = u64::from(u32::from_le_bytes(length));
    let longest = (PAYLOAD_HEAD + MAX_RECORD_BYTES) as u64;
    if length < PAYLOAD_HEAD as u64 || length > longest.min(left - FRAME_HEAD) {
        return Ok(None);
    }
    payload.clear();
    input.take(length).read_to_end(payload)?;
    let entry = payload.split_first_chunk::<8>().and_then(|(id, rest)| {
        let (hash, text): (&ContentHash, _) = rest.split_first_chunk()?;
        Some(Entry {
            id: u64::from_le_bytes(*id),
            offset: start + FRAME_HEAD + PAYLOAD_HEAD as u64,
            length: u32::try_from(text.len()).ok()?,
            hash: *hash,
        })
    });
    let intact = check([payload.as_slice(), &[], &[]]) == expected;
    Ok(entry.filter(|_| intact).map(|entry| (entry, start + FRAME_HEAD + length)))
}

fn check(parts: [&[u8]; 3]) -> [u8; 8] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let sum: [u8; 32] = hasher.finalize().into();
    sum.first_chunk().copied().unwrap_or_default()
}
