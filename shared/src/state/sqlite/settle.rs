//! The worker's side of records: claim, release, settle.

use jiff::Timestamp;
use rusqlite::Transaction;

use super::dead_letter;
use super::failure::StoreError;
use super::image::Image;
use super::pipeline::Pipeline;
use super::record::{Noted, Record, Stage};
use super::tally::Tally;
use crate::job::JobKind;
use crate::record::{Outcome, PipelineName, RecordKey};
use crate::state::{Claim, Claimed, Settled};

/// See [`crate::state::State::claim`].
pub(super) fn claim(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    claims: &[Claim],
) -> Result<Vec<Claimed>, StoreError> {
    let mut pipeline = Pipeline::get(transaction, name)?;
    let mut answers = Vec::with_capacity(claims.len());
    for Claim { key, version } in claims {
        let before = Record::load(transaction, pipeline.id, key)?;
        let newer_wanted = before.wanted.as_ref().is_some_and(|wanted| wanted.version > *version);
        if newer_wanted || pipeline.is_foreign(*version) {
            answers.push(Claimed::Superseded);
            continue;
        }
        if before.applied.as_ref().is_some_and(|applied| applied.version >= *version) {
            answers.push(Claimed::Applied);
            continue;
        }
        let marks = match before.started {
            Some((marked, count)) if marked == *version => count,
            _ => 0,
        };
        if marks > 0 && claims.len() > 1 {
            answers.push(Claimed::Alone);
            continue;
        }
        let mut after = before.clone();
        after.started = Some((*version, marks.saturating_add(1)));
        pipeline.replace(transaction, key, &before, &after)?;
        let sink_id = before.applied.and_then(|applied| applied.sink_id);
        answers.push(Claimed::Go { marks, sink_id });
    }
    Ok(answers)
}

/// See [`crate::state::State::release`].
pub(super) fn release(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    keys: &[RecordKey],
) -> Result<(), StoreError> {
    let Some(mut pipeline) = Pipeline::find(transaction, name)? else {
        return Ok(());
    };
    for key in keys {
        let before = Record::load(transaction, pipeline.id, key)?;
        let after = Record { started: None, ..before.clone() };
        pipeline.replace(transaction, key, &before, &after)?;
    }
    Ok(())
}

/// See [`crate::state::State::settle`].
pub(super) fn settle(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    settled: &[Settled],
) -> Result<(), StoreError> {
    let mut pipeline = Pipeline::get(transaction, name)?;
    let mut tally = Tally::default();
    let now = Timestamp::now();
    for job in settled.iter().filter(|job| job.version.epoch >= pipeline.floor).collect::<Vec<_>>() {
        let before = Record::load(transaction, pipeline.id, &job.key)?;
        let mut after = before.clone();
        after.unmark(job.version);
        let wrote = matches!(job.outcome, Outcome::Created | Outcome::Updated);
        let succeeded = wrote || job.outcome == Outcome::Unchanged;
        if succeeded {
            let noted = Noted {
                version: job.version,
                checksum: job.checksum,
                image: job.image.clone(),
                run: job.run,
                place: job.place,
                since: Some(now),
            };
            after.apply(noted, job.sink_id.clone(), wrote, now);
            dead_letter::clear(transaction, &mut pipeline, JobKind::Record, &job.key, job.version)?;
            want_image(transaction, &mut pipeline, job, &after, now)?;
        }
        // Where the run gave the place again to a newer version, that one's end is the one to count.
        if succeeded || !after.place_goes_on(job.run, job.place, job.version) {
            tally.count(transaction, job.run, job.place, job.outcome)?;
        }
        pipeline.replace(transaction, &job.key, &before, &after)?;
    }
    tally.save(transaction)?;
    pipeline.save(transaction)
}

/// The image of a record follows its record: it is wanted once the sink has the record's newest version.
fn want_image(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    job: &Settled,
    record: &Record,
    now: Timestamp,
) -> Result<(), StoreError> {
    let newest = record.applied.as_ref().filter(|applied| applied.version == job.version);
    let (Some(applied), true) = (newest, job.image.is_some() || pipeline.has_images()) else {
        return Ok(());
    };
    let before = Image::load(transaction, pipeline.id, &job.key)?;
    let mut after = before.clone();
    after.follow(job, applied.sink_id.as_deref(), now);
    if after.stage() == Stage::Applied {
        // Back to the image that the sink has, or to none: nothing is left that could clear a letter.
        dead_letter::clear(transaction, pipeline, JobKind::Image, &job.key, job.version)?;
    }
    pipeline.replace_image(transaction, &job.key, &before, &after)
}
