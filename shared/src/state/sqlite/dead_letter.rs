//! Dead letters: one per record, and one per image.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::StoreError;
use super::image::Image;
use super::pipeline::Pipeline;
use super::record::{Noted, Record};
use super::tally::Tally;
use crate::job::{Job, JobKind};
use crate::record::{ImageReference, Outcome, PipelineName, RecordKey, Version};
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
        match (job.kind, &job.image) {
            (JobKind::Record, _) => bury_record(transaction, &mut pipeline, &mut tally, letter)?,
            (JobKind::Image, Some(reference)) => bury_image(transaction, &mut pipeline, letter, reference)?,
            // No job is decoded or made without: there would be no image to give up.
            (JobKind::Image, None) => {}
        }
        pipeline.save(transaction)?;
    }
    tally.save(transaction)
}

fn bury_record(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    tally: &mut Tally,
    letter: &DeadLetter,
) -> Result<(), StoreError> {
    let job = &letter.job;
    let before = Record::load(transaction, pipeline.id, &job.key)?;
    let mut after = before.clone();
    after.unmark(job.version);
    // What a newer version, or a second worker, has achieved already is no longer to be looked into.
    let obsolete = before.applied.as_ref().is_some_and(|applied| applied.version >= job.version);
    if !obsolete {
        after.bury(Noted {
            version: job.version,
            checksum: job.checksum,
            image: job.image.clone(),
            run: job.run,
            place: job.place,
            since: None,
        });
        note(transaction, pipeline, letter)?;
    }
    if !after.place_goes_on(job.run, job.place, job.version) {
        tally.count(transaction, job.run, job.place, Outcome::Dead)?;
    }
    pipeline.replace(transaction, &job.key, &before, &after)
}

fn bury_image(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    letter: &DeadLetter,
    reference: &ImageReference,
) -> Result<(), StoreError> {
    let Job { key, version, .. } = &letter.job;
    let before = Image::load(transaction, pipeline.id, key)?;
    let mut after = before.clone();
    after.unmark(*version);
    if after.bury(&letter.job, reference, Timestamp::now()) {
        note(transaction, pipeline, letter)?;
    }
    pipeline.replace_image(transaction, key, &before, &after)
}

/// The total of dead letters of a kind.
fn total(pipeline: &mut Pipeline, kind: JobKind) -> &mut u64 {
    match kind {
        JobKind::Record => &mut pipeline.counts.dead,
        JobKind::Image => &mut pipeline.counts.images.dead,
    }
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

/// Removes the letter of a record, or of its image, unless it is about a newer version than `up_to`.
pub(super) fn clear(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    kind: JobKind,
    key: &RecordKey,
    up_to: Version,
) -> Result<(), StoreError> {
    if *total(pipeline, kind) == 0 {
        return Ok(());
    }
    let removed = transaction
        .prepare_cached(
            "DELETE FROM dead_letter WHERE pipeline = ?1 AND kind = ?2 AND key = ?3 \
             AND (epoch, sequence) <= (?4, ?5)",
        )?
        .execute(params![pipeline.id, kind, key, up_to.epoch, up_to.sequence])?;
    if removed > 0 {
        let total = total(pipeline, kind);
        *total = total.saturating_sub(1);
    }
    Ok(())
}

/// Writes a letter over an older one of its record or image.
fn note(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    letter: &DeadLetter,
) -> Result<(), StoreError> {
    let job = &letter.job;
    let existing = transaction
        .prepare_cached(
            "SELECT epoch, sequence FROM dead_letter WHERE pipeline = ?1 AND kind = ?2 AND key = ?3",
        )?
        .query_row(params![pipeline.id, job.kind, job.key], |row| {
            Ok(Version { epoch: row.get(0)?, sequence: row.get(1)? })
        })
        .optional()?;
    match existing {
        Some(existing) if existing > job.version => return Ok(()),
        Some(_) => {}
        None => *total(pipeline, job.kind) += 1,
    }
    transaction
        .prepare_cached(
            "REPLACE INTO dead_letter (pipeline, kind, key, epoch, sequence, letter) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![pipeline.id, job.kind, job.key, job.version.epoch, job.version.sequence, letter])?;
    Ok(())
}
