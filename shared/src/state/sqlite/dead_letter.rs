//! Dead letters: one per record, and one per image.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::StoreError;
use crate::failure::Reason;
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey, Version};
use crate::state::{DeadLetter, FiledLetter};

/// See [`crate::state::State::letters`].
pub(super) fn newest(
    connection: &Connection,
    name: &PipelineName,
    reason: Option<Reason>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<FiledLetter>, StoreError> {
    let by_reason = if reason.is_some() { "AND reason = ?4" } else { "AND ?4 IS NULL" };
    let letters = connection
        .prepare_cached(&format!(
            "SELECT id, letter FROM dead_letter WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             AND id < ?2 {by_reason} ORDER BY id DESC LIMIT ?3"
        ))?
        .query_map(params![name, before.map_or(i64::MAX, number), limit, reason.map(Reason::label)], |row| {
            Ok(FiledLetter { number: row.get(0)?, letter: row.get(1)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(letters)
}

/// See [`crate::state::State::letters_with`].
pub(super) fn with(
    connection: &Connection,
    name: &PipelineName,
    text: &str,
    newest: usize,
) -> Result<Vec<FiledLetter>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, letter FROM dead_letter WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
         ORDER BY id DESC LIMIT ?2",
    )?;
    let (mut rows, mut letters) = (select.query(params![name, newest])?, Vec::new());
    while let Some(row) = rows.next()? {
        // Looked through here: SQLite's instr goes letter by letter.
        if row.get_ref(1)?.as_str().is_ok_and(|letter| letter.contains(text)) {
            letters.push(FiledLetter { number: row.get(0)?, letter: row.get(1)? });
        }
    }
    Ok(letters)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// See [`crate::state::State::letter_counts`].
pub(super) fn counts(connection: &Connection, name: &PipelineName) -> Result<Vec<(Reason, u64)>, StoreError> {
    let counts: Vec<(String, u64)> = connection
        .prepare_cached(
            "SELECT reason, count(*) FROM dead_letter WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             GROUP BY reason",
        )?
        .query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(counts.into_iter().filter_map(|(label, count)| Some((Reason::of_label(&label)?, count))).collect())
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
            "REPLACE INTO dead_letter (pipeline, kind, key, epoch, sequence, letter, reason) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            pipeline,
            job.kind,
            job.key,
            job.version.epoch,
            job.version.sequence,
            letter,
            letter.failure.reason.label(),
        ])?;
    Ok(())
}
