//! What goes into the state and comes out of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::job::{Attempt, Job, JobKind};
use crate::record::{ImageReference, PipelineName, RecordKey, RunId, Version};
use crate::state::ImageCounts;

/// What a run enumerates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Every record.
    Full,
    /// What changed since the cursor, less the overlap.
    Incremental,
    /// Some records alone: neither the cursor nor the last full run moves.
    Chosen,
    /// Every record, and what is known and was not among them is looked for. One that was broken off is not gone on
    /// with: what it had seen is forgotten.
    Sweep,
}

impl RunKind {
    /// Whether every record is read.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Full | Self::Sweep)
    }

    /// Whether one that was broken off is gone on with from its position.
    pub fn can_go_on(self) -> bool {
        matches!(self, Self::Full | Self::Incremental)
    }
}

/// The span of source time that a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Inclusive; `None` for a full run.
    pub start: Option<Timestamp>,
    /// The source's clock when the run began: the cursor after it.
    pub end: Timestamp,
}

/// The two systems and the mapping that the wanted and applied values of a pipeline are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Identity of the source (address and database).
    pub source: String,
    /// Identity of the sink (address and database, or the id of a file).
    pub sink: String,
    /// Checksum of the mapping.
    pub mapping: Checksum,
}

/// What the state knows of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineState {
    /// What it is about.
    pub binding: Binding,
    /// End of the newest complete window.
    pub cursor: Option<Timestamp>,
    /// When the newest complete run over every record began, by the source's clock.
    pub last_full: Option<Timestamp>,
    /// The run that has not ended: running now, or broken off.
    pub open: Option<OpenRun>,
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Its number.
    pub id: RunId,
    /// What it enumerates.
    pub kind: RunKind,
    /// Its window.
    pub window: Window,
    /// How far the cursor got inside the window.
    pub position: Option<String>,
    /// See [`NewRun::force`].
    pub force: bool,
}

/// A run to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Of which pipeline.
    pub pipeline: PipelineName,
    /// What it enumerates.
    pub kind: RunKind,
    /// Its window.
    pub window: Window,
    /// What it is about.
    pub binding: Binding,
    /// Every record is enqueued, whatever is remembered.
    pub force: bool,
    /// Forget all records and dead letters of the pipeline first: they are about another source or sink.
    pub reset: bool,
}

/// A run under way, as its producer holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Of which pipeline.
    pub pipeline: PipelineName,
    /// What it enumerates.
    pub kind: RunKind,
    /// Its window.
    pub window: Window,
    /// See [`NewRun::force`].
    pub force: bool,
    /// Epoch of the versions that it gives.
    pub epoch: u64,
    /// How far an earlier process got.
    pub position: Option<String>,
    /// Pages that the cursor has passed.
    pub pages: u64,
}

/// A mapped record, to be compared with what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Which record.
    pub key: RecordKey,
    /// Of its mapped values.
    pub checksum: Checksum,
    /// The image that it has in the source, if any.
    pub image: Option<ImageReference>,
}

/// The answer to a [`Want`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing to do.
    Unchanged,
    /// Nothing to do: this run has enqueued it already.
    Already,
    /// Nothing to do: these values are in the dead letters.
    Dead,
    /// A job is to be enqueued.
    Enqueue {
        /// The new version.
        version: Version,
        /// The job's number in the run.
        place: u64,
    },
}

/// What [`State::want`](super::State::want) would answer, in the words of a run that has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nothing to do.
    Unchanged,
    /// Nothing to do: these values are in the dead letters.
    Dead,
    /// It is outstanding from an earlier run, with these values or others.
    Outstanding,
    /// A job would be enqueued.
    Enqueue,
}

/// The answer of [`State::weigh`](super::State::weigh).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// What would become of the record.
    pub weight: Weight,
    /// Whether it was ever enqueued.
    pub is_known: bool,
    /// The image that the sink has of it, as far as is remembered.
    pub image: Option<ImageReference>,
    /// Whether another image than that would be brought once the sink has the record.
    pub brings_image: bool,
}

/// A record that is wanted and not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// Which record.
    pub key: RecordKey,
    /// What is wanted.
    pub version: Version,
    /// Since when.
    pub since: Timestamp,
}

/// A page that the cursor passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// From 1, without gaps; goes on where [`Run::pages`] ended.
    pub number: u64,
    /// Where the next page begins, in the source's own form.
    pub position: String,
    /// Records of it that were [`Wanted::Unchanged`]. Those that were enqueued have been counted with their place.
    pub unchanged: u64,
    /// Records of it that were [`Wanted::Dead`].
    pub dead: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Everything in the window was seen and is durable.
    Complete,
    /// Stopped by a failure, in words; the run stays open, the next one goes on from its position.
    Failed(String),
    /// Stopped by a person or the system; the run stays open, the next one goes on from its position.
    Interrupted,
}

/// A record or an image given up, with everything needed to look into it and to try again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The job as it was when it was given up; its `failures` hold earlier attempts.
    pub job: Job,
    /// Why, in words and as class and label; the last attempt.
    pub failure: Attempt,
    /// The job's values are the source's own: they could not be mapped, and no sink is to be written with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmapped: bool,
}

/// A dead letter in the order of its coming.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FiledLetter {
    /// Grows with every letter of a pipeline, also where one is replaced.
    pub number: u64,
    /// What was given up.
    pub letter: DeadLetter,
}

/// Which dead letter of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterKey {
    /// Of a record, or of its image.
    pub kind: JobKind,
    /// Which record.
    pub key: RecordKey,
    /// Which change of it: another letter may have taken its place meanwhile.
    pub version: Version,
}

impl LetterKey {
    /// Of this letter.
    pub fn of(letter: &DeadLetter) -> Self {
        let Job { kind, key, version, .. } = &letter.job;
        Self { kind: *kind, key: key.clone(), version: *version }
    }
}

/// What became of a dead letter that was to be redriven or discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Raised {
    /// It is: outstanding again, or discarded.
    Done,
    /// Its record is being tried again already, as it was or as it has become since: it was left as it is.
    UnderWay,
    /// There is no such letter any more.
    Missing,
}

/// How many records are in which stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Known records.
    pub wanted: u64,
    /// Of these with applied values (of any version).
    pub applied: u64,
    /// Wanted and neither applied nor dead.
    pub outstanding: u64,
    /// In the dead letters.
    pub dead: u64,
    /// The same of their images.
    pub images: ImageCounts,
}

/// The ledger of a run. It balances: `seen = unchanged_at_source + enqueued + dead_at_source` and `enqueued = created +
/// updated + unchanged + gone + superseded + dead + outstanding`. A record that is read again after a crash is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Records read from the source.
    pub seen: u64,
    /// Same as wanted: no job.
    pub unchanged_at_source: u64,
    /// In the dead letters with the same checksum: no job.
    pub dead_at_source: u64,
    /// Jobs made.
    pub enqueued: u64,
    /// New in the sink.
    pub created: u64,
    /// Written.
    pub updated: u64,
    /// The sink had them.
    pub unchanged: u64,
    /// Gone from the source: archived, marked or removed in the sink.
    pub gone: u64,
    /// A newer version is wanted.
    pub superseded: u64,
    /// Given up.
    pub dead: u64,
}

impl std::ops::AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.unchanged_at_source += other.unchanged_at_source;
        self.dead_at_source += other.dead_at_source;
        self.enqueued += other.enqueued;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.gone += other.gone;
        self.superseded += other.superseded;
        self.dead += other.dead;
    }
}

impl Ledger {
    /// Jobs that have not ended.
    pub fn outstanding(&self) -> u64 {
        let written = self.created + self.updated + self.gone;
        self.enqueued.saturating_sub(written + self.unchanged + self.superseded + self.dead)
    }
}

/// A run, as history shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its number.
    pub id: RunId,
    /// Of which pipeline.
    pub pipeline: PipelineName,
    /// What it enumerated.
    pub kind: RunKind,
    /// Its window.
    pub window: Window,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub end: Option<RunEnd>,
    /// When it was over: complete, and the last of its jobs had ended.
    pub settled: Option<Timestamp>,
    /// What became of its records.
    pub ledger: Ledger,
}
