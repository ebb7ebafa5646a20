//! A JSON file that is looked at and never written: what it holds now, with what was acknowledged since it was written.
//! Texts are read from the file itself, so that what is compared is what readers see.
//!
//! In memory is where each record stands, 40 bytes a record.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::Value;
use shared::checksum::Checksum;
use shared::config::Gone;
use shared::failure::{Failure, Reason};
use shared::record::{RecordKey, Values};

use super::super::look::{FieldChange, Looked};
use super::JsonSettings;
use super::entry::{Entry, EntryFile, REMOVED};
use super::fault::file_failure;
use super::foreign::{Refused, Unreadable, read_records};
use super::journal::segments_of_rows;
use super::meta::{Head, Meta, Stamp};
use super::opening::{Standing, standing};
use super::place::Place;
use super::record_text::{DELETED, JsonRow, RecordText, content_hash};
use super::segment::scan;

/// A JSON file open for looking. Every call blocks on the disk.
#[derive(Debug)]
pub struct JsonView {
    place: Place,
    /// What the state calls the file, while it is as we left it.
    identity: Option<String>,
    /// Why the file cannot be read as records.
    broken: Option<String>,
    /// What holds the texts of `entries`: the visible file, or a nameless copy of one that somebody else wrote.
    texts: Option<File>,
    /// Ascending, each id once.
    entries: Vec<Entry>,
    /// Ids that the visible file has more than once; the last of them counts.
    doubles: Vec<u64>,
    /// What the journal holds: newer than the visible file.
    newer: BTreeMap<u64, (usize, Entry)>,
    segments: Vec<File>,
}

impl JsonView {
    /// Finds out what the file holds. Nothing is created, and no lock is taken: a sync may replace the file meanwhile.
    ///
    /// # Errors
    /// Systemic where the path is a folder or the file cannot be read.
    pub(crate) fn open(settings: &JsonSettings) -> Result<Self, Failure> {
        let place = Place::find(&settings.path)?;
        let meta = Meta::read(&place.sidecar)?;
        let standing = standing(meta.as_ref(), Stamp::of(&place.visible)?, settings);
        let mut view = Self {
            place,
            identity: None,
            broken: None,
            texts: None,
            entries: Vec::new(),
            doubles: Vec::new(),
            newer: BTreeMap::new(),
            segments: Vec::new(),
        };
        match (standing, meta) {
            (Standing::Ours(head), _) => {
                if view.read_ours(&head)? {
                    view.identity = Some(head.identity.clone());
                } else {
                    view.read_foreign()?;
                }
                view.read_journal(&head)?;
            }
            (Standing::Foreign, meta) => {
                view.read_foreign()?;
                if let Some(meta) = meta {
                    view.read_journal(&meta.current)?;
                }
            }
            (Standing::Gone, _) => {}
        }
        Ok(view)
    }

    /// What the state calls the file; `None` where it is not as we left it: then the next sync starts anew with it.
    pub(crate) fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Why the file cannot be read as records: then the next sync sets it aside.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Ids that the file has more than once.
    pub fn doubles(&self) -> &[u64] {
        &self.doubles
    }

    /// The keys of all records, ascending within the file; those that are in the journal alone follow.
    pub fn keys(&self) -> impl Iterator<Item = RecordKey> {
        let in_file = self.entries.iter().map(|entry| entry.id).filter(|id| self.holds(*id));
        let added = self.newer.keys().copied().filter(|id| self.entry(*id).is_none() && self.holds(*id));
        in_file.chain(added).map(RecordKey::from)
    }

    /// Whether the file has a record.
    pub fn contains(&self, key: &RecordKey) -> bool {
        key.as_str().parse().is_ok_and(|id| self.holds(id))
    }

    /// Whether the file says of a record that its source no longer has it.
    ///
    /// # Errors
    /// Systemic where the file cannot be read.
    pub fn is_marked(&mut self, key: &RecordKey) -> Result<bool, Failure> {
        let Ok(id) = key.as_str().parse() else { return Ok(false) };
        let values = self.values(id)?;
        Ok(values.is_some_and(|values| values.get(DELETED) == Some(&Value::Bool(true))))
    }

    /// What the journal says of a record is newer than the file; it may have been removed.
    fn holds(&self, id: u64) -> bool {
        match self.newer.get(&id) {
            Some((_, entry)) => entry.hash != REMOVED,
            None => self.entry(id).is_some(),
        }
    }

    /// See [`crate::sink::SinkView::look`].
    pub(crate) fn look(&mut self, row: &JsonRow<'_>) -> Result<Result<Looked, Failure>, Failure> {
        let record = match RecordText::of_row(row) {
            Ok(record) => record,
            Err(failure) => return Ok(Err(failure)),
        };
        let Some(there) = self.values(record.id)? else {
            return Ok(Ok(Looked::Missing { fields: changes(&Values::new(), row.values) }));
        };
        if content_hash(&there) == record.hash {
            return Ok(Ok(Looked::Same { sink_id: None }));
        }
        let fields = changes(&there, row.values);
        Ok(Ok(Looked::Different { sink_id: None, binds: false, fields }))
    }

    /// See [`crate::sink::SinkView::look_gone`].
    pub(crate) fn look_gone(&mut self, key: &RecordKey, how: Gone) -> Result<Looked, Failure> {
        let fields = match how {
            _ if !self.contains(key) => None,
            Gone::Remove => Some(Vec::new()),
            Gone::Mark if !self.is_marked(key)? => {
                Some(vec![FieldChange { field: DELETED.to_owned(), old: None, new: Some(Value::Bool(true)) }])
            }
            _ => None,
        };
        Ok(match fields {
            Some(fields) => Looked::Different { sink_id: None, binds: false, fields },
            None => Looked::Same { sink_id: None },
        })
    }

    /// What stands in the file under an id.
    fn values(&mut self, id: u64) -> Result<Option<Values>, Failure> {
        let (file, entry) = match self.newer.get(&id) {
            Some((_, entry)) if entry.hash == REMOVED => return Ok(None),
            Some((segment, entry)) => (self.segments.get_mut(*segment), *entry),
            None => match self.entry(id).copied() {
                Some(entry) => (self.texts.as_mut(), entry),
                None => return Ok(None),
            },
        };
        let text = match file {
            Some(file) => text_of(file, &entry),
            None => Err(io::Error::other("its texts are not there")),
        };
        let failed = |error| file_failure("read", &self.place.visible, error);
        match serde_json::from_slice(&text.map_err(failed)?) {
            Ok(values) => Ok(Some(values)),
            Err(error) => {
                let shown = self.place.visible.display();
                let what = format!("{shown} was written while it was read, or is damaged at record {id}");
                Err(Failure::systemic(Reason::File, what).advise("try again").because(error))
            }
        }
    }

    fn entry(&self, id: u64) -> Option<&Entry> {
        let place = self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.entries.get(place)
    }

    /// `false`: its index is damaged, or another file is there by now.
    fn read_ours(&mut self, head: &Head) -> Result<bool, Failure> {
        let Some(written) = &head.file else { return Ok(true) };
        let index = self.place.index(head.generation);
        let failed = |error| file_failure("read", &index, error);
        let Ok(base) = EntryFile::open(&index) else { return Ok(false) };
        let texts = File::open(&self.place.visible);
        let same = texts
            .as_ref()
            .ok()
            .and_then(|file| file.metadata().ok())
            .and_then(|about| Stamp::new(&about).ok());
        if base.count() != written.records || same != Some(written.stamp) {
            return Ok(false);
        }
        let mut cursor = base.cursor(&index).map_err(failed)?;
        while let Some(entry) = cursor.next().map_err(failed)? {
            self.entries.push(entry);
        }
        self.texts = texts.ok();
        Ok(true)
    }

    /// The texts are copied into a file without a name, which ends with this process.
    fn read_foreign(&mut self) -> Result<(), Failure> {
        self.entries.clear();
        let failed = |error| file_failure("write a copy for reading of", &self.place.visible, error);
        let mut copy = BufWriter::new(tempfile::tempfile().map_err(failed)?);
        let mut offset = 0;
        let mut found = Vec::new();
        let read = read_records(&self.place.visible, &mut |text| {
            let RecordText { id, hash, text } = RecordText::of_text(text).map_err(Refused::Bad)?;
            let length = u32::try_from(text.len()).map_err(|_| Refused::Bad("it is too long".to_owned()))?;
            copy.write_all(text.as_bytes()).map_err(|error| Refused::Failed(failed(error)))?;
            found.push(Entry { id, offset, length, hash });
            offset += u64::from(length);
            Ok(())
        });
        match read {
            Ok(_) => {}
            Err(Unreadable::Failed(failure)) => return Err(failure),
            Err(Unreadable::Broken(why)) => {
                self.broken = Some(why);
                return Ok(());
            }
        }
        self.texts = Some(copy.into_inner().map_err(|error| failed(error.into_error()))?);
        // Of one id the last counts, as where the file is taken over; the sort keeps their order.
        found.sort_by_key(|entry| entry.id);
        for entry in found {
            match self.entries.last_mut() {
                Some(last) if last.id == entry.id => {
                    *last = entry;
                    if self.doubles.last() != Some(&entry.id) {
                        self.doubles.push(entry.id);
                    }
                }
                _ => self.entries.push(entry),
            }
        }
        Ok(())
    }

    fn read_journal(&mut self, head: &Head) -> Result<(), Failure> {
        for path in segments_of_rows(&self.place.sidecar, head.first_segment) {
            self.read_segment(&path).or_else(|error| match error.kind() {
                // Merged into the visible file since the folder was read.
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(file_failure("read", &path, error)),
            })?;
        }
        Ok(())
    }

    fn read_segment(&mut self, path: &Path) -> io::Result<()> {
        let (file, scanned) = (File::open(path)?, scan(path)?);
        let number = self.segments.len();
        self.newer.extend(scanned.entries.into_iter().map(|(id, entry)| (id, (number, entry))));
        self.segments.push(file);
        Ok(())
    }
}

fn text_of(file: &mut File, entry: &Entry) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(entry.length as usize);
    file.seek(SeekFrom::Start(entry.offset))?;
    file.take(u64::from(entry.length)).read_to_end(&mut text)?;
    Ok(text)
}

/// What differs, in the order of the new values; fields that would go come last.
fn changes(old: &Values, new: &Values) -> Vec<FieldChange> {
    let differs =
        |old: Option<&Value>, new: Option<&Value>| old.map(Checksum::of_value) != new.map(Checksum::of_value);
    let written = new.iter().map(|(field, value)| (field, old.get(field), Some(value)));
    let gone = old.iter().filter(|(field, _)| !new.contains_key(*field));
    let gone = gone.map(|(field, value)| (field, Some(value), None));
    written
        .chain(gone)
        .filter(|(_, old, new)| differs(*old, *new))
        .map(|(field, old, new)| FieldChange { field: field.clone(), old: old.cloned(), new: new.cloned() })
        .collect()
}
