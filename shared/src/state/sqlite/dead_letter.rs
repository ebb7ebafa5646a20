//! Dead letters: one per record, and one per image.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::StoreError;
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey, Version};
use crate::state::DeadLetter;

/// Dead letters of a pipeline, newest first.
pub(super) fn newest(
    connection: &Connection,
    name: &PipelineName,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let letters = connection
        .prepare_cached(
            "SELECT letter FROM dead_letter WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             ORDER BY id DESC LIMIT ?2",
        )?
        .query_map(params![name, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(letters)
}

/// The letter of a record, or of its image.
pub(super) fn of(
    connection: &Connection,
    pipeline: i64,
    kind: JobKind,
    key: &RecordKey,
) -> Result<Option<DeadLetter>, StoreError> {
    let letter = connection
        .prepare_cached("SELECT letter FROM dead_letter WHERE pipeline = ?1 AND kind = ?2 AND key = ?3")?
        .query_row(params![pipeline, kind, key], |row| row.get(0))
        .optional()?;
    Ok(letter)
}

/// The version that a letter is about, if there is one.
pub(super) fn version(
    connection: &Connection,
    pipeline: i64,
    kind: JobKind,
    key: &RecordKey,
) -> Result<Option<Version>, StoreError> {
    let version = connection
        .prepare_cached(
            "SELECT epoch, sequence FROM dead_letter WHERE pipeline = ?1 AND kind = ?2 AND key = ?3",
        )?
        .query_row(params![pipeline, kind, key], |row| {
            Ok(Version { epoch: row.get(0)?, sequence: row.get(1)? })
        })
        .optional()?;
    Ok(version)
}

/// Removes the letter of a record, or of its image.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    pipeline: i64,
    kind: JobKind,
    key: &RecordKey,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("DELETE FROM dead_letter WHERE pipeline = ?1 AND kind = ?2 AND key = ?3")?
        .execute(params![pipeline, kind, key])?;
    Ok(())
}

/// Writes a letter over an older one of its record or image.
pub(super) fn note(
    transaction: &Transaction<'_>,
    pipeline: i64,
    letter: &DeadLetter,
) -> Result<(), StoreError> {
    let job = &letter.job;
    transaction
        .prepare_cached(
            "REPLACE INTO dead_letter (pipeline, kind, key, epoch, sequence, letter) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![pipeline, job.kind, job.key, job.version.epoch, job.version.sequence, letter])?;
    Ok(())
}
