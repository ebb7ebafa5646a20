//! What is outstanding, and what is in doubt.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::column::{Failures, moment};
use super::failure::StoreError;
use crate::record::{PipelineName, RecordKey, Version};
use crate::state::{Outstanding, OutstandingImage};

/// See [`crate::state::State::outstanding`].
pub(super) fn records(
    connection: &Connection,
    name: &PipelineName,
    before: Version,
    limit: usize,
) -> Result<Vec<Outstanding>, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT r.key, r.wanted_epoch, r.wanted_sequence, r.since FROM record r \
             WHERE r.pipeline = (SELECT id FROM pipeline WHERE name = ?1) AND r.stage = 1 \
             AND (r.wanted_epoch, r.wanted_sequence) < (?2, ?3) \
             ORDER BY r.wanted_epoch, r.wanted_sequence LIMIT ?4",
        )?
        .query_map(params![name, before.epoch, before.sequence, limit], |row| {
            Ok(Outstanding {
                key: row.get(0)?,
                version: Version { epoch: row.get(1)?, sequence: row.get(2)? },
                since: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// What every listing of images selects and in which order, with a condition of its own in between.
macro_rules! images_where {
    ($condition:literal) => {
        concat!(
            "SELECT key, wanted_epoch, wanted_sequence, reference, sink_id, run, since, attempt, failures, \
             applied_reference IS NOT NULL FROM image \
             WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) AND stage = 1",
            $condition,
            " AND (wanted_epoch, wanted_sequence) > (?2, ?3) AND (retry_at IS NULL OR retry_at <= ?4) \
             ORDER BY wanted_epoch, wanted_sequence LIMIT ?5"
        )
    };
}

/// See [`crate::state::State::outstanding_images`].
pub(super) fn images(
    connection: &Connection,
    name: &PipelineName,
    after: Option<Version>,
    limit: usize,
) -> Result<Vec<OutstandingImage>, StoreError> {
    listed(connection, images_where!(""), name, after, limit)
}

/// See [`crate::state::State::changed_images`]. Of an outstanding image the applied one is another, and kept.
pub(super) fn changed_images(
    connection: &Connection,
    name: &PipelineName,
    after: Option<Version>,
    limit: usize,
) -> Result<Vec<OutstandingImage>, StoreError> {
    listed(connection, images_where!(" AND applied_reference IS NOT NULL"), name, after, limit)
}

fn listed(
    connection: &Connection,
    query: &str,
    name: &PipelineName,
    after: Option<Version>,
    limit: usize,
) -> Result<Vec<OutstandingImage>, StoreError> {
    let after = after.unwrap_or(Version { epoch: 0, sequence: 0 });
    let now = Timestamp::now().as_millisecond();
    let found = connection
        .prepare_cached(query)?
        .query_map(params![name, after.epoch, after.sequence, now, limit], |row| {
            Ok(OutstandingImage {
                key: row.get(0)?,
                version: Version { epoch: row.get(1)?, sequence: row.get(2)? },
                reference: row.get(3)?,
                sink_id: row.get(4)?,
                run: row.get(5)?,
                since: row.get(6)?,
                attempt: row.get(7)?,
                failures: row.get::<_, Failures>(8)?.0,
                is_change: row.get(9)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// See [`crate::state::State::next_image_retry`].
pub(super) fn next_image_retry(
    connection: &Connection,
    name: &PipelineName,
) -> Result<Option<Timestamp>, StoreError> {
    let next = connection
        .prepare_cached(
            "SELECT min(retry_at) FROM image WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             AND stage = 1 AND retry_at IS NOT NULL",
        )?
        .query_row([name], |row| moment(row, 0))?;
    Ok(next)
}

/// Records whose doubts have run out, the longest past first.
pub(super) fn doubts(
    connection: &Connection,
    name: &PipelineName,
    limit: usize,
) -> Result<Vec<RecordKey>, StoreError> {
    let keys = connection
        .prepare_cached(
            "SELECT key FROM record WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             AND doubt_until <= ?2 ORDER BY doubt_until LIMIT ?3",
        )?
        .query_map(params![name, Timestamp::now().as_millisecond(), limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(keys)
}

/// See [`crate::state::State::next_doubt`].
pub(super) fn next_doubt(
    connection: &Connection,
    name: &PipelineName,
) -> Result<Option<Timestamp>, StoreError> {
    let next = connection
        .prepare_cached(
            "SELECT min(doubt_until) FROM record WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             AND doubt_until IS NOT NULL",
        )?
        .query_row([name], |row| moment(row, 0))?;
    Ok(next)
}
