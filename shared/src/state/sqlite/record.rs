//! One record as the state knows it, the rules by which it changes, and its row.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::StoreError;
use crate::checksum::Checksum;
use crate::record::{ImageReference, RecordKey, RunId, Version};

/// What is known of one record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Record {
    /// The newest change that was enqueued.
    pub(super) wanted: Option<Noted>,
    /// The newest change that the sink has.
    pub(super) applied: Option<Applied>,
    /// The wanted version is in the dead letters.
    pub(super) dead: bool,
    /// An older version may have been written over `applied`.
    pub(super) dirty: bool,
    /// Started marks and the version that they belong to.
    pub(super) started: Option<(Version, u32)>,
}

/// What is wanted of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Noted {
    pub(super) version: Version,
    pub(super) checksum: Checksum,
    /// The image that the record has in the source.
    pub(super) image: Option<ImageReference>,
    /// The run that noted it last, and its number there.
    pub(super) run: RunId,
    pub(super) place: u64,
    /// Since when it is outstanding.
    pub(super) since: Option<Timestamp>,
}

/// What was applied of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Applied {
    pub(super) version: Version,
    pub(super) checksum: Checksum,
    pub(super) sink_id: Option<String>,
}

/// Where a record stands. The numbers are those in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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
    pub(super) fn stage(&self) -> Stage {
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
    pub(super) fn want(&mut self, noted: Noted) {
        let same = self.wanted.as_ref().filter(|wanted| wanted.checksum == noted.checksum);
        self.started = match (same, self.started) {
            (Some(wanted), Some((marked, count))) if marked == wanted.version => Some((noted.version, count)),
            (_, started) => started,
        };
        self.wanted = Some(noted);
        self.dead = false;
        self.dirty = false;
    }

    /// The sink has what `noted` describes. `wrote`: the sink was changed for it, not only looked at.
    pub(super) fn apply(&mut self, noted: Noted, sink_id: Option<String>, wrote: bool, now: Timestamp) {
        let Noted { version, checksum, .. } = noted;
        self.catch_up(noted);
        let newest = self.applied.as_ref().map(|applied| applied.version);
        if newest.is_none_or(|newest| newest < version) {
            let sink_id = sink_id.or_else(|| self.applied.take().and_then(|before| before.sink_id));
            self.applied = Some(Applied { version, checksum, sink_id });
            self.dirty = false;
        } else if wrote && newest.is_some_and(|newest| newest > version) {
            self.dirty = true;
        }
        let stage = self.stage();
        if let Some(wanted) = &mut self.wanted {
            wanted.since = (stage == Stage::Outstanding).then(|| wanted.since.unwrap_or(now));
        }
        self.dead &= stage == Stage::Dead;
    }

    /// What `noted` describes was given up.
    pub(super) fn bury(&mut self, noted: Noted) {
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

    /// The source no longer has the record: back to what is applied, with the image that the sink has.
    pub(super) fn withdraw(&mut self, image: Option<&ImageReference>) {
        self.dirty = false;
        self.started = None;
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

    /// A job of this version is over: its started marks go.
    pub(super) fn unmark(&mut self, version: Version) {
        self.started = self.started.filter(|(marked, _)| *marked > version);
    }

    /// Whether the run gave this place again, to a newer version whose end is still to come.
    pub(super) fn place_goes_on(&self, run: RunId, place: u64, version: Version) -> bool {
        self.stage() == Stage::Outstanding
            && self
                .wanted
                .as_ref()
                .is_some_and(|wanted| wanted.run == run && wanted.place == place && wanted.version > version)
    }

    /// The row of a record; all empty where there is none.
    pub(super) fn load(connection: &Connection, pipeline: i64, key: &RecordKey) -> Result<Self, StoreError> {
        let record = connection
            .prepare_cached(
                "SELECT dirty, stage, started, started_epoch, started_sequence, sink_id, \
                 wanted_epoch, wanted_sequence, wanted_checksum, run, place, since, \
                 applied_epoch, applied_sequence, coalesce(applied_checksum, wanted_checksum), wanted_image \
                 FROM record WHERE pipeline = ?1 AND key = ?2",
            )?
            .query_row(params![pipeline, key], Self::of_row)
            .optional()?;
        Ok(record.unwrap_or_default())
    }

    fn of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let version = |epoch: Option<u64>, at: usize| -> rusqlite::Result<Option<Version>> {
            epoch.map(|epoch| Ok(Version { epoch, sequence: row.get(at)? })).transpose()
        };
        let wanted = match version(row.get(6)?, 7)? {
            Some(version) => Some(Noted {
                version,
                checksum: row.get(8)?,
                image: row.get(15)?,
                run: row.get(9)?,
                place: row.get(10)?,
                since: row.get(11)?,
            }),
            None => None,
        };
        let applied = match version(row.get(12)?, 13)? {
            Some(version) => Some(Applied { version, checksum: row.get(14)?, sink_id: row.get(5)? }),
            None => None,
        };
        let started = match version(row.get(3)?, 4)? {
            Some(version) => Some((version, row.get(2)?)),
            None => None,
        };
        let dead = row.get::<_, i64>(1)? == Stage::Dead as i64;
        Ok(Self { wanted, applied, dead, dirty: row.get(0)?, started })
    }

    /// Writes the row, or removes it where nothing is known any more.
    pub(super) fn save(
        &self,
        connection: &Connection,
        pipeline: i64,
        key: &RecordKey,
    ) -> Result<(), StoreError> {
        if self.wanted.is_none() && self.applied.is_none() && self.started.is_none() {
            connection
                .prepare_cached("DELETE FROM record WHERE pipeline = ?1 AND key = ?2")?
                .execute(params![pipeline, key])?;
            return Ok(());
        }
        let (wanted, applied) = (self.wanted.as_ref(), self.applied.as_ref());
        let own_checksum = applied
            .map(|applied| applied.checksum)
            .filter(|own| wanted.is_none_or(|wanted| wanted.checksum != *own));
        connection
            .prepare_cached(
                "REPLACE INTO record (pipeline, key, stage, dirty, wanted_epoch, wanted_sequence, \
                 wanted_checksum, run, place, since, applied_epoch, applied_sequence, applied_checksum, \
                 sink_id, started, started_epoch, started_sequence, wanted_image) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            )?
            .execute(params![
                pipeline,
                key,
                self.stage() as i64,
                self.dirty,
                wanted.map(|wanted| wanted.version.epoch),
                wanted.map(|wanted| wanted.version.sequence),
                wanted.map(|wanted| wanted.checksum),
                wanted.map(|wanted| wanted.run),
                wanted.map(|wanted| wanted.place),
                wanted.and_then(|wanted| wanted.since),
                applied.map(|applied| applied.version.epoch),
                applied.map(|applied| applied.version.sequence),
                own_checksum,
                applied.and_then(|applied| applied.sink_id.as_deref()),
                self.started.map(|(_, count)| count),
                self.started.map(|(version, _)| version.epoch),
                self.started.map(|(version, _)| version.sequence),
                wanted.and_then(|wanted| wanted.image.as_ref()),
            ])?;
        Ok(())
    }
}
