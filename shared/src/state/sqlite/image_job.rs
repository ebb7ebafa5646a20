//! The worker's side of images: what is outstanding, claim, release, settle, retry.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::column::Failures;
use super::dead_letter;
use super::failure::StoreError;
use super::image::Image;
use super::image_row::retry_time;
use super::pipeline::Pipeline;
use crate::job::{Attempt, JobKind};
use crate::record::{Outcome, PipelineName, RecordKey, Version};
use crate::state::{ClaimedImage, ImageClaim, OutstandingImage, SettledImage};

/// See [`crate::state::State::outstanding_images`].
pub(super) fn outstanding(
    connection: &Connection,
    name: &PipelineName,
    after: Option<Version>,
    limit: usize,
) -> Result<Vec<OutstandingImage>, StoreError> {
    let after = after.unwrap_or(Version { epoch: 0, sequence: 0 });
    let now = Timestamp::now().as_millisecond();
    let found = connection
        .prepare_cached(
            "SELECT key, wanted_epoch, wanted_sequence, reference, sink_id, run, since, attempt, failures FROM image \
             WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) AND stage = 1 \
             AND (wanted_epoch, wanted_sequence) > (?2, ?3) AND (retry_at IS NULL OR retry_at <= ?4) \
             ORDER BY wanted_epoch, wanted_sequence LIMIT ?5",
        )?
        .query_map(params![name, after.epoch, after.sequence, now, limit], |row| {
            Ok(OutstandingImage {
                key: row.get(0)?,
                version: Version {
                    epoch: row.get(1)?,
                    sequence: row.get(2)?,
                },
                reference: row.get(3)?,
                sink_id: row.get(4)?,
                run: row.get(5)?,
                since: row.get(6)?,
                attempt: row.get(7)?,
                failures: row.get::<_, Failures>(8)?.0,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// See [`crate::state::State::next_image_retry`].
pub(super) fn next_retry(
    connection: &Connection,
    name: &PipelineName,
) -> Result<Option<Timestamp>, StoreError> {
    let next = connection
        .prepare_cached(
            "SELECT min(retry_at) FROM image WHERE pipeline = (SELECT id FROM pipeline WHERE name = ?1) \
             AND stage = 1 AND retry_at IS NOT NULL",
        )?
        .query_row([name], |row| retry_time(row, 0))?;
    Ok(next)
}

/// See [`crate::state::State::claim_images`].
pub(super) fn claim(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    claims: &[ImageClaim],
) -> Result<Vec<ClaimedImage>, StoreError> {
    let mut pipeline = Pipeline::get(transaction, name)?;
    let mut answers = Vec::with_capacity(claims.len());
    for claim in claims {
        let ImageClaim { key, version, reference } = claim;
        let before = Image::load(transaction, pipeline.id, key)?;
        if before.supersedes(*version, reference) || pipeline.is_foreign(*version) {
            answers.push(ClaimedImage::Superseded);
            continue;
        }
        if before.is_applied(reference) {
            answers.push(ClaimedImage::Applied);
            continue;
        }
        let marks = match before.started {
            Some((marked, count)) if marked == *version => count,
            _ => 0,
        };
        if marks > 0 && claims.len() > 1 {
            answers.push(ClaimedImage::Alone);
            continue;
        }
        let mut after = before.clone();
        after.started = Some((*version, marks.saturating_add(1)));
        pipeline.replace_image(transaction, key, &before, &after)?;
        let applied = before.applied.and_then(|applied| applied.hash);
        answers.push(ClaimedImage::Go { marks, applied });
    }
    Ok(answers)
}

/// See [`crate::state::State::release_images`].
pub(super) fn release(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    keys: &[RecordKey],
) -> Result<(), StoreError> {
    let Some(mut pipeline) = Pipeline::find(transaction, name)? else {
        return Ok(());
    };
    for key in keys {
        let before = Image::load(transaction, pipeline.id, key)?;
        let after = Image { started: None, ..before.clone() };
        pipeline.replace_image(transaction, key, &before, &after)?;
    }
    Ok(())
}

/// See [`crate::state::State::settle_images`].
pub(super) fn settle(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    settled: &[SettledImage],
) -> Result<(), StoreError> {
    let mut pipeline = Pipeline::get(transaction, name)?;
    let now = Timestamp::now();
    for job in settled {
        if pipeline.is_foreign(job.version) {
            continue;
        }
        let before = Image::load(transaction, pipeline.id, &job.key)?;
        let mut after = before.clone();
        after.unmark(job.version);
        after.settle(job, now);
        if job.outcome != Outcome::Superseded {
            dead_letter::clear(transaction, &mut pipeline, JobKind::Image, &job.key, job.version)?;
        }
        pipeline.replace_image(transaction, &job.key, &before, &after)?;
    }
    pipeline.save(transaction)
}

/// See [`crate::state::State::retry_image`].
pub(super) fn retry(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    key: &RecordKey,
    version: Version,
    retry_at: Timestamp,
    failure: &Attempt,
) -> Result<(), StoreError> {
    let Some(mut pipeline) = Pipeline::find(transaction, name)? else {
        return Ok(());
    };
    let before = Image::load(transaction, pipeline.id, key)?;
    let mut after = before.clone();
    after.unmark(version);
    after.retry(version, retry_at, failure, Timestamp::now());
    pipeline.replace_image(transaction, key, &before, &after)?;
    pipeline.save(transaction)
}
