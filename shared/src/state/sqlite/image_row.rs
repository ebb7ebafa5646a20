//! The row of an image.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::Failures;
use super::failure::StoreError;
use super::image::{AppliedImage, Image, WantedImage};
use super::record::Stage;
use crate::record::{RecordKey, Version};

impl Image {
    /// The row of an image; all empty where there is none.
    pub(super) fn load(connection: &Connection, pipeline: i64, key: &RecordKey) -> Result<Self, StoreError> {
        let image = connection
            .prepare_cached(
                "SELECT stage, started, started_epoch, started_sequence, wanted_epoch, wanted_sequence, reference, \
                 sink_id, run, since, attempt, retry_at, failures, \
                 iif(stage = 2, coalesce(applied_reference, reference), applied_reference), hash \
                 FROM image WHERE pipeline = ?1 AND key = ?2",
            )?
            .query_row(params![pipeline, key], Self::of_row)
            .optional()?;
        Ok(image.unwrap_or_default())
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
                retry_at: retry_time(row, 11)?,
                failures: row.get::<_, Failures>(12)?.0,
            }),
            None => None,
        };
        let applied = match row.get(13)? {
            Some(reference) => Some(AppliedImage { reference, hash: row.get(14)? }),
            None => None,
        };
        let started = match row.get(2)? {
            Some(epoch) => Some((Version { epoch, sequence: row.get(3)? }, row.get(1)?)),
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
                 started_sequence) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
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
                self.started.map(|(_, count)| count),
                self.started.map(|(version, _)| version.epoch),
                self.started.map(|(version, _)| version.sequence),
            ])?;
        Ok(())
    }
}

/// A retry time from a column of Unix milliseconds.
pub(super) fn retry_time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(at)?
        .map(|millis| {
            Timestamp::from_millisecond(millis)
                .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, millis))
        })
        .transpose()
}
