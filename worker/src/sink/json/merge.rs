//! Several sorted lists of records into one, the newest of each record.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::entry::{Entry, EntryCursor, REMOVED};
use super::visible::VisibleWriter;

/// Bytes read at once from a file whose records are read in the order in which they stand.
const READ_AHEAD: u64 = 64 * 1024;
/// Bytes between two records that stand next to each other, at most: a frame's head, or a separator.
const GAP: u64 = 64;

/// A sorted list of entries and the file that holds their texts.
#[derive(Debug)]
pub(super) struct Input {
    entries: EntryCursor,
    texts: File,
    /// Bytes `start..start + buffer.len()` of `texts`.
    buffer: Vec<u8>,
    start: u64,
    /// Where the last text ended.
    end: u64,
}

impl Input {
    pub(super) fn open(texts: &Path, entries: EntryCursor) -> io::Result<Self> {
        Ok(Self { entries, texts: File::open(texts)?, buffer: Vec::new(), start: 0, end: 0 })
    }

    /// The text of an entry of this input. `InvalidData` when there is no record at that place.
    pub(super) fn text(&mut self, entry: &Entry) -> io::Result<&[u8]> {
        let no_record = || {
            let what = format!("no record {} at byte {}", entry.id, entry.offset);
            io::Error::new(io::ErrorKind::InvalidData, what)
        };
        let end = entry.offset.checked_add(u64::from(entry.length)).ok_or_else(no_record)?;
        if entry.offset < self.start || end > self.start + self.buffer.len() as u64 {
            let follows = entry.offset >= self.end && entry.offset - self.end <= GAP;
            let wanted = u64::from(entry.length).max(if follows { READ_AHEAD } else { 0 });
            self.buffer.clear();
            self.start = entry.offset;
            self.texts.seek(SeekFrom::Start(entry.offset))?;
            (&self.texts).take(wanted).read_to_end(&mut self.buffer)?;
        }
        self.end = end;
        let from = usize::try_from(entry.offset - self.start).unwrap_or(usize::MAX);
        self.buffer
            .get(from..)
            .and_then(|rest| rest.get(..entry.length as usize))
            .filter(|text| text.starts_with(b"{") && text.ends_with(b"}"))
            .ok_or_else(no_record)
    }
}

/// Writes the records of all `inputs` (oldest first) in ascending order of ids; of one id, the newest, unless that
/// removes it.
pub(super) fn merge(mut inputs: Vec<Input>, out: &mut VisibleWriter) -> io::Result<()> {
    // The smallest id first, and of equal ids the newest input.
    let mut heads = BinaryHeap::new();
    let mut entries = Vec::with_capacity(inputs.len());
    for (age, input) in inputs.iter_mut().enumerate() {
        let head = input.entries.next()?;
        heads.extend(head.map(|entry| (Reverse(entry.id), age)));
        entries.push(head);
    }
    let mut written = None;
    while let Some((Reverse(id), age)) = heads.pop() {
        let (Some(input), Some(head)) = (inputs.get_mut(age), entries.get_mut(age)) else {
            continue;
        };
        if let Some(entry) = head.as_ref().filter(|_| written != Some(id)) {
            if entry.hash != REMOVED {
                out.push(entry, input.text(entry)?)?;
            }
            written = Some(id);
        }
        *head = input.entries.next()?;
        heads.extend(head.map(|entry| (Reverse(entry.id), age)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::entry::EntryWriter;
    use super::super::meter::Meter;
    use super::*;

    #[test]
    fn entries_of_places_that_are_not_in_the_file_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (texts, index) = (folder.path().join("texts"), folder.path().join("index"));
        std::fs::write(&texts, "{\"id\":1}\n").unwrap();
        let entries = EntryWriter::create(&index, &Meter::default()).unwrap().finish(&index, false).unwrap();
        let mut input = Input::open(&texts, entries.cursor(&index).unwrap()).unwrap();
        let entry = |offset, length| Entry { id: 1, offset, length, hash: [0; 16] };
        assert_eq!(input.text(&entry(0, 8)).unwrap(), b"{\"id\":1}");
        for (offset, length) in [(0, 9), (1, 8), (9, 1), (u64::MAX, 1), (u64::MAX - 7, u32::MAX)] {
            let error = input.text(&entry(offset, length)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{offset}");
        }
    }
}
