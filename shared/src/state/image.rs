//! Images in the state: wanted and applied beside their records', with attempts of their own.
//!
//! The state itself is the queue of images: [`State::settle`](super::State::settle) of a record makes its image
//! outstanding in the same transaction and answers what is to be published,
//! [`State::outstanding_images`](super::State::outstanding_images) lists what was not, and attempts are kept here. So no
//! image is lost with a queue, and no queue of images has to be unbounded.

use jiff::Timestamp;
use serde::Serialize;

use crate::checksum::Checksum;
use crate::job::{Attempt, FORMAT, Job, JobKind};
use crate::record::{ImageHash, ImageReference, Outcome, PipelineName, RecordKey, RunId, Values, Version};
use crate::trace::Trace;

/// An image that is wanted, neither applied nor dead, and due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutstandingImage {
    /// Of which record.
    pub key: RecordKey,
    /// Of the record job that first wanted this image. No two images of a pipeline have the same.
    pub version: Version,
    /// What the source calls it.
    pub reference: ImageReference,
    /// What the sink calls the record.
    pub sink_id: Option<String>,
    /// The run of the record job.
    pub run: RunId,
    /// Since when.
    pub since: Timestamp,
    /// Which try is next, from 1.
    pub attempt: u32,
    /// What went wrong in earlier attempts, oldest first; the newest ten.
    pub failures: Vec<Attempt>,
    /// The sink has another image of the record: people see a wrong one until this one is brought, and not merely none.
    pub is_change: bool,
}

impl OutstandingImage {
    /// The job that brings it.
    pub fn into_job(self, pipeline: PipelineName) -> Job {
        let trace = Some(Trace::of(&pipeline, &self.key, self.version));
        Job {
            format: FORMAT,
            kind: JobKind::Image,
            pipeline,
            key: self.key,
            version: self.version,
            checksum: Checksum::of_value(&self.reference.as_str().into()),
            run: self.run,
            place: 0,
            attempt: self.attempt,
            values: Values::new(),
            image: Some(self.reference),
            sink_id: self.sink_id,
            source_time: None,
            trace,
            failures: self.failures,
        }
    }
}

/// An image job to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageClaim {
    /// Of which record.
    pub key: RecordKey,
    /// Of the job.
    pub version: Version,
    /// Which image.
    pub reference: ImageReference,
}

/// The answer to an [`ImageClaim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimedImage {
    /// Go on. `marks` as in [`Claimed::Go`](super::Claimed::Go).
    Go {
        /// Unreleased started marks before this claim.
        marks: u32,
        /// sha256 of the bytes of the image that the record has in the sink: the same bytes are not written again.
        applied: Option<Checksum>,
    },
    /// Not marked: a worker died while it had this image in hand, and it is to be claimed alone, so that the next death is
    /// its own.
    Suspect,
    /// As [`Claimed::Held`](super::Claimed::Held).
    Held,
    /// Another image is wanted of the record, or none.
    Superseded,
    /// The sink has this image already.
    Applied,
}

/// How an image job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledImage {
    /// Of which record.
    pub key: RecordKey,
    /// Of the job.
    pub version: Version,
    /// Which image.
    pub reference: ImageReference,
    /// sha256 of its bytes as they came from the source; `None` where they were not looked at.
    pub hash: Option<Checksum>,
    /// SHA-1 of the bytes as the sink keeps them; `None` where that is not known.
    pub written: Option<ImageHash>,
    /// Created, updated or unchanged (moves what is applied), or superseded (does not).
    pub outcome: Outcome,
}

/// How many images are in which stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ImageCounts {
    /// Records in the sink that have an image in the source.
    pub wanted: u64,
    /// Records with an image of ours in the sink (perhaps an older one).
    pub applied: u64,
    /// Wanted and neither applied nor dead.
    pub outstanding: u64,
    /// In the dead letters.
    pub dead: u64,
}
