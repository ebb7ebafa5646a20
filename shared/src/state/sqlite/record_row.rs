//! The row of a record.

use rusqlite::{Connection, OptionalExtension, params};

use super::column::moment;
use super::failure::StoreError;
use crate::record::{RecordKey, Version};
use crate::state::rules::{Applied, Doubt, Mark, Noted, Record, Stage};

/// What [`Record::of_row`] reads, in its order.
macro_rules! columns {
    () => {
        "dirty, stage, started, started_epoch, started_sequence, sink_id, \
         wanted_epoch, wanted_sequence, wanted_checksum, run, place, since, \
         applied_epoch, applied_sequence, coalesce(applied_checksum, wanted_checksum), wanted_image, \
         started_by, doubt_until, doubt_epoch, doubt_sequence, archived"
    };
}

/// Where the key stands behind these columns.
const KEY: usize = 21;

impl Record {
    /// The row of a record, if any.
    pub(super) fn load(
        connection: &Connection,
        pipeline: i64,
        key: &RecordKey,
    ) -> Result<Option<Self>, StoreError> {
        let record = connection
            .prepare_cached(concat!("SELECT ", columns!(), " FROM record WHERE pipeline = ?1 AND key = ?2"))?
            .query_row(params![pipeline, key], Self::of_row)
            .optional()?;
        Ok(record)
    }

    /// Records in the order of their keys, from behind `after` on.
    pub(super) fn page(
        connection: &Connection,
        pipeline: i64,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Self)>, StoreError> {
        let page = connection
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                ", key FROM record WHERE pipeline = ?1 AND key > ?2 ORDER BY key LIMIT ?3"
            ))?
            .query_map(params![pipeline, after, limit], |row| Ok((row.get(KEY)?, Self::of_row(row)?)))?
            .collect::<Result<_, _>>()?;
        Ok(page)
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
            Some(version) => Some(Mark { version, count: row.get(2)?, worker: row.get(16)? }),
            None => None,
        };
        let doubt = match moment(row, 17)? {
            Some(until) => {
                Some(Doubt { version: Version { epoch: row.get(18)?, sequence: row.get(19)? }, until })
            }
            None => None,
        };
        let dead = row.get::<_, i64>(1)? == Stage::Dead as i64;
        Ok(Self { wanted, applied, dead, dirty: row.get(0)?, started, doubt, archived: row.get(20)? })
    }

    /// Writes the row, or removes it where nothing is known any more.
    pub(super) fn save(
        &self,
        connection: &Connection,
        pipeline: i64,
        key: &RecordKey,
    ) -> Result<(), StoreError> {
        if self.is_forgotten() {
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
                 sink_id, started, started_epoch, started_sequence, wanted_image, started_by, \
                 doubt_until, doubt_epoch, doubt_sequence, archived) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
                 ?19, ?20, ?21, ?22, ?23)",
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
                self.started.as_ref().map(|mark| mark.count),
                self.started.as_ref().map(|mark| mark.version.epoch),
                self.started.as_ref().map(|mark| mark.version.sequence),
                wanted.and_then(|wanted| wanted.image.as_ref()),
                self.started.as_ref().and_then(|mark| mark.worker.as_ref()),
                self.doubt.map(|doubt| doubt.until.as_millisecond()),
                self.doubt.map(|doubt| doubt.version.epoch),
                self.doubt.map(|doubt| doubt.version.sequence),
                self.archived,
            ])?;
        Ok(())
    }
}
