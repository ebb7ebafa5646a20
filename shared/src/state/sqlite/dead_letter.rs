//! Dead letters: one per record.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::StoreError;
use super::pipeline::Pipeline;
use super::record::{Noted, Record};
use super::tally::Tally;
use crate::record::{Outcome, PipelineName, RecordKey, Version};
use crate::state::DeadLetter;

/// See [`crate::state::State::bury`].
pub(super) fn bury(transaction: &Transaction<'_>, letters: &[DeadLetter]) -> Result<(), StoreError> {
    let mut tally = Tally::default();
    for letter in letters {
        let job = &letter.job;
        let mut pipeline = Pipeline::get(transaction, &job.pipeline)?;
        if pipeline.is_foreign(job.version) {
            continue;
        }
        let before = Record::load(transaction, pipeline.id, &job.key)?;
        let mut after = before.clone();
        after.unmark(job.version);
        // What a newer version, or a second worker, has achieved already is no longer to be looked into.
        let obsolete = before
            .applied
            .as_ref()
            .is_some_and(|applied| applied.version >= job.version);
        if !obsolete {
            after.bury(Noted {
                version: job.version,
                checksum: job.checksum,
                run: job.run,
                place: job.place,
                since: None,
            });
            note(transaction, &mut pipeline, letter)?;
        }
        if !after.place_goes_on(job.run, job.place, job.version) {
            tally.count(transaction, job.run, job.place, Outcome::Dead)?;
        }
        pipeline.replace(transaction, &job.key, &before, &after)?;
        pipeline.save(transaction)?;
    }
    tally.save(transaction)
}

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

/// Removes the letter of a record unless it is about a newer version than `up_to`.
pub(super) fn clear(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    key: &RecordKey,
    up_to: Version,
) -> Result<(), StoreError> {
    if pipeline.counts.dead == 0 {
        return Ok(());
    }
    let removed = transaction
        .prepare_cached(
            "DELETE FROM dead_letter WHERE pipeline = ?1 AND key = ?2 AND (epoch, sequence) <= (?3, ?4)",
        )?
        .execute(params![pipeline.id, key, up_to.epoch, up_to.sequence])?;
    if removed > 0 {
        pipeline.counts.dead = pipeline.counts.dead.saturating_sub(1);
    }
    Ok(())
}

/// Writes a letter over an older one of its record.
fn note(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    letter: &DeadLetter,
) -> Result<(), StoreError> {
    let job = &letter.job;
    let existing = transaction
        .prepare_cached("SELECT epoch, sequence FROM dead_letter WHERE pipeline = ?1 AND key = ?2")?
        .query_row(params![pipeline.id, job.key], |row| {
            Ok(Version {
                epoch: row.get(0)?,
                sequence: row.get(1)?,
            })
        })
        .optional()?;
    match existing {
        Some(existing) if existing > job.version => return Ok(()),
        Some(_) => {}
        None => pipeline.counts.dead += 1,
    }
    transaction
        .prepare_cached(
            "REPLACE INTO dead_letter (pipeline, key, epoch, sequence, letter) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            pipeline.id,
            job.key,
            job.version.epoch,
            job.version.sequence,
            letter
        ])?;
    Ok(())
}
