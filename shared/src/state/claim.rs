//! What workers ask of the state, and what they tell it.

use std::time::Duration;

use crate::checksum::Checksum;
use crate::record::{ImageReference, Outcome, RecordKey, RunId, Version, WorkerId};

/// A job to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which record.
    pub key: RecordKey,
    /// Of the job.
    pub version: Version,
}

/// Who claims and releases jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// The process. It is alive while the memo `worker/<id>` is a JSON object whose `until` is after the store's now.
    pub worker: WorkerId,
    /// How long a call that was broken off may still change the sink; zero: not at all.
    pub late: Duration,
}

/// The answer to a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Go on. `marks` counts the earlier tries of this version whose started mark was never taken back: each is a
    /// worker that died over it, the first perhaps over a neighbour in its batch.
    Go {
        /// Unreleased started marks before this claim.
        marks: u32,
        /// What the sink called the record when it was applied last.
        sink_id: Option<String>,
        /// The record was gone, and may be archived in the sink for that: it is to be brought back.
        was_gone: bool,
    },
    /// Workers died over it, or over a neighbour in its batch, and it is in too large a batch again: it was not marked. To
    /// be claimed again with fewer, so that it is found out, or shown to be innocent.
    Suspect {
        /// Jobs that may be claimed at once with this one among them: after one death a few, after two it alone.
        at_most: usize,
    },
    /// Another worker, which is alive, has the record in hand, under this version or another: it was not marked. To be
    /// tried again later.
    Held,
    /// A newer version is wanted.
    Superseded,
    /// This version, or a newer one, is applied already.
    Applied,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The run that made the job.
    pub run: RunId,
    /// Its number in the run.
    pub place: u64,
    /// Which record.
    pub key: RecordKey,
    /// Which change of it.
    pub version: Version,
    /// Of the values.
    pub checksum: Checksum,
    /// Who brought it to its end, and has nothing else of this record in hand.
    pub worker: WorkerId,
    /// Created, updated, unchanged or gone (moves `applied`), or superseded (does not).
    pub outcome: Outcome,
    /// What the sink calls the record.
    pub sink_id: Option<String>,
    /// The image that the record has in the source, if any: of the job.
    pub image: Option<ImageReference>,
}
