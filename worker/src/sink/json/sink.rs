//! The sink itself: rows and lookups.

use std::collections::HashMap;

use shared::failure::{Failure, Reason};
use shared::record::{Outcome, RecordKey};

use super::entry::{ContentHash, EntryFile, REMOVED};
use super::fault::file_failure;
use super::journal::Journal;
use super::lock::SinkLock;
use super::meta::{Head, Meta};
use super::meter::Meter;
use super::place::Place;
use super::record_text::{JsonRow, RecordText};
use super::{JsonFormat, JsonSettings};

/// A JSON file open for writing. It is locked while this value lives. Every call blocks on the disk.
#[derive(Debug)]
pub struct JsonSink {
    pub(super) place: Place,
    pub(super) settings: JsonSettings,
    pub(super) lock: SinkLock,
    pub(super) head: Head,
    /// The index of the visible file; `None` before it was first written.
    pub(super) base: Option<EntryFile>,
    pub(super) journal: Journal,
    /// Records that are in the journal alone, less those of the visible file that it removes.
    pub(super) added: i64,
    pub(super) meter: Meter,
}

impl JsonSink {
    /// A random id that stays as long as the visible file is what we last wrote. It changes in `open`, and in `flush`
    /// and `upsert` when the file is found edited or removed meanwhile: then nothing that was remembered about the
    /// records in this file holds any more, and the next run must be a full one.
    pub fn identity(&self) -> &str {
        &self.head.identity
    }

    /// Counts the replacements of the visible file.
    pub fn generation(&self) -> u64 {
        self.head.generation
    }

    /// Records in the visible file and the journal together.
    pub fn records(&self) -> u64 {
        self.base.as_ref().map_or(0, EntryFile::count).saturating_add_signed(self.added)
    }

    /// Bytes written since `open`, in all files: visible, index, journal, meta.
    pub fn bytes_written(&self) -> u64 {
        self.meter.total()
    }

    /// Whether the sink holds a record.
    pub fn contains(&mut self, key: &RecordKey) -> Result<bool, Failure> {
        match key.as_str().parse() {
            Ok(id) => Ok(self.find(id)?.is_some()),
            Err(_) => Ok(false),
        }
    }

    pub(super) fn format(&self) -> JsonFormat {
        self.settings.format
    }

    pub(super) fn write_head(&self) -> Result<(), Failure> {
        Meta::new(self.head.clone(), None).write(&self.place.sidecar, &self.meter)
    }

    pub(super) fn find(&mut self, id: u64) -> Result<Option<ContentHash>, Failure> {
        let found = match self.journal.find(id) {
            Ok(None) => match &mut self.base {
                Some(base) => base.find(id).map(|entry| entry.map(|entry| entry.hash)),
                None => Ok(None),
            },
            found => found.map(|hash| hash.filter(|hash| *hash != REMOVED)),
        };
        found.map_err(|error| file_failure("look up records in", &self.place.sidecar, error))
    }

    /// Writes the rows that differ from what the file and the journal hold. They are on disk when this returns.
    ///
    /// One outcome per row, in their order: created, updated or unchanged, or the failure of a row that has no usable
    /// id (permanent). The outer failure is about the whole batch (systemic, such as a full disk): then no row of
    /// it is acknowledged, and all earlier ones stay.
    pub fn upsert(&mut self, rows: &[JsonRow<'_>]) -> Result<Vec<Result<Outcome, Failure>>, Failure> {
        self.lock.still_held()?;
        if self.journal_outgrew_file() {
            self.flush()?;
        }
        match self.stage(rows) {
            Ok((outcomes, added)) => {
                self.added += added;
                Ok(outcomes)
            }
            Err(failure) => {
                self.journal.abandon();
                Err(failure)
            }
        }
    }

    fn stage(&mut self, rows: &[JsonRow<'_>]) -> Result<(Vec<Result<Outcome, Failure>>, i64), Failure> {
        let mut fresh: HashMap<u64, ContentHash> = HashMap::new();
        let mut added = 0;
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            let record = match RecordText::of_row(row) {
                Ok(record) => record,
                Err(failure) => {
                    outcomes.push(Err(failure));
                    continue;
                }
            };
            let known = match fresh.get(&record.id) {
                Some(hash) => Some(*hash),
                None => self.find(record.id)?,
            };
            outcomes.push(Ok(match known {
                Some(hash) if hash == record.hash => Outcome::Unchanged,
                Some(_) => Outcome::Updated,
                None => Outcome::Created,
            }));
            if known != Some(record.hash) {
                let staged = if fresh.is_empty() { self.journal.begin() } else { Ok(()) };
                staged
                    .and_then(|()| self.journal.stage(&record))
                    .map_err(|error| self.journal_failure(error))?;
                added += i64::from(known.is_none());
                fresh.insert(record.id, record.hash);
            }
        }
        if !fresh.is_empty() {
            self.journal.commit().map_err(|error| self.journal_failure(error))?;
        }
        Ok((outcomes, added))
    }

    pub(super) fn journal_failure(&self, error: std::io::Error) -> Failure {
        file_failure("write the journal in", &self.place.sidecar, error)
    }

    pub(super) fn journal_outgrew_file(&self) -> bool {
        let file = self.head.file.as_ref().map_or(0, |written| written.stamp.size);
        let most = self.settings.merge_after_bytes.max(file.saturating_mul(4));
        self.journal.bytes() > most || self.journal.is_at_limit()
    }

    /// Fails when another process replaced the file since we opened it: a process that was paused for long must not
    /// overwrite a newer file.
    pub(super) fn check_generation(&self) -> Result<(), Failure> {
        self.lock.still_held()?;
        match Meta::read(&self.place.sidecar)? {
            Some(meta) if meta.knows(&self.head) => Ok(()),
            _ => Err(Failure::systemic(
                Reason::Locked,
                format!("another process wrote {} while we had it open", self.place.visible.display()),
            )
            .advise("let one sync at a time write this file; the newer content was kept")),
        }
    }
}
