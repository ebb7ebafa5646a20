//! A unit of work: what a call has loaded, and what its rule made of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::image::Image;
use super::mark::{Mark, is_alive};
use super::record::{Record, Stage};
use crate::failure::{Class, Failure, Reason};
use crate::job::JobKind;
use crate::record::{Outcome, RecordKey, RunId, Version, WorkerId};
use crate::state::{Counts, DeadLetter, ImageCounts, Run};

/// Something as it was loaded and as it is to be written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::state) struct Change<T> {
    /// As it was loaded.
    pub(in crate::state) before: T,
    /// As it is to be.
    pub(in crate::state) after: T,
}

impl<T: Clone + PartialEq> Change<T> {
    pub(in crate::state) fn none(loaded: T) -> Self {
        Self { before: loaded.clone(), after: loaded }
    }

    /// Whether it is to be written.
    pub(in crate::state) fn is_due(&self) -> bool {
        self.before != self.after
    }
}

/// What a pipeline is at, apart from its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::state) struct Head {
    /// Epoch of the newest run, 0 before the first.
    pub(in crate::state) epoch: u64,
    /// Sequence of the newest version of that epoch.
    pub(in crate::state) sequence: u64,
    /// Versions of older epochs are about another source or sink.
    pub(in crate::state) floor: u64,
    /// The run that has not ended.
    pub(in crate::state) open: Option<RunId>,
    /// Totals over the pipeline.
    pub(in crate::state) counts: Counts,
}

impl Head {
    /// Whether a job is about another source or sink than the pipeline is now.
    pub(in crate::state) fn is_foreign(&self, version: Version) -> bool {
        version.epoch < self.floor
    }

    /// Whether any image is wanted or in the sink: most pipelines have none, and theirs are not looked for.
    pub(in crate::state) fn has_images(&self) -> bool {
        self.counts.images != ImageCounts::default()
    }

    /// Begins an epoch: Unix milliseconds, so that versions grow even after the state was wiped; more than the last one,
    /// so that they grow even while the clock goes back.
    pub(in crate::state) fn begin_epoch(&mut self, now: Timestamp) {
        self.epoch = (self.epoch + 1).max(u64::try_from(now.as_millisecond()).unwrap_or(0));
        self.sequence = 0;
    }

    /// Everything is forgotten that is about the former source and sink: jobs of older epochs are foreign from now on.
    pub(in crate::state) fn reset(&mut self) {
        self.counts = Counts::default();
        self.floor = self.epoch;
    }

    /// The producer of a run must still be the newest: one that slept while another took over gives no versions.
    pub(in crate::state) fn check(&self, run: &Run) -> Result<(), Failure> {
        if self.epoch == run.epoch { Ok(()) } else { Err(taken_over(run)) }
    }

    fn next_version(&mut self) -> Version {
        self.sequence += 1;
        Version { epoch: self.epoch, sequence: self.sequence }
    }
}

pub(in crate::state) fn taken_over(run: &Run) -> Failure {
    Failure::new(
        Class::Systemic,
        Reason::Locked,
        format!("run {} of {} was taken over by another process", run.id, run.pipeline),
    )
    .advise("let only one process enumerate a pipeline at a time")
}

/// The end of a job, to be counted in its run's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::state) struct Counted {
    pub(in crate::state) run: RunId,
    pub(in crate::state) place: u64,
    pub(in crate::state) outcome: Outcome,
}

/// What a call works on, of one pipeline. What is not in it is not there: a rule reads nothing but what [`Needs`] names.
///
/// [`Needs`]: super::Needs
#[derive(Debug, Clone)]
pub(in crate::state) struct Work {
    /// By the store's clock.
    pub(in crate::state) now: Timestamp,
    /// All 0 where nothing was ever heard of the pipeline; then it is made as soon as there is something to write.
    pub(in crate::state) head: Change<Head>,
    /// By key; all empty where nothing is known, and to be removed where nothing is known any more.
    pub(in crate::state) records: BTreeMap<RecordKey, Change<Record>>,
    /// The same of images.
    pub(in crate::state) images: BTreeMap<RecordKey, Change<Image>>,
    /// Versions that the dead letters are about. A letter that is noted is in [`Work::noted`] too.
    pub(in crate::state) letters: BTreeMap<(JobKind, RecordKey), Change<Option<Version>>>,
    /// Letters to write over those of their record or image, in this order, also where their version was there before.
    pub(in crate::state) noted: Vec<DeadLetter>,
    /// Places that the run of [`Needs::places`](super::Needs) has given: how many jobs it has enqueued.
    pub(in crate::state) places: Change<u64>,
    /// Workers that are alive, of those that [`Work::workers`] names: see [`Work::hear`].
    pub(in crate::state) alive: BTreeSet<WorkerId>,
    /// Ends of jobs, in this order. The store leaves out what it has counted before (each place counts once, the first
    /// end is the one), places that were never given, and runs that it no longer knows.
    pub(in crate::state) counted: Vec<Counted>,
}

static NO_RECORD: Record = Record {
    wanted: None,
    applied: None,
    dead: false,
    dirty: false,
    started: None,
    doubt: None,
    archived: false,
};
static NO_IMAGE: Image = Image { wanted: None, applied: None, dead: false, started: None };

impl Work {
    /// A unit of work with nothing loaded but the pipeline's head.
    pub(in crate::state) fn new(now: Timestamp, head: Head) -> Self {
        Self {
            now,
            head: Change::none(head),
            records: BTreeMap::new(),
            images: BTreeMap::new(),
            letters: BTreeMap::new(),
            noted: Vec::new(),
            places: Change::default(),
            alive: BTreeSet::new(),
            counted: Vec::new(),
        }
    }

    /// Whether a rule has changed anything.
    pub(in crate::state) fn is_due(&self) -> bool {
        self.head.is_due()
            || self.places.is_due()
            || !self.counted.is_empty()
            || !self.noted.is_empty()
            || self.records.values().any(Change::is_due)
            || self.images.values().any(Change::is_due)
            || self.letters.values().any(Change::is_due)
    }

    /// Workers whose marks stand on what was loaded. Before a claim, the store reads the memo of each (its name is
    /// [`presence_of`](super::presence_of) it) and passes it to [`Work::hear`].
    pub(in crate::state) fn workers(&self) -> BTreeSet<WorkerId> {
        let of_records = self.records.values().map(|record| &record.after.started);
        let of_images = self.images.values().map(|image| &image.after.started);
        let worker = |mark: &Mark| mark.worker.clone();
        of_records.chain(of_images).filter_map(|started| started.as_ref().and_then(worker)).collect()
    }

    /// Takes down whether a worker is alive, by its memo.
    pub(in crate::state) fn hear(&mut self, worker: WorkerId, memo: Option<&str>) {
        if is_alive(memo, self.now) {
            self.alive.insert(worker);
        }
    }

    pub(in crate::state) fn record(&self, key: &RecordKey) -> &Record {
        self.records.get(key).map_or(&NO_RECORD, |record| &record.after)
    }

    /// Changes a record and keeps the totals.
    pub(super) fn put_record(&mut self, key: &RecordKey, record: Record) {
        let before = self.records.get(key).map_or(&NO_RECORD, |record| &record.after);
        if *before == record {
            return;
        }
        let counts = &mut self.head.after.counts;
        let outstanding = |record: &Record| record.stage() == Stage::Outstanding;
        shift(&mut counts.wanted, before.wanted.is_some(), record.wanted.is_some());
        shift(&mut counts.applied, before.applied.is_some(), record.applied.is_some());
        shift(&mut counts.outstanding, outstanding(before), outstanding(&record));
        self.records.entry(key.clone()).or_default().after = record;
    }

    pub(in crate::state) fn image(&self, key: &RecordKey) -> &Image {
        self.images.get(key).map_or(&NO_IMAGE, |image| &image.after)
    }

    /// Changes the image of a record and keeps the totals.
    pub(super) fn put_image(&mut self, key: &RecordKey, image: Image) {
        let before = self.images.get(key).map_or(&NO_IMAGE, |image| &image.after);
        if *before == image {
            return;
        }
        let counts = &mut self.head.after.counts.images;
        let wanted = |image: &Image| image.wanted.as_ref().is_some_and(|wanted| wanted.reference.is_some());
        let outstanding = |image: &Image| image.stage() == Stage::Outstanding;
        shift(&mut counts.wanted, wanted(before), wanted(&image));
        shift(&mut counts.applied, before.applied.is_some(), image.applied.is_some());
        shift(&mut counts.outstanding, outstanding(before), outstanding(&image));
        self.images.entry(key.clone()).or_default().after = image;
    }

    /// The version that the letter of a record, or of its image, is about from now on; `None`: it has none any more.
    pub(super) fn put_letter(&mut self, kind: JobKind, key: &RecordKey, version: Option<Version>) {
        let letter = self.letters.entry((kind, key.clone())).or_default();
        let counts = &mut self.head.after.counts;
        let total = match kind {
            JobKind::Record => &mut counts.dead,
            JobKind::Image => &mut counts.images.dead,
        };
        shift(total, letter.after.is_some(), version.is_some());
        letter.after = version;
    }

    /// The version that a letter is about.
    pub(super) fn letter(&self, kind: JobKind, key: &RecordKey) -> Option<Version> {
        self.letters.get(&(kind, key.clone())).and_then(|letter| letter.after)
    }

    pub(super) fn next_version(&mut self) -> Version {
        self.head.after.next_version()
    }

    /// A place for a new job of the run.
    pub(super) fn enqueue(&mut self) -> u64 {
        let place = self.places.after;
        self.places.after += 1;
        place
    }

    /// Counts how the job at a place ended.
    pub(super) fn count(&mut self, run: RunId, place: u64, outcome: Outcome) {
        self.counted.push(Counted { run, place, outcome });
    }
}

fn shift(total: &mut u64, before: bool, after: bool) {
    match (before, after) {
        (false, true) => *total += 1,
        (true, false) => *total = total.saturating_sub(1),
        _ => {}
    }
}
