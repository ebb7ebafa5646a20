//! Opening a sink: what is there, whose it is, and what a crash left unfinished.

use shared::failure::Failure;

use super::entry::EntryFile;
use super::fault::file_failure;
use super::journal::{Journal, Purpose};
use super::lock::{SinkLock, random_id};
use super::meta::{Head, Meta, Stamp};
use super::meter::Meter;
use super::place::Place;
use super::sink::JsonSink;
use super::{Found, JsonSettings};

/// The visible file, compared with what the sidecar knows about it.
pub(super) enum Standing {
    /// As in this head, which may be the `next` of a flush that was cut short.
    Ours(Head),
    /// There is none, and none is missing from what we know.
    Gone,
    /// Somebody else's.
    Foreign,
}

pub(super) fn standing(meta: Option<&Meta>, stamp: Option<Stamp>, settings: &JsonSettings) -> Standing {
    let stamp_of = |head: &Head| head.file.as_ref().map(|written| written.stamp);
    let heads = meta.map(|meta| std::iter::once(&meta.current).chain(&meta.next));
    // `current` is looked at first: its journal is still there, so going back to it loses nothing.
    let matching =
        heads.into_iter().flatten().find(|head| stamp_of(head) == stamp && head.format == settings.format);
    match (matching, stamp) {
        (Some(head), _) => Standing::Ours(head.clone()),
        (None, None) => Standing::Gone,
        (None, Some(_)) => Standing::Foreign,
    }
}

impl JsonSink {
    /// Opens the file for writing: creates folders, takes the lock, finishes what a crash interrupted, and takes over
    /// a file that is not as we left it.
    ///
    /// Fails systemically when the lock is taken, the path is a folder, or the folder or the disk does not let us
    /// write; a file that is there is then as it was.
    pub fn open(settings: JsonSettings) -> Result<(Self, Found), Failure> {
        let place = Place::prepare(&settings.path)?;
        let lock = SinkLock::acquire(&place.sidecar, &place.visible)?;
        let meta = Meta::read(&place.sidecar)?;
        // A crash may have left half of a foreign file there.
        Journal::empty(&place.sidecar, Purpose::TakeOver, &Meter::default());
        let standing = standing(meta.as_ref(), Stamp::of(&place.visible)?, &settings);
        let ground = Ground { place, settings, lock };
        match (standing, meta) {
            (Standing::Ours(head), meta) => {
                let (mut sink, usable) = ground.resume(head)?;
                let noted = meta.is_some_and(|meta| meta.next.is_none() && meta.current == sink.head);
                if !noted {
                    sink.write_head()?;
                }
                sink.place.sweep(sink.head.generation);
                let found = if usable { Found::Ours } else { sink.adopt()? };
                Ok((sink, found))
            }
            (Standing::Foreign, Some(meta)) => {
                // What was acknowledged before the edit is newer than the edited file.
                let (mut sink, _) = ground.resume(meta.current)?;
                let found = sink.adopt()?;
                Ok((sink, found))
            }
            (Standing::Foreign, None) => {
                let mut sink = ground.clear(0)?;
                let found = sink.adopt()?;
                Ok((sink, found))
            }
            (Standing::Gone, meta) => {
                let generation = meta.map_or(0, |meta| meta.generation());
                Ok((ground.clear(generation)?, Found::Nothing))
            }
        }
    }
}

/// What a sink stands on, whatever its state.
struct Ground {
    place: Place,
    settings: JsonSettings,
    lock: SinkLock,
}

impl Ground {
    /// A sink without records and with a new identity, noted on disk.
    fn clear(self, generation: u64) -> Result<JsonSink, Failure> {
        let meter = Meter::default();
        let journal = Journal::empty(&self.place.sidecar, Purpose::Rows, &meter);
        let head = Head::fresh(self.settings.format, generation, journal.next_number());
        self.place.sweep(generation);
        let sink = self.build(head, journal, None, meter);
        sink.write_head()?;
        Ok(sink)
    }

    /// The sink as `head` describes it, with its journal. The flag is false when the index is damaged, so that the
    /// visible file must be read.
    fn resume(self, mut head: Head) -> Result<(JsonSink, bool), Failure> {
        let meter = Meter::default();
        let sidecar = self.place.sidecar.clone();
        let failed = |error| file_failure("read back the journal in", &sidecar, error);
        let (mut journal, intact) = Journal::recover(&sidecar, head.first_segment, &meter).map_err(failed)?;
        if !intact {
            tracing::warn!(folder = %sidecar.display(), "the journal is damaged, the next run compares everything");
            head.identity = random_id();
        }
        let mut usable = true;
        let mut base = None;
        if let Some(written) = &head.file {
            base = EntryFile::open(&self.place.index(head.generation))
                .ok()
                .filter(|index| index.count() == written.records);
            usable = base.is_some();
        }
        let added = journal.count_added(base.as_mut()).map_err(failed)?;
        let mut sink = self.build(head, journal, base, meter);
        sink.added = added;
        Ok((sink, usable))
    }

    fn build(self, head: Head, journal: Journal, base: Option<EntryFile>, meter: Meter) -> JsonSink {
        JsonSink {
            place: self.place,
            settings: self.settings,
            lock: self.lock,
            head,
            base,
            journal,
            added: 0,
            meter,
        }
    }
}
