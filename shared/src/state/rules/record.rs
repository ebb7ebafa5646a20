//! One record as the state knows it, and how it changes.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::mark::Mark;
use crate::checksum::Checksum;
use crate::record::{ImageReference, RunId, Version};

/// When a doubt is looked at again that cannot be decided yet: well above the time of one batch. Tests come to the end of
/// it.
const ASK_AGAIN: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(30) };

/// What is known of one record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::state) struct Record {
    /// The newest change that was enqueued.
    pub(in crate::state) wanted: Option<Noted>,
    /// The newest change that the sink has.
    pub(in crate::state) applied: Option<Applied>,
    /// The wanted version is in the dead letters.
    pub(in crate::state) dead: bool,
    /// An older version may have been written over `applied`.
    pub(in crate::state) dirty: bool,
    /// Who began to work on it and has not ended.
    pub(in crate::state) started: Option<Mark>,
    /// A write that may still come.
    pub(in crate::state) doubt: Option<Doubt>,
    /// A worker was told that the record is gone: in the sink it may be archived, also by a call that comes late. Until
    /// values were applied while nothing was in doubt, and again where an older worker archives it all the same.
    pub(in crate::state) archived: bool,
}

/// What is wanted of a record.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::state) struct Noted {
    pub(in crate::state) version: Version,
    pub(in crate::state) checksum: Checksum,
    /// The image that the record has in the source.
    pub(in crate::state) image: Option<ImageReference>,
    /// The run that noted it last, and its number there.
    pub(in crate::state) run: RunId,
    pub(in crate::state) place: u64,
    /// Since when it is outstanding.
    pub(in crate::state) since: Option<Timestamp>,
}

/// What was applied of a record.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::state) struct Applied {
    pub(in crate::state) version: Version,
    pub(in crate::state) checksum: Checksum,
    pub(in crate::state) sink_id: Option<String>,
}

/// A call was broken off, by a death or by a time limit: until `until`, the sink may still do what it was told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::state) struct Doubt {
    /// The version that the call was to write; the oldest, where there were several.
    pub(in crate::state) version: Version,
    pub(in crate::state) until: Timestamp,
}

/// Where a record, or its image, stands. The numbers are those in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Claimed by a job that the state knows nothing of (it was wiped, or the record was withdrawn).
    Unknown = 0,
    /// The sink lacks what is wanted.
    Outstanding = 1,
    /// The sink has what is wanted.
    Applied = 2,
    /// What is wanted was given up.
    Dead = 3,
}

impl Record {
    pub(in crate::state) fn stage(&self) -> Stage {
        let Some(wanted) = &self.wanted else {
            return Stage::Unknown;
        };
        let has_it = self.applied.as_ref().is_some_and(|applied| applied.version >= wanted.version);
        match (has_it, self.dirty, self.dead) {
            (true, false, _) => Stage::Applied,
            (false, false, true) => Stage::Dead,
            _ => Stage::Outstanding,
        }
    }

    /// The values are wanted under a new version; it repairs whatever made the record dirty. The same values enqueued
    /// again keep their started marks: a record that kills its workers must not be innocent again with each restart.
    pub(in crate::state) fn want(&mut self, noted: Noted) {
        let same = self.wanted.as_ref().filter(|wanted| wanted.checksum == noted.checksum);
        if let (Some(wanted), Some(mark)) = (same, &mut self.started)
            && mark.version == wanted.version
        {
            mark.version = noted.version;
        }
        self.wanted = Some(noted);
        self.dead = false;
        self.dirty = false;
    }

    /// The sink has what `noted` describes. `wrote`: the sink was changed for it, not only looked at.
    pub(in crate::state) fn apply(
        &mut self,
        noted: Noted,
        sink_id: Option<String>,
        wrote: bool,
        now: Timestamp,
    ) {
        let Noted { version, checksum, .. } = noted;
        self.catch_up(noted);
        let newest = self.applied.as_ref().map(|applied| applied.version);
        if newest.is_none_or(|newest| newest < version) {
            let sink_id = sink_id.or_else(|| self.applied.take().and_then(|before| before.sink_id));
            self.applied = Some(Applied { version, checksum, sink_id });
            self.dirty = false;
            self.archived = checksum == Checksum::GONE || (self.archived && self.doubt.is_some());
        } else if wrote && newest.is_some_and(|newest| newest > version) {
            self.dirty = true;
            self.archived |= checksum == Checksum::GONE;
            // So that whoever looks for doubts finds it at once.
            self.doubt_until(version, now);
        }
        self.keep_since(now);
        self.dead &= self.stage() == Stage::Dead;
    }

    fn keep_since(&mut self, now: Timestamp) {
        let stage = self.stage();
        if let Some(wanted) = &mut self.wanted {
            wanted.since = (stage == Stage::Outstanding).then(|| wanted.since.unwrap_or(now));
        }
    }

    /// What `noted` describes was given up.
    pub(in crate::state) fn bury(&mut self, noted: Noted) {
        let version = noted.version;
        self.catch_up(noted);
        if let Some(wanted) = &mut self.wanted
            && wanted.version == version
        {
            self.dead = true;
            if !self.dirty {
                wanted.since = None;
            }
        }
    }

    /// What was given up is outstanding again; `false`: it is not dead, or not under this version.
    pub(in crate::state) fn redrive(&mut self, version: Version, now: Timestamp) -> bool {
        let is_dead = self.stage() == Stage::Dead
            && self.wanted.as_ref().is_some_and(|wanted| wanted.version == version);
        if is_dead {
            self.dead = false;
            self.keep_since(now);
        }
        is_dead
    }

    /// The source no longer has the record: back to what is applied, with the image that the sink has. Whoever works on
    /// it is not seen less for that.
    pub(in crate::state) fn withdraw(&mut self, image: Option<&ImageReference>) {
        self.dirty = false;
        self.wanted = self.applied.as_ref().and_then(|applied| {
            let Applied { version, checksum, .. } = *applied;
            self.wanted.take().map(|wanted| Noted {
                version,
                checksum,
                image: image.cloned(),
                since: None,
                ..wanted
            })
        });
    }

    /// A job newer than anything known: the state was wiped, or the record withdrawn, while it was under way.
    fn catch_up(&mut self, noted: Noted) {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.version < noted.version) {
            self.want(noted);
        }
    }

    /// A write of `version` may reach the sink for as long as `late`.
    pub(in crate::state) fn doubt(&mut self, version: Version, late: Duration, now: Timestamp) {
        if late.is_zero() {
            return;
        }
        self.doubt_until(version, now.checked_add(late).unwrap_or(Timestamp::MAX));
    }

    fn doubt_until(&mut self, version: Version, until: Timestamp) {
        let doubt = self.doubt.get_or_insert(Doubt { version, until });
        // Whatever was written over by the newest of several was written over by the oldest too.
        doubt.version = doubt.version.min(version);
        doubt.until = doubt.until.max(until);
    }

    /// A doubt whose time is over goes. `true`: a newer version was applied in that time, and the late write may have
    /// gone over it; the record is dirty. While a newer version is being written, nobody can tell: it is asked again
    /// later.
    pub(in crate::state) fn mature(&mut self, now: Timestamp) -> bool {
        let Some(doubt) = self.doubt.filter(|doubt| doubt.until <= now) else {
            return false;
        };
        if self.started.as_ref().is_some_and(|mark| mark.version > doubt.version) {
            let until = now.checked_add(ASK_AGAIN).unwrap_or(Timestamp::MAX);
            self.doubt = Some(Doubt { until, ..doubt });
            return false;
        }
        self.doubt = None;
        let overtaken = self.applied.as_ref().is_some_and(|applied| applied.version > doubt.version);
        if overtaken && !self.dirty {
            self.dirty = true;
            self.keep_since(now);
        }
        self.dirty
    }

    /// Whether the source no longer has it, as far as is known.
    pub(in crate::state) fn is_gone(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.checksum == Checksum::GONE)
    }

    /// Whether nothing is known any more: then it is removed from the store.
    pub(in crate::state) fn is_forgotten(&self) -> bool {
        self.wanted.is_none() && self.applied.is_none() && self.started.is_none() && self.doubt.is_none()
    }

    /// Whether the run gave this place again, to a newer version whose end is still to come.
    pub(in crate::state) fn place_goes_on(&self, run: RunId, place: u64, version: Version) -> bool {
        self.stage() == Stage::Outstanding
            && self
                .wanted
                .as_ref()
                .is_some_and(|wanted| wanted.run == run && wanted.place == place && wanted.version > version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn version(sequence: u64) -> Version {
        Version { epoch: 1, sequence }
    }

    fn applied(sequence: u64) -> Record {
        let checksum = Checksum::try_from([1; 32].as_slice()).unwrap();
        let noted =
            Noted { version: version(sequence), checksum, image: None, run: RunId(1), place: 0, since: None };
        let mut record = Record::default();
        record.apply(noted, None, true, NOW);
        record
    }

    fn being_written(sequence: u64) -> Mark {
        Mark { version: version(sequence), count: 1, worker: None }
    }

    #[test]
    fn a_doubt_is_asked_again_while_something_newer_is_being_written() {
        let mut record = applied(2);
        record.doubt(version(1), Duration::from_secs(1), NOW);
        record.started = Some(being_written(3));
        assert!(!record.mature(NOW + Duration::from_millis(999)));
        let over = NOW + Duration::from_secs(1);
        assert!(!record.mature(over));
        assert_eq!(record.doubt, Some(Doubt { version: version(1), until: over + ASK_AGAIN }));
        assert!(!record.mature(over), "not at once");
        record.started = None;
        assert!(record.mature(over + ASK_AGAIN));
        assert_eq!((record.dirty, record.doubt, record.stage()), (true, None, Stage::Outstanding));
        assert!(!record.mature(over + ASK_AGAIN), "once");
    }

    #[test]
    fn a_doubt_does_not_wait_for_the_version_that_it_is_about() {
        let mut record = applied(2);
        record.doubt(version(1), Duration::from_secs(1), NOW);
        record.started = Some(being_written(1));
        assert!(record.mature(NOW + Duration::from_secs(1)));
    }

    #[test]
    fn a_record_in_doubt_is_remembered_until_the_doubt_is_over() {
        let mut record = Record::default();
        assert!(record.is_forgotten());
        record.doubt(version(1), Duration::from_secs(1), NOW);
        assert!(!record.is_forgotten());
        assert!(!record.mature(NOW + Duration::from_secs(1)), "nothing was applied");
        assert!(record.is_forgotten());
    }
}
