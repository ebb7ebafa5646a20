//! One call on the records of a pipeline: what its rule needs is loaded, and what the rule changed is written, in the
//! transaction of the call.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use super::dead_letter;
use super::failure::StoreError;
use super::memo;
use super::pipeline::Pipeline;
use super::tally;
use crate::record::PipelineName;
use crate::state::rules::{Change, Head, Image, Needs, Record, Work, presence_of};

/// Loads what `needs` names, has `rule` change it and writes what changed.
pub(super) fn apply<'a, T>(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    needs: impl FnOnce(&Head) -> Needs<'a>,
    rule: impl FnOnce(&mut Work) -> T,
) -> Result<T, StoreError> {
    let pipeline = Pipeline::find(transaction, name)?;
    let head = pipeline.as_ref().map(|pipeline| pipeline.head.clone()).unwrap_or_default();
    let needs = needs(&head);
    let mut work = Work::new(Timestamp::now(), head);
    if let Some(Pipeline { id, .. }) = pipeline {
        load(transaction, id, &needs, &mut work)?;
    }
    let answer = rule(&mut work);
    if work.is_due() {
        let id = match pipeline {
            Some(Pipeline { id, .. }) => id,
            None => Pipeline::get(transaction, name)?.id,
        };
        save(transaction, id, &needs, work)?;
    }
    Ok(answer)
}

/// Loads what `needs` names.
pub(super) fn load(
    transaction: &Connection,
    pipeline: i64,
    needs: &Needs<'_>,
    work: &mut Work,
) -> Result<(), StoreError> {
    for key in needs.records.iter().copied() {
        if let Some(record) = Record::load(transaction, pipeline, key)? {
            work.records.insert(key.clone(), Change::none(record));
        }
    }
    for key in needs.images.iter().copied() {
        if let Some(image) = Image::load(transaction, pipeline, key)? {
            work.images.insert(key.clone(), Change::none(image));
        }
    }
    for (kind, key) in needs.letters.iter().copied() {
        if let Some(version) = dead_letter::version(transaction, pipeline, kind, key)? {
            work.letters.insert((kind, key.clone()), Change::none(Some(version)));
        }
    }
    if let Some(run) = needs.places {
        work.places = Change::none(tally::places(transaction, run)?);
    }
    if needs.workers {
        for worker in work.workers() {
            let memo = memo::get(transaction, &presence_of(&worker))?;
            work.hear(worker, memo.as_deref());
        }
    }
    Ok(())
}

fn save(
    transaction: &Transaction<'_>,
    pipeline: i64,
    needs: &Needs<'_>,
    work: Work,
) -> Result<(), StoreError> {
    for (key, record) in work.records.iter().filter(|(_, record)| record.is_due()) {
        record.after.save(transaction, pipeline, key)?;
    }
    for (key, image) in work.images.iter().filter(|(_, image)| image.is_due()) {
        image.after.save(transaction, pipeline, key)?;
    }
    for ((kind, key), _) in
        work.letters.iter().filter(|(_, letter)| letter.after.is_none() && letter.is_due())
    {
        dead_letter::remove(transaction, pipeline, *kind, key)?;
    }
    for letter in &work.noted {
        dead_letter::note(transaction, pipeline, letter)?;
    }
    let enqueued = needs.places.filter(|_| work.places.is_due()).map(|run| (run, work.places.after));
    tally::save(transaction, enqueued, &work.counted)?;
    if work.head.is_due() {
        Pipeline { id: pipeline, head: work.head.after }.save(transaction)?;
    }
    Ok(())
}
