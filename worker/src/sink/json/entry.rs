//! Entries that say where a record's text is, and the sorted files they are kept in.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::meter::{Meter, MeteredFile};

/// The first half of the canonical sha256 of a record.
pub(super) type ContentHash = [u8; 16];

/// In place of a hash, with an empty text: the record is not to be in the visible file any more.
pub(super) const REMOVED: ContentHash = [0; 16];

/// Where the text of one record stands in a file, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// Byte position of the text.
    pub(super) offset: u64,
    /// Bytes of the text; 0 where the record was removed.
    pub(super) length: u32,
    pub(super) hash: ContentHash,
}

pub(super) const ENTRY_BYTES: usize = 36;
const BLOCK_ENTRIES: usize = 128;
pub(super) const MAGIC: &[u8; 8] = b"csindex1";

impl Entry {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let parts = self
            .id
            .to_le_bytes()
            .into_iter()
            .chain(self.offset.to_le_bytes())
            .chain(self.length.to_le_bytes())
            .chain(self.hash);
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (hash, _) = rest.split_first_chunk()?;
        Some(Self {
            id: u64::from_le_bytes(*id),
            offset: u64::from_le_bytes(*offset),
            length: u32::from_le_bytes(*length),
            hash: *hash,
        })
    }
}

/// Writes entries in ascending order of ids: magic, entries, count, hash of the entries.
#[derive(Debug)]
pub(super) struct EntryWriter {
    out: BufWriter<MeteredFile>,
    hasher: Sha256,
    fence: Fence,
}

impl EntryWriter {
    pub(super) fn create(path: &Path, meter: &Meter) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(64 * 1024, MeteredFile::create(path, meter)?);
        out.write_all(MAGIC)?;
        Ok(Self { out, hasher: Sha256::new(), fence: Fence::default() })
    }

    /// Ids must come ascending and once.
    pub(super) fn push(&mut self, entry: &Entry) -> io::Result<()> {
        let bytes = entry.encode();
        self.fence.push(entry.id)?;
        self.hasher.update(bytes);
        self.out.write_all(&bytes)
    }

    /// Completes the file; `durable` asks for an fsync (what can be rebuilt needs none).
    pub(super) fn finish(mut self, path: &Path, durable: bool) -> io::Result<EntryFile> {
        self.out.write_all(&self.fence.count.to_le_bytes())?;
        self.out.write_all(&short(self.hasher))?;
        self.out.flush()?;
        if durable {
            self.out.get_ref().sync()?;
        }
        Ok(EntryFile { file: File::open(path)?, fence: self.fence, block: None })
    }
}

/// The ids at which the blocks of a file begin: 8 bytes in memory for 128 entries on disk.
#[derive(Debug, Default)]
struct Fence {
    count: u64,
    first_ids: Vec<u64>,
    last_id: u64,
}

impl Fence {
    fn push(&mut self, id: u64) -> io::Result<()> {
        if self.count > 0 && id <= self.last_id {
            return Err(damaged("ids are not ascending"));
        }
        if self.count.is_multiple_of(BLOCK_ENTRIES as u64) {
            self.first_ids.push(id);
        }
        self.last_id = id;
        self.count += 1;
        Ok(())
    }

    /// The block in which `id` would stand.
    fn block_of(&self, id: u64) -> Option<usize> {
        if id > self.last_id {
            return None;
        }
        self.first_ids.partition_point(|first| *first <= id).checked_sub(1)
    }
}

/// A sorted file of entries, looked up with one read at most. The last block read is kept: jobs mostly come in
/// ascending order of ids.
#[derive(Debug)]
pub(super) struct EntryFile {
    file: File,
    fence: Fence,
    block: Option<(usize, Vec<Entry>)>,
}

impl EntryFile {
    /// Opens a file and checks all of it. `InvalidData` when it is not what was written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut cursor = EntryCursor::new(File::open(path)?, u64::MAX)?;
        let length = cursor.input.get_ref().metadata()?.len();
        let body = length
            .checked_sub((MAGIC.len() + 8 + 16) as u64)
            .filter(|body| body.is_multiple_of(ENTRY_BYTES as u64))
            .ok_or_else(|| damaged("its length is wrong"))?;
        cursor.left = body / ENTRY_BYTES as u64;
        let mut fence = Fence::default();
        let mut hasher = Sha256::new();
        while let Some(entry) = cursor.next()? {
            fence.push(entry.id)?;
            hasher.update(entry.encode());
        }
        let (mut count, mut hash) = ([0; 8], [0; 16]);
        cursor.input.read_exact(&mut count)?;
        cursor.input.read_exact(&mut hash)?;
        if u64::from_le_bytes(count) != fence.count || hash != short(hasher) {
            return Err(damaged("its checksum is wrong"));
        }
        Ok(Self { file: cursor.input.into_inner(), fence, block: None })
    }

    pub(super) fn count(&self) -> u64 {
        self.fence.count
    }

    /// The entry of a record.
    pub(super) fn find(&mut self, id: u64) -> io::Result<Option<Entry>> {
        let Some(number) = self.fence.block_of(id) else {
            return Ok(None);
        };
        let entries = match self.block.take() {
            Some((kept, entries)) if kept == number => entries,
            _ => self.read_block(number)?,
        };
        let found = entries
            .binary_search_by_key(&id, |entry| entry.id)
            .ok()
            .and_then(|place| entries.get(place).copied());
        self.block = Some((number, entries));
        Ok(found)
    }

    fn read_block(&mut self, number: usize) -> io::Result<Vec<Entry>> {
        let first = (number * BLOCK_ENTRIES) as u64;
        let entries = (self.fence.count - first).min(BLOCK_ENTRIES as u64);
        self.file.seek(SeekFrom::Start(MAGIC.len() as u64 + first * ENTRY_BYTES as u64))?;
        let mut bytes = Vec::with_capacity(BLOCK_ENTRIES * ENTRY_BYTES);
        (&self.file).take(entries * ENTRY_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes.chunks_exact(ENTRY_BYTES).filter_map(Entry::decode).collect())
    }

    /// All entries in ascending order.
    pub(super) fn cursor(&self, path: &Path) -> io::Result<EntryCursor> {
        EntryCursor::new(File::open(path)?, self.fence.count)
    }
}

/// Reads entries one after another.
#[derive(Debug)]
pub(super) struct EntryCursor {
    input: BufReader<File>,
    left: u64,
}

impl EntryCursor {
    fn new(file: File, left: u64) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(16 * 1024, file);
        let mut magic = [0; 8];
        input.read_exact(&mut magic)?;
        if &magic == MAGIC { Ok(Self { input, left }) } else { Err(damaged("it is no index")) }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut bytes = [0; ENTRY_BYTES];
        self.input.read_exact(&mut bytes)?;
        Ok(Entry::decode(&bytes))
    }
}

fn short(hasher: Sha256) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
    half
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged index: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64) -> Entry {
        Entry { id, offset: id * 7, length: 5, hash: [u8::try_from(id % 251).unwrap(); 16] }
    }

    #[test]
    fn every_entry_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let mut writer = EntryWriter::create(&path, &Meter::default()).unwrap();
        let ids: Vec<u64> = (0..1000).map(|n| n * 3 + 5).chain([u64::MAX]).collect();
        for id in &ids[..1000] {
            writer.push(&entry(*id)).unwrap();
        }
        let last = Entry { id: u64::MAX, ..entry(1) };
        writer.push(&last).unwrap();
        writer.finish(&path, true).unwrap();
        let mut file = EntryFile::open(&path).unwrap();
        assert_eq!(file.count(), 1001);
        for id in 0..3100 {
            let expected = (id >= 5 && id % 3 == 2 && id <= 3002).then(|| entry(id));
            assert_eq!(file.find(id).unwrap(), expected, "{id}");
        }
        assert_eq!(file.find(u64::MAX).unwrap(), Some(last));
        let mut cursor = file.cursor(&path).unwrap();
        let mut seen = Vec::new();
        while let Some(entry) = cursor.next().unwrap() {
            seen.push(entry.id);
        }
        assert_eq!(seen, ids);
    }

    #[test]
    fn a_damaged_file_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        let mut writer = EntryWriter::create(&path, &Meter::default()).unwrap();
        (1..300).for_each(|id| writer.push(&entry(id)).unwrap());
        assert!(writer.push(&entry(299)).is_err(), "not ascending");
        writer.finish(&path, false).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for place in [0, 8, 5000, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(EntryFile::open(&path).is_err(), "byte {place}");
        }
        for length in [0, 7, 31, 32, whole.len() - 36, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(EntryFile::open(&path).is_err(), "{length} bytes");
        }
    }
}
