//! What the state knows of records, to be looked at: one in full, or all of a pipeline in short.

use jiff::Timestamp;
use serde::Serialize;

use super::rules::{Image, Mark, Record, Work};
use super::{DeadLetter, Stage};
use crate::checksum::Checksum;
use crate::job::Attempt;
use crate::record::{ImageHash, ImageReference, RecordKey, RunId, Version, WorkerId};

/// Which values of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// Which change of it.
    pub version: Version,
    /// Of the values, with the mapping that made them.
    pub checksum: Checksum,
}

/// What the sink has for an image of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageStand {
    /// What the source calls it.
    pub reference: ImageReference,
    /// sha256 of its bytes as they came from the source; `None` where they were never looked at.
    pub hash: Option<Checksum>,
    /// SHA-1 of the bytes as the sink keeps them; `None` where it was written before that was noted.
    pub written: Option<ImageHash>,
}

/// What the state knows of one record, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Which record.
    pub key: RecordKey,
    /// Where it stands.
    pub stage: Stage,
    /// The newest change that was enqueued; `None` of a record of which only a job was ever seen.
    pub wanted: Option<Stand>,
    /// The image that the source has as of `wanted`.
    pub wanted_image: Option<ImageReference>,
    /// The newest change that the sink has; `None`: it never had one of ours.
    pub applied: Option<Stand>,
    /// What the sink calls the record.
    pub sink_id: Option<String>,
    /// Where its image stands: unknown until its record stands in the sink, applied also where none is wanted.
    pub image_stage: Stage,
    /// The image that the sink has.
    pub applied_image: Option<ImageStand>,
}

/// A page of [`Known`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPage {
    /// In no order that means anything. May be empty in the middle of a walk.
    pub records: Vec<Known>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
}

/// Everything that the state knows of one record and its image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sight {
    /// In short.
    #[serde(flatten)]
    pub known: Known,
    /// The run that enqueued it last.
    pub run: Option<RunId>,
    /// Since when it is outstanding.
    pub since: Option<Timestamp>,
    /// Who began to work on it and has not ended.
    pub begun: Option<Begun>,
    /// An older version may have been written over the newest.
    pub dirty: bool,
    /// Until then the sink may still carry out a call that was broken off.
    pub doubt_until: Option<Timestamp>,
    /// Of its image, where one was ever wanted.
    pub image: Option<ImageSight>,
    /// Its dead letter. One that was redriven is kept until the record is brought.
    pub letter: Option<DeadLetter>,
    /// The dead letter of its image.
    pub image_letter: Option<DeadLetter>,
}

/// What is wanted of an image, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageSight {
    /// Of the record job that wanted it first.
    pub version: Version,
    /// What the source calls it; `None`: it has none any more, and the sink keeps what it has.
    pub reference: Option<ImageReference>,
    /// Since when it is outstanding.
    pub since: Option<Timestamp>,
    /// Which try is next, from 1.
    pub attempt: u32,
    /// Not before then: it waits for its next try, or for the job of it that is in the queue.
    pub retry_at: Option<Timestamp>,
    /// What went wrong in earlier attempts, oldest first; the newest ten.
    pub failures: Vec<Attempt>,
    /// Who began to work on it and has not ended.
    pub begun: Option<Begun>,
}

/// A started mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Begun {
    /// What was begun.
    pub version: Version,
    /// How often it was begun without an end.
    pub times: u32,
    /// Who began it last; `None`: a process of which nothing is known any more.
    pub worker: Option<WorkerId>,
    /// It shows that it lives. On one machine nobody does: there the only worker is the process that runs.
    pub alive: bool,
}

impl Known {
    pub(super) fn of(key: &RecordKey, record: &Record, image: &Image) -> Self {
        let (wanted, applied) = (record.wanted.as_ref(), record.applied.as_ref());
        Self {
            key: key.clone(),
            stage: record.stage(),
            wanted: wanted.map(|wanted| Stand { version: wanted.version, checksum: wanted.checksum }),
            wanted_image: wanted.and_then(|wanted| wanted.image.clone()),
            applied: applied.map(|applied| Stand { version: applied.version, checksum: applied.checksum }),
            sink_id: applied.and_then(|applied| applied.sink_id.clone()),
            image_stage: image.stage(),
            applied_image: image.applied.as_ref().map(|applied| ImageStand {
                reference: applied.reference.clone(),
                hash: applied.hash,
                written: applied.written,
            }),
        }
    }
}

impl Sight {
    /// `work` has loaded the record, its image and who lives; the letters are the store's to add. `None` where nothing
    /// is known of the record.
    pub(super) fn of(work: &Work, key: &RecordKey) -> Option<Self> {
        let (record, image) = (work.record(key), work.image(key));
        if record.is_forgotten() && *image == Image::default() {
            return None;
        }
        let begun = |mark: &Mark| Begun {
            version: mark.version,
            times: mark.count,
            worker: mark.worker.clone(),
            alive: mark.worker.as_ref().is_some_and(|worker| work.alive.contains(worker)),
        };
        let wanted = record.wanted.as_ref();
        Some(Self {
            known: Known::of(key, record, image),
            run: wanted.map(|wanted| wanted.run),
            since: wanted.and_then(|wanted| wanted.since),
            begun: record.started.as_ref().map(begun),
            dirty: record.dirty,
            doubt_until: record.doubt.map(|doubt| doubt.until),
            image: image.wanted.as_ref().map(|wanted| ImageSight {
                version: wanted.version,
                reference: wanted.reference.clone(),
                since: wanted.since,
                attempt: wanted.attempt,
                retry_at: wanted.retry_at,
                failures: wanted.failures.clone(),
                begun: image.started.as_ref().map(begun),
            }),
            letter: None,
            image_letter: None,
        })
    }
}
