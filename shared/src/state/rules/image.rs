//! The image of one record as the state knows it, and the rules by which it changes.

use jiff::Timestamp;

use super::mark::Mark;
use super::record::Stage;
use crate::checksum::Checksum;
use crate::failure::Class;
use crate::job::{Attempt, Job};
use crate::record::{ImageHash, ImageReference, Outcome, RecordKey, RunId, Version};
use crate::state::{OutstandingImage, Settled, SettledImage};

/// Failures kept of an image that is tried again: throttling spends no attempt and may go on for long.
const FAILURES_MAX: usize = 10;

/// What is known of the image of one record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::state) struct Image {
    pub(in crate::state) wanted: Option<WantedImage>,
    /// What the sink has; `None` also where an older job may have written over it.
    pub(in crate::state) applied: Option<AppliedImage>,
    /// The wanted image is in the dead letters.
    pub(in crate::state) dead: bool,
    /// Who began to work on it and has not ended.
    pub(in crate::state) started: Option<Mark>,
}

/// The image that a record has in the source, as of the newest record job that the sink has.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::state) struct WantedImage {
    pub(in crate::state) version: Version,
    /// `None`: the source has none any more; what the sink has is kept.
    pub(in crate::state) reference: Option<ImageReference>,
    pub(in crate::state) sink_id: Option<String>,
    pub(in crate::state) run: RunId,
    pub(in crate::state) since: Option<Timestamp>,
    pub(in crate::state) attempt: u32,
    pub(in crate::state) retry_at: Option<Timestamp>,
    pub(in crate::state) failures: Vec<Attempt>,
}

/// The image that a record has in the sink.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::state) struct AppliedImage {
    pub(in crate::state) reference: ImageReference,
    pub(in crate::state) hash: Option<Checksum>,
    /// Of the bytes as the sink keeps them.
    pub(in crate::state) written: Option<ImageHash>,
}

impl WantedImage {
    fn new(version: Version, reference: Option<ImageReference>, sink_id: Option<String>, run: RunId) -> Self {
        Self {
            version,
            reference,
            sink_id,
            run,
            since: None,
            attempt: 1,
            retry_at: None,
            failures: Vec::new(),
        }
    }

    fn forget_attempts(&mut self) {
        self.attempt = 1;
        self.retry_at = None;
        self.failures.clear();
    }
}

impl Image {
    pub(in crate::state) fn stage(&self) -> Stage {
        let Some(wanted) = &self.wanted else {
            return Stage::Unknown;
        };
        let has_it = wanted.reference.as_ref().is_none_or(|reference| self.is_applied(reference));
        match (has_it, self.dead) {
            (true, _) => Stage::Applied,
            (false, true) => Stage::Dead,
            (false, false) => Stage::Outstanding,
        }
    }

    pub(in crate::state) fn is_applied(&self, reference: &ImageReference) -> bool {
        self.applied.as_ref().is_some_and(|applied| applied.reference == *reference)
    }

    /// Whether a job is about an image that is no longer the wanted one.
    pub(in crate::state) fn supersedes(&self, version: Version, reference: &ImageReference) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| {
            wanted.version > version
                || (wanted.version == version && wanted.reference.as_ref() != Some(reference))
        })
    }

    /// The sink has the record as of `job`; the image of it is wanted from now on. A record that the sink knows by
    /// another name than before was lost there and made anew, and its image with it.
    pub(in crate::state) fn follow(&mut self, job: &Settled, sink_id: Option<&str>, now: Timestamp) {
        let known = self.wanted.as_ref().and_then(|wanted| wanted.sink_id.as_deref());
        let anew = matches!((known, sink_id), (Some(known), Some(named)) if known != named);
        let sink_id = sink_id.or(known).map(str::to_owned);
        // What was never wanted is none of ours, and cannot be removed.
        let was_wanted = self.wanted.as_ref().is_some_and(|wanted| wanted.reference.is_some());
        let reference = job.image.clone().filter(|image| was_wanted || !image.is_removed());
        match &mut self.wanted {
            None if reference.is_none() => return,
            Some(wanted) if wanted.version > job.version => return,
            Some(wanted) if wanted.reference == reference && !anew => {
                wanted.sink_id = sink_id;
                return;
            }
            _ => {}
        }
        if anew {
            self.applied = None;
        }
        self.want(WantedImage::new(job.version, reference, sink_id, job.run), now);
    }

    /// The source no longer has the record, whose version `up_to` was wanted: what was not brought is not wanted any
    /// more.
    pub(in crate::state) fn withdraw(&mut self, up_to: Version, now: Timestamp) {
        if !matches!(self.stage(), Stage::Outstanding | Stage::Dead) {
            return;
        }
        if let Some(WantedImage { sink_id, run, .. }) = self.wanted.take() {
            self.want(WantedImage::new(up_to, None, sink_id, run), now);
        }
    }

    fn want(&mut self, wanted: WantedImage, now: Timestamp) {
        self.wanted = Some(wanted);
        self.dead = false;
        self.keep_since(now);
    }

    /// A job ended. One that wrote an image which is no longer the wanted one may have written over it: what the sink
    /// has is not known any more, and the wanted one is brought again.
    pub(in crate::state) fn settle(&mut self, job: &SettledImage, now: Timestamp) {
        let wrote = matches!(job.outcome, Outcome::Created | Outcome::Updated);
        if self.supersedes(job.version, &job.reference) {
            if wrote {
                self.applied = None;
            }
        } else if wrote || job.outcome == Outcome::Unchanged {
            let before = self.applied.take().filter(|applied| applied.reference == job.reference);
            self.applied = Some(AppliedImage {
                reference: job.reference.clone(),
                hash: job.hash.or(before.as_ref().and_then(|applied| applied.hash)),
                written: job.written.or(before.and_then(|applied| applied.written)),
            });
            self.dead = false;
            if let Some(wanted) = &mut self.wanted {
                wanted.forget_attempts();
            }
        }
        self.keep_since(now);
    }

    /// An attempt failed, another one is due at `retry_at`. The same failure told twice is one.
    pub(in crate::state) fn retry(
        &mut self,
        version: Version,
        retry_at: Timestamp,
        failure: &Attempt,
        now: Timestamp,
    ) {
        let stage = self.stage();
        let Some(wanted) = self.wanted.as_mut().filter(|wanted| wanted.version == version) else {
            return;
        };
        let told = wanted.failures.last() == Some(failure);
        if told || !matches!(stage, Stage::Outstanding | Stage::Dead) {
            return;
        }
        let spends =
            !matches!(failure.class, Class::Throttled | Class::Systemic | Class::Interrupted | Class::Newer);
        wanted.attempt = wanted.attempt.saturating_add(u32::from(spends));
        wanted.retry_at = Some(retry_at);
        wanted.failures.push(failure.clone());
        let surplus = wanted.failures.len().saturating_sub(FAILURES_MAX);
        wanted.failures.drain(..surplus);
        // A redriven job: its letter stays until it succeeds.
        self.dead = false;
        self.keep_since(now);
    }

    /// What the sink has is not believed any more: it is brought again, and compared there.
    pub(in crate::state) fn forget(&mut self, now: Timestamp) {
        if self.applied.take().is_none() {
            return;
        }
        if let Some(wanted) = &mut self.wanted {
            wanted.forget_attempts();
        }
        self.keep_since(now);
    }

    /// The job of this version is under way in a queue: the image is not due before `until`.
    pub(in crate::state) fn hold(&mut self, version: Version, until: Timestamp) {
        if self.stage() == Stage::Outstanding
            && let Some(wanted) = self.wanted.as_mut().filter(|wanted| wanted.version == version)
        {
            wanted.retry_at = wanted.retry_at.max(Some(until));
        }
    }

    /// What is to be enqueued now, if it is outstanding and due.
    pub(in crate::state) fn due(&self, key: &RecordKey, now: Timestamp) -> Option<OutstandingImage> {
        let wanted = self.wanted.as_ref().filter(|_| self.stage() == Stage::Outstanding)?;
        if wanted.retry_at.is_some_and(|retry_at| retry_at > now) {
            return None;
        }
        Some(OutstandingImage {
            key: key.clone(),
            version: wanted.version,
            reference: wanted.reference.clone()?,
            sink_id: wanted.sink_id.clone(),
            run: wanted.run,
            since: wanted.since?,
            attempt: wanted.attempt,
            failures: wanted.failures.clone(),
            is_change: self.applied.is_some(),
        })
    }

    /// The image of a job was given up; `false` where the job is about what is brought already or no longer wanted.
    pub(in crate::state) fn bury(&mut self, job: &Job, reference: &ImageReference, now: Timestamp) -> bool {
        if self.supersedes(job.version, reference) || self.is_applied(reference) {
            return false;
        }
        // A job newer than anything known: the state was wiped while it was under way.
        if self.wanted.as_ref().is_none_or(|wanted| wanted.version < job.version) {
            self.wanted =
                Some(WantedImage::new(job.version, Some(reference.clone()), job.sink_id.clone(), job.run));
        }
        if let Some(wanted) = &mut self.wanted {
            wanted.forget_attempts();
        }
        self.dead = true;
        self.keep_since(now);
        true
    }

    /// What was given up is outstanding again, and due; `false`: it is not dead, or not under this version.
    pub(in crate::state) fn redrive(&mut self, version: Version, now: Timestamp) -> bool {
        let is_dead = self.stage() == Stage::Dead
            && self.wanted.as_ref().is_some_and(|wanted| wanted.version == version);
        if is_dead {
            self.dead = false;
            self.keep_since(now);
        }
        is_dead
    }

    fn keep_since(&mut self, now: Timestamp) {
        let stage = self.stage();
        self.dead &= stage == Stage::Dead;
        if let Some(wanted) = &mut self.wanted {
            wanted.since = (stage == Stage::Outstanding).then(|| wanted.since.unwrap_or(now));
        }
    }
}
