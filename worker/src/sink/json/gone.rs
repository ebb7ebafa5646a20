//! Records that their source no longer has: kept, marked or removed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use shared::config::Gone;
use shared::failure::{Failure, Reason};
use shared::record::{Outcome, RecordKey};

use super::entry::{Entry, REMOVED};
use super::fault::file_failure;
use super::record_text::RecordText;
use super::sink::JsonSink;

impl JsonSink {
    /// Does with records what is configured for those that their source no longer has. They are on disk when this
    /// returns. One outcome per key, in their order: gone, or unchanged where there was nothing to do.
    ///
    /// # Errors
    /// Of the whole batch, as [`JsonSink::upsert`].
    pub fn gone(&mut self, keys: &[&RecordKey], how: Gone) -> Result<Vec<Outcome>, Failure> {
        self.lock.still_held()?;
        if self.journal_outgrew_file() {
            self.flush()?;
        }
        if how == Gone::Mark {
            // Their texts are read from the visible file, which is to be the one that our index is about.
            self.refresh()?;
        }
        match self.stage_gone(keys, how) {
            Ok((outcomes, removed)) => {
                self.added -= removed;
                Ok(outcomes)
            }
            Err(failure) => {
                self.journal.abandon();
                Err(failure)
            }
        }
    }

    fn stage_gone(&mut self, keys: &[&RecordKey], how: Gone) -> Result<(Vec<Outcome>, i64), Failure> {
        let (mut seen, mut staged, mut removed) = (HashSet::new(), false, 0);
        let mut outcomes = Vec::with_capacity(keys.len());
        for key in keys {
            // A key that is no id was never written.
            let id: Option<u64> = key.as_str().parse().ok().filter(|id| seen.insert(*id));
            let record = match (id, how) {
                (Some(id), Gone::Remove) => self.find(id)?.map(|_| RecordText::removed(id)),
                (Some(id), Gone::Mark) => self.marked(id)?,
                _ => None,
            };
            let Some(record) = record else {
                outcomes.push(Outcome::Unchanged);
                continue;
            };
            let begun = if staged { Ok(()) } else { self.journal.begin() };
            begun.and_then(|()| self.journal.stage(&record)).map_err(|error| self.journal_failure(error))?;
            staged = true;
            removed += i64::from(record.hash == REMOVED);
            outcomes.push(Outcome::Gone);
        }
        if staged {
            self.journal.commit().map_err(|error| self.journal_failure(error))?;
        }
        Ok((outcomes, removed))
    }

    /// The record with its mark; `None` where the file has none of the id, or it is marked.
    fn marked(&mut self, id: u64) -> Result<Option<RecordText>, Failure> {
        let text = self.text(id).map_err(|error| file_failure("read", &self.place.visible, error))?;
        let Some(text) = text else { return Ok(None) };
        RecordText::marked(id, &text).map_err(|why| {
            let what = format!("{} has no record {id} where it was: {why}", self.place.visible.display());
            Failure::systemic(Reason::File, what).advise("sync again: an edited file is taken over")
        })
    }

    fn text(&mut self, id: u64) -> io::Result<Option<Vec<u8>>> {
        if let Some((path, entry)) = self.journal.locate(id)? {
            return if entry.hash == REMOVED { Ok(None) } else { read(path, &entry).map(Some) };
        }
        let Some(base) = &mut self.base else { return Ok(None) };
        base.find(id)?.map(|entry| read(&self.place.visible, &entry)).transpose()
    }
}

fn read(path: &Path, entry: &Entry) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(entry.offset))?;
    let mut text = vec![0; entry.length as usize];
    file.read_exact(&mut text)?;
    Ok(text)
}
