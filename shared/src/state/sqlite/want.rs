//! The producer's side of records: want, what is outstanding, withdraw.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::dead_letter;
use super::failure::StoreError;
use super::image::Image;
use super::pipeline::Pipeline;
use super::record::{Noted, Record, Stage};
use super::tally::Tally;
use crate::job::JobKind;
use crate::record::{ImageReference, Outcome, PipelineName, RecordKey, Version};
use crate::state::{Outstanding, Run, Want, Wanted};

/// See [`crate::state::State::want`].
pub(super) fn want(
    transaction: &Transaction<'_>,
    run: &Run,
    wants: &[Want],
    lost: bool,
) -> Result<Vec<Wanted>, StoreError> {
    let mut pipeline = Pipeline::of_run(transaction, run)?;
    let mut tally = Tally::default();
    let now = Timestamp::now();
    let mut answers = Vec::with_capacity(wants.len());
    for want in wants {
        let before = Record::load(transaction, pipeline.id, &want.key)?;
        if let Some(answer) = needless(&before, run, want, lost) {
            answers.push(answer);
            continue;
        }
        let place = match &before.wanted {
            Some(noted) if noted.run == run.id => noted.place,
            noted => {
                if let Some(older) = noted.as_ref().filter(|_| before.stage() == Stage::Outstanding) {
                    tally.count(transaction, older.run, older.place, Outcome::Superseded)?;
                }
                tally.enqueue(transaction, run.id)?
            }
        };
        let version = pipeline.next_version();
        let mut after = before.clone();
        after.want(Noted {
            version,
            checksum: want.checksum,
            image: want.image.clone(),
            run: run.id,
            place,
            since: Some(now),
        });
        pipeline.replace(transaction, &want.key, &before, &after)?;
        answers.push(Wanted::Enqueue { version, place });
    }
    tally.save(transaction)?;
    pipeline.save(transaction)?;
    Ok(answers)
}

/// The table of [`crate::state::State::want`]; `None`: a job is to be enqueued.
fn needless(record: &Record, run: &Run, want: &Want, lost: bool) -> Option<Wanted> {
    let wanted = record
        .wanted
        .as_ref()
        .filter(|wanted| wanted.checksum == want.checksum && wanted.image == want.image)?;
    let noted = wanted.run == run.id;
    match record.stage() {
        Stage::Unknown => None,
        Stage::Dead | Stage::Applied if noted => Some(Wanted::Already),
        Stage::Dead => (!run.force).then_some(Wanted::Dead),
        Stage::Outstanding if record.dirty => None,
        Stage::Outstanding if wanted.version.epoch == run.epoch => Some(Wanted::Already),
        Stage::Outstanding if lost => None,
        Stage::Outstanding if noted => Some(Wanted::Already),
        Stage::Outstanding => Some(Wanted::Unchanged),
        Stage::Applied => (!run.force).then_some(Wanted::Unchanged),
    }
}

/// See [`crate::state::State::outstanding`].
pub(super) fn outstanding(
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

/// See [`crate::state::State::withdraw`].
pub(super) fn withdraw(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    keys: &[RecordKey],
) -> Result<(), StoreError> {
    let Some(mut pipeline) = Pipeline::find(transaction, name)? else {
        return Ok(());
    };
    let mut tally = Tally::default();
    for key in keys {
        let before = Record::load(transaction, pipeline.id, key)?;
        let Some(wanted) = before.wanted.as_ref().filter(|_| before.stage() == Stage::Outstanding) else {
            continue;
        };
        let mut after = before.clone();
        let image = withdraw_image(transaction, &mut pipeline, key, &before, wanted.version)?;
        after.withdraw(image.as_ref());
        // An older letter of a record that is gone could never be cleared.
        dead_letter::clear(transaction, &mut pipeline, JobKind::Record, key, wanted.version)?;
        tally.count(transaction, wanted.run, wanted.place, Outcome::Superseded)?;
        pipeline.replace(transaction, key, &before, &after)?;
    }
    tally.save(transaction)?;
    pipeline.save(transaction)
}

/// What the sink lacks of a withdrawn record's image is no longer wanted; the answer is the image that it has. The
/// record goes back to that one, so that it is enqueued again, and its image with it, should the source have both again.
fn withdraw_image(
    transaction: &Transaction<'_>,
    pipeline: &mut Pipeline,
    key: &RecordKey,
    record: &Record,
    up_to: Version,
) -> Result<Option<ImageReference>, StoreError> {
    if !pipeline.has_images() {
        return Ok(None);
    }
    let before = Image::load(transaction, pipeline.id, key)?;
    let mut after = before.clone();
    if record.applied.is_some() {
        after.withdraw(up_to, Timestamp::now());
    } else {
        after = Image::default();
    }
    dead_letter::clear(transaction, pipeline, JobKind::Image, key, up_to)?;
    pipeline.replace_image(transaction, key, &before, &after)?;
    Ok(after.applied.map(|applied| applied.reference))
}
