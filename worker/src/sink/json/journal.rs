//! What was acknowledged but is not in the visible file yet.
//!
//! Segments of a bounded number of records: the newest is indexed in memory, older ones by a sorted file each, so
//! that memory does not grow with the journal.

use std::io;
use std::path::{Path, PathBuf};

use shared::platform;

use super::entry::{ContentHash, Entry, EntryFile, EntryWriter, REMOVED};
use super::merge::Input;
use super::meta::HIGHEST_NUMBER;
use super::meter::Meter;
use super::place::{names, remove};
use super::record_text::RecordText;
use super::segment::{Scanned, Segment, scan};

/// Records in one segment: about 12 MiB of entries in memory.
#[cfg(not(test))]
const SEGMENT_RECORDS: usize = 131_072;
#[cfg(test)]
const SEGMENT_RECORDS: usize = 7;

/// Segments in a journal before it must be merged: a merge opens two files for each.
#[cfg(not(test))]
const MAX_SEGMENTS: usize = 128;
#[cfg(test)]
const MAX_SEGMENTS: usize = 6;

/// What the records of a journal are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Acknowledged rows: each commit is on disk when it returns, and read back after a crash.
    Rows,
    /// Records of a foreign file on their way into ours: after a crash that file is read again, so nothing is synced.
    TakeOver,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Rows => "journal-",
            Self::TakeOver => "import-",
        }
    }
}

#[derive(Debug)]
struct Sealed {
    path: PathBuf,
    bytes: u64,
    entries: EntryFile,
}

/// An ordered list of segments in one folder.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    purpose: Purpose,
    meter: Meter,
    next_number: u64,
    /// Oldest first.
    sealed: Vec<Sealed>,
    open: Option<Segment>,
}

impl Journal {
    /// An empty journal; files that an earlier one left are removed.
    pub(super) fn empty(folder: &Path, purpose: Purpose, meter: &Meter) -> Self {
        let numbers = segment_numbers(folder, purpose);
        for number in &numbers {
            remove_segment(&segment_path(folder, purpose, *number));
        }
        Self {
            folder: folder.to_owned(),
            purpose,
            meter: meter.clone(),
            next_number: numbers.last().map_or(0, |last| last + 1),
            sealed: Vec::new(),
            open: None,
        }
    }

    /// Reads back the acknowledged rows from segment `first` on; older segments are merged already and removed. The
    /// torn tail of the last segment was never acknowledged and is cut. The flag is false when an older segment is
    /// not whole: then acknowledged rows are lost (a damaged disk, not a crash).
    pub(super) fn recover(folder: &Path, first: u64, meter: &Meter) -> io::Result<(Self, bool)> {
        let purpose = Purpose::Rows;
        let numbers = segment_numbers(folder, purpose);
        let mut journal = Self {
            folder: folder.to_owned(),
            purpose,
            meter: meter.clone(),
            next_number: numbers.last().map_or(first, |last| first.max(last + 1)),
            sealed: Vec::new(),
            open: None,
        };
        let mut intact = true;
        for number in &numbers {
            let path = segment_path(folder, purpose, *number);
            if *number < first {
                remove_segment(&path);
                continue;
            }
            let scanned = scan(&path)?;
            if scanned.whole < scanned.length {
                intact &= Some(number) == numbers.last();
                let file = std::fs::File::options().write(true).open(&path)?;
                file.set_len(scanned.whole)?;
                file.sync_all()?;
            }
            journal.keep(path, &scanned)?;
        }
        Ok((journal, intact))
    }

    fn keep(&mut self, path: PathBuf, scanned: &Scanned) -> io::Result<()> {
        if scanned.entries.is_empty() {
            remove_segment(&path);
            return Ok(());
        }
        let entries = self.write_entries(&path, scanned.entries.values())?;
        self.sealed.push(Sealed { path, bytes: scanned.whole, entries });
        Ok(())
    }

    fn write_entries<'a>(
        &self,
        segment: &Path,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> io::Result<EntryFile> {
        let path = entries_path(segment);
        let mut writer = EntryWriter::create(&path, &self.meter)?;
        for entry in entries {
            writer.push(entry)?;
        }
        writer.finish(&path, false)
    }

    /// The number that no segment has yet.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.open.as_ref().is_none_or(|open| open.entries.is_empty())
    }

    /// Acknowledged bytes.
    pub(super) fn bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|sealed| sealed.bytes).sum();
        sealed + self.open.as_ref().map_or(0, Segment::bytes)
    }

    /// Whether there are as many segments as a merge may open at once.
    pub(super) fn is_at_limit(&self) -> bool {
        self.sealed.len() >= MAX_SEGMENTS
    }

    /// The hash of the newest acknowledged text of a record; [`REMOVED`] where it was removed.
    pub(super) fn find(&mut self, id: u64) -> io::Result<Option<ContentHash>> {
        Ok(self.locate(id)?.map(|(_, entry)| entry.hash))
    }

    /// The newest acknowledged entry of a record, and the file in which its text stands.
    pub(super) fn locate(&mut self, id: u64) -> io::Result<Option<(&Path, Entry)>> {
        if let Some(open) = &self.open
            && let Some(entry) = open.entries.get(&id)
        {
            return Ok(Some((&open.path, *entry)));
        }
        for sealed in self.sealed.iter_mut().rev() {
            if let Some(entry) = sealed.entries.find(id)? {
                return Ok(Some((&sealed.path, entry)));
            }
        }
        Ok(None)
    }

    /// Gets ready for `stage`: cuts what a failure left, closes a full segment, opens a new one.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            open.mend()?;
            if open.entries.len() >= SEGMENT_RECORDS {
                self.seal()?;
            }
        }
        if self.open.is_none() {
            let path = segment_path(&self.folder, self.purpose, self.next_number);
            let segment = Segment::create(path, &self.meter)?;
            self.next_number += 1;
            self.open = Some(segment);
            if self.purpose == Purpose::Rows {
                platform::sync_folder(&self.folder)?;
            }
        }
        Ok(())
    }

    /// Adds a record to the next commit; `begin` comes first.
    pub(super) fn stage(&mut self, record: &RecordText) -> io::Result<()> {
        self.open_segment()?.stage(record)
    }

    /// Acknowledges what is staged.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        let durable = self.purpose == Purpose::Rows;
        self.open_segment()?.commit(durable)
    }

    fn open_segment(&mut self) -> io::Result<&mut Segment> {
        self.open.as_mut().ok_or_else(|| io::Error::other("no segment was begun"))
    }

    /// Forgets what is staged.
    pub(super) fn abandon(&mut self) {
        if let Some(open) = &mut self.open {
            open.abandon();
        }
    }

    /// Closes the open segment and writes its entries, sorted. When that fails the segment stays open.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.mend()?;
        let Some(open) = self.open.as_ref().filter(|open| !open.entries.is_empty()) else {
            return Ok(());
        };
        let sealed = Sealed {
            entries: self.write_entries(&open.path, open.entries.values())?,
            bytes: open.bytes(),
            path: open.path.clone(),
        };
        self.sealed.push(sealed);
        self.open = None;
        Ok(())
    }

    /// Everything sealed, oldest first, for a merge.
    pub(super) fn inputs(&self) -> io::Result<Vec<Input>> {
        self.sealed
            .iter()
            .map(|sealed| Input::open(&sealed.path, sealed.entries.cursor(&entries_path(&sealed.path))?))
            .collect()
    }

    /// How many sealed records are not in `base`, less those of `base` that are removed.
    pub(super) fn count_added(&mut self, mut base: Option<&mut EntryFile>) -> io::Result<i64> {
        let mut added = 0;
        for place in 0..self.sealed.len() {
            let (older, rest) = self.sealed.split_at_mut(place);
            let Some(sealed) = rest.first() else { break };
            let mut cursor = sealed.entries.cursor(&entries_path(&sealed.path))?;
            while let Some(entry) = cursor.next()? {
                let mut before = match &mut base {
                    Some(base) => base.find(entry.id)?,
                    None => None,
                };
                for sealed in older.iter_mut() {
                    before = sealed.entries.find(entry.id)?.or(before);
                }
                let was_there = before.is_some_and(|before| before.hash != REMOVED);
                added += i64::from(entry.hash != REMOVED) - i64::from(was_there);
            }
        }
        Ok(added)
    }

    /// Removes every segment: it is merged, or of no use any more.
    pub(super) fn clear(&mut self) {
        let sealed = self.sealed.drain(..).map(|sealed| sealed.path);
        let open = self.open.take().map(|open| open.path);
        for path in sealed.chain(open).collect::<Vec<_>>() {
            remove_segment(&path);
        }
    }
}

fn segment_path(folder: &Path, purpose: Purpose, number: u64) -> PathBuf {
    folder.join(format!("{}{number}", purpose.prefix()))
}

fn entries_path(segment: &Path) -> PathBuf {
    segment.with_extension("entries")
}

fn remove_segment(path: &Path) {
    remove(path);
    remove(&entries_path(path));
}

/// The paths of the segments of acknowledged rows from number `first` on, oldest first: for whoever only looks.
pub(super) fn segments_of_rows(folder: &Path, first: u64) -> Vec<PathBuf> {
    let numbers = segment_numbers(folder, Purpose::Rows).into_iter();
    numbers
        .filter(|number| *number >= first)
        .map(|number| segment_path(folder, Purpose::Rows, number))
        .collect()
}

/// The numbers of the segments in a folder, ascending. Other spellings of a number are names that we never gave.
fn segment_numbers(folder: &Path, purpose: Purpose) -> Vec<u64> {
    let number = |name: &str| {
        let digits = name.strip_prefix(purpose.prefix())?;
        let number = digits.parse::<u64>().ok().filter(|number| *number <= HIGHEST_NUMBER)?;
        (number.to_string() == digits).then_some(number)
    };
    let mut numbers: Vec<u64> = names(folder).iter().filter_map(|name| number(name.to_str()?)).collect();
    numbers.sort_unstable();
    numbers
}
