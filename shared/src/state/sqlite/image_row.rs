//! The row of an image.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{Failures, moment};
use super::failure::StoreError;
use crate::record::{RecordKey, Version};
use crate::state::rules::{AppliedImage, Image, Mark, Stage, WantedImage};

impl Image {
    /// The row of an image, if any.
    pub(super) fn load(
        connection: &Connection,
        pipeline: i64,
        key: &RecordKey,
    ) -> Result<Option<Self>, StoreError> {
        let image = connection
            .prepare_cached(
                "SELECT stage, started, started_epoch, started_sequence, wanted_epoch, wanted_sequence, reference, \
                 sink_id, run, since, attempt, retry_at, failures, \
                 iif(stage = 2, coalesce(applied_reference, reference), applied_reference), hash, started_by, written \
                 FROM image WHERE pipeline = ?1 AND key = ?2",
            )?
            .query_row(params![pipeline, key], Self::of_row)
            .optional()?;
        Ok(image)
    }

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let wanted = match row.get(4)? {
            Some(epoch) => Some(WantedImage {
                version: Version { epoch, sequence: row.get(5)? },
                reference: row.get(6)?,
                sink_id: row.get(7)?,
                run: row.get(8)?,
                since: row.get(9)?,
                attempt: row.get(10)?,
                retry_at: moment(row, 11)?,
                failures: row.get::<_, Failures>(12)?.0,
            }),
            None => None,
        };
        let applied = match row.get(13)? {
            Some(reference) => Some(AppliedImage { reference, hash: row.get(14)?, written: row.get(16)? }),
            None => None,
        };
        let started = match row.get(2)? {
            Some(epoch) => Some(Mark {
                version: Version { epoch, sequence: row.get(3)? },
                count: row.get(1)?,
                worker: row.get(15)?,
            }),
            None => None,
        };
        Ok(Self { wanted, applied, dead: row.get::<_, i64>(0)? == Stage::Dead as i64, started })
    }

    /// Writes the row, or removes it where nothing is known any more.
    pub(super) fn save(
        &self,
        connection: &Connection,
        pipeline: i64,
        key: &RecordKey,
    ) -> Result<(), StoreError> {
        if *self == Self::default() {
            connection
                .prepare_cached("DELETE FROM image WHERE pipeline = ?1 AND key = ?2")?
                .execute(params![pipeline, key])?;
            return Ok(());
        }
        let (wanted, applied) = (self.wanted.as_ref(), self.applied.as_ref());
        let reference = wanted.and_then(|wanted| wanted.reference.as_ref());
        connection
            .prepare_cached(
                "REPLACE INTO image (pipeline, key, stage, wanted_epoch, wanted_sequence, reference, sink_id, run, \
                 since, attempt, retry_at, failures, applied_reference, hash, started, started_epoch, \
                 started_sequence, started_by, written) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
            )?
            .execute(params![
                pipeline,
                key,
                self.stage() as i64,
                wanted.map(|wanted| wanted.version.epoch),
                wanted.map(|wanted| wanted.version.sequence),
                reference,
                wanted.and_then(|wanted| wanted.sink_id.as_deref()),
                wanted.map(|wanted| wanted.run),
                wanted.and_then(|wanted| wanted.since),
                wanted.map(|wanted| wanted.attempt),
                wanted.and_then(|wanted| wanted.retry_at).map(Timestamp::as_millisecond),
                wanted.map(|wanted| Failures(wanted.failures.clone())),
                applied
                    .map(|applied| &applied.reference)
                    .filter(|own| reference != Some(*own)),
                applied.and_then(|applied| applied.hash),
                self.started.as_ref().map(|mark| mark.count),
                self.started.as_ref().map(|mark| mark.version.epoch),
                self.started.as_ref().map(|mark| mark.version.sequence),
                self.started.as_ref().and_then(|mark| mark.worker.as_ref()),
                applied.and_then(|applied| applied.written),
            ])?;
        Ok(())
    }
}
