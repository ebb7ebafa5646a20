//! Flushing: the steps by which the next visible file replaces the present one, in an order that a crash may cut
//! anywhere.
//!
//! 1. *prepare*: the next file and its index are written and synced under names that nobody reads.
//! 2. *announce*: `meta.json` says what the visible file is and what it will be.
//! 3. *swap*: lock, generation and the visible file are checked, the next file is renamed into place.
//! 4. *conclude*: `meta.json` says what the visible file is, then the journal is removed.
//!
//! A crash before the rename leaves the old file with its journal; after it, the new file is recognised by `meta.json`,
//! and a journal that is still there is merged already.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use shared::failure::{Failure, Reason};
use shared::platform;

use super::entry::EntryFile;
use super::fault::file_failure;
use super::foreign::{Refused, Unreadable, read_records};
use super::journal::{Journal, Purpose};
use super::lock::random_id;
use super::merge::{Input, merge};
use super::meta::{Head, Meta, Stamp, Written};
use super::meter::MeteredFile;
use super::place::{remove, set_aside};
use super::record_text::RecordText;
use super::sink::JsonSink;
use super::visible::VisibleWriter;
use super::{Flushed, Found};

/// Records of a foreign file that are written at once.
const IMPORT_BATCH: u64 = 1024;

/// The next visible file, complete but not yet visible.
#[derive(Debug)]
pub(super) struct Prepared {
    head: Head,
    index: EntryFile,
    temporary: PathBuf,
    /// The visible file that it is to replace.
    over: Option<Stamp>,
}

/// What the records of the next visible file are based on, besides the journal.
#[derive(Debug)]
pub(super) enum Base {
    /// The visible file is ours.
    Ours,
    /// The visible file is somebody else's; these are its records.
    Imported(Box<Journal>),
    /// There is no visible file (any more).
    Nothing,
}

impl JsonSink {
    /// Merges the journal into the visible file. Nothing is written when there is nothing to merge, except that an
    /// empty file is created when there was never one.
    ///
    /// A visible file that was edited meanwhile is taken over as in `open`, one that was removed starts anew; both
    /// change the identity. On failure (systemic, such as a full disk) the visible file is as it was, and so is the
    /// journal.
    pub fn flush(&mut self) -> Result<Flushed, Failure> {
        let before = self.meter.total();
        let wanted = !self.journal.is_empty() || self.head.file.is_none();
        if wanted {
            self.check_generation()?;
            let over = Stamp::of(&self.place.visible)?;
            let known = self.head.file.as_ref().map(|written| written.stamp);
            let (base, over) = match over {
                _ if over == known => (Base::Ours, over),
                None => (Base::Nothing, None),
                Some(_) => match self.import()? {
                    Ok(import) => (Base::Imported(Box::new(import)), over),
                    Err(why) => {
                        self.put_aside(&why)?;
                        (Base::Nothing, None)
                    }
                },
            };
            if over != known {
                tracing::warn!(path = %self.place.visible.display(), "changed by somebody else, the next run compares everything");
            }
            self.replace(base, over)?;
        }
        Ok(Flushed {
            records_total: self.records(),
            bytes_written: self.meter.total() - before,
            changed: wanted,
        })
    }

    /// Looks at the visible file again, for a sink that stays open from one run to the next: a file that was removed or
    /// edited since the last flush is treated as in `open`, and the identity changes. Cheap when nothing happened.
    pub fn refresh(&mut self) -> Result<Found, Failure> {
        self.check_generation()?;
        let stamp = Stamp::of(&self.place.visible)?;
        if stamp == self.head.file.as_ref().map(|written| written.stamp) {
            return Ok(Found::Ours);
        }
        if stamp.is_some() {
            return self.adopt();
        }
        self.start_anew()?;
        Ok(Found::Nothing)
    }

    /// Takes over the visible file, which is not as we left it, under a new identity.
    pub(super) fn adopt(&mut self) -> Result<Found, Failure> {
        let over = Stamp::of(&self.place.visible)?;
        match self.import()? {
            Ok(mut import) => {
                let records = import
                    .count_added(None)
                    .map_err(|error| file_failure("read", &self.place.sidecar, error))?;
                self.replace(Base::Imported(Box::new(import)), over)?;
                Ok(Found::TakenOver { records: records.unsigned_abs() })
            }
            Err(why) => {
                let to = self.put_aside(&why)?;
                self.start_anew()?;
                Ok(Found::SetAside { to, why })
            }
        }
    }

    /// Reads the records of the visible file; the inner error says what is wrong with it.
    fn import(&self) -> Result<Result<Journal, String>, Failure> {
        let mut import = Journal::empty(&self.place.sidecar, Purpose::TakeOver, &self.meter);
        let failed = |error| file_failure("write", &self.place.sidecar, error);
        let mut staged = 0;
        let read = read_records(&self.place.visible, &mut |text| {
            let record = RecordText::of_text(text).map_err(Refused::Bad)?;
            let written = import.begin().and_then(|()| import.stage(&record));
            staged += 1;
            let written = match staged % IMPORT_BATCH {
                0 => written.and_then(|()| import.commit()),
                _ => written,
            };
            written.map_err(|error| Refused::Failed(failed(error)))
        });
        let complete = read.and_then(|records| {
            let rest = if records == 0 { Ok(()) } else { import.commit() };
            rest.and_then(|()| import.seal()).map_err(|error| Unreadable::Failed(failed(error)))
        });
        match complete {
            Ok(()) => Ok(Ok(import)),
            Err(Unreadable::Broken(why)) => {
                import.clear();
                Ok(Err(why))
            }
            Err(Unreadable::Failed(failure)) => {
                import.clear();
                Err(failure)
            }
        }
    }

    fn put_aside(&self, why: &str) -> Result<PathBuf, Failure> {
        let visible = &self.place.visible;
        let to = set_aside(visible).map_err(|error| file_failure("rename", visible, error))?;
        tracing::warn!(path = %visible.display(), to = %to.display(), why, "broken file set aside");
        Ok(to)
    }

    /// Forgets everything, after the visible file is gone.
    fn start_anew(&mut self) -> Result<(), Failure> {
        self.head = Head::fresh(self.format(), self.head.generation, self.journal.next_number());
        self.base = None;
        self.added = 0;
        self.write_head()?;
        self.journal.clear();
        self.place.sweep(self.head.generation);
        Ok(())
    }

    /// Replaces the visible file by `base` and the journal.
    fn replace(&mut self, base: Base, over: Option<Stamp>) -> Result<(), Failure> {
        let prepared = self.prepare(&base, over);
        let swapped = prepared.and_then(|prepared| {
            let swapped = self.announce(&prepared).and_then(|()| self.swap(&prepared));
            if swapped.is_err() {
                self.discard(&prepared.temporary, prepared.head.generation);
            }
            swapped.and_then(|()| self.conclude(prepared))
        });
        if let Base::Imported(mut import) = base {
            import.clear();
        }
        swapped
    }

    fn discard(&self, temporary: &Path, generation: u64) {
        remove(temporary);
        remove(&self.place.index(generation));
    }

    pub(super) fn prepare(&mut self, base: &Base, over: Option<Stamp>) -> Result<Prepared, Failure> {
        let generation = self.head.generation + 1;
        let temporary = self.place.temporary(generation);
        let written = self.write_next(base, &temporary, generation).and_then(|(file, index)| {
            let known = self.head.file.as_ref().map(|written| written.stamp);
            let stamp = stamp_apart(&file, &[over, known])?;
            Ok((stamp, index))
        });
        let (stamp, index) = written.map_err(|error| {
            self.discard(&temporary, generation);
            file_failure("write", &self.place.visible, error)
        })?;
        let identity = match base {
            Base::Ours => self.head.identity.clone(),
            Base::Imported(_) | Base::Nothing => random_id(),
        };
        Ok(Prepared {
            head: Head {
                identity,
                generation,
                format: self.format(),
                file: Some(Written { stamp, records: index.count() }),
                first_segment: self.journal.next_number(),
            },
            index,
            temporary,
            over,
        })
    }

    fn write_next(
        &mut self,
        base: &Base,
        temporary: &Path,
        generation: u64,
    ) -> io::Result<(MeteredFile, EntryFile)> {
        self.journal.seal()?;
        let place = &self.place;
        let mut inputs = match (base, &self.base) {
            (Base::Ours, Some(index)) => {
                let entries = index.cursor(&place.index(self.head.generation))?;
                vec![Input::open(&place.visible, entries)?]
            }
            (Base::Imported(import), _) => import.inputs()?,
            (Base::Ours, None) | (Base::Nothing, _) => Vec::new(),
        };
        inputs.extend(self.journal.inputs()?);
        let index = place.index(generation);
        let mut out = VisibleWriter::create(temporary, &place.visible, &index, self.format(), &self.meter)?;
        merge(inputs, &mut out)?;
        out.finish()
    }

    pub(super) fn announce(&self, prepared: &Prepared) -> Result<(), Failure> {
        self.check_generation()?;
        Meta::new(self.head.clone(), Some(prepared.head.clone())).write(&self.place.sidecar, &self.meter)
    }

    pub(super) fn swap(&self, prepared: &Prepared) -> Result<(), Failure> {
        let visible = &self.place.visible;
        self.check_generation()?;
        if Stamp::of(visible)? != prepared.over {
            return Err(Failure::transient(
                Reason::File,
                format!("{} was changed while its next version was written", visible.display()),
            )
            .advise("nothing was overwritten; the change is taken over by the next try"));
        }
        platform::replace_file(&prepared.temporary, visible)
            .map_err(|error| file_failure("replace", visible, error))
    }

    pub(super) fn conclude(&mut self, prepared: Prepared) -> Result<(), Failure> {
        // From here on the new file is the visible one, whether or not that can be noted: `next` tells it as well.
        self.head = prepared.head;
        self.base = Some(prepared.index);
        self.added = 0;
        self.write_head()?;
        self.journal.clear();
        self.place.sweep(self.head.generation);
        Ok(())
    }
}

/// The stamp of `file`, made different from the `others`: where the clock of the file system is coarse, two files of
/// one size could not be told apart.
fn stamp_apart(file: &MeteredFile, others: &[Option<Stamp>]) -> io::Result<Stamp> {
    let mut step = Duration::from_millis(1);
    loop {
        let stamp = Stamp::new(&file.file().metadata()?)?;
        if !others.contains(&Some(stamp)) {
            return Ok(stamp);
        }
        file.file().set_modified(UNIX_EPOCH + Duration::from_nanos(stamp.modified) + step)?;
        file.sync()?;
        step *= 2;
    }
}
