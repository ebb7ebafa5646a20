//! Runs: begin, go on, pass pages, end, and the history.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::failure::StoreError;
use super::pipeline::Pipeline;
use super::tally::{self, ledger};
use crate::record::{PipelineName, RunId};
use crate::state::rules::taken_over;
use crate::state::{Counts, NewRun, Page, Run, RunEnd, RunKind, RunSummary, Window};

/// Most runs that are kept per pipeline: more than a hundred days of one every quarter of an hour.
#[cfg(not(test))]
const HISTORY: u64 = 10_000;
#[cfg(test)]
const HISTORY: u64 = 1_000;

const SUMMARY: &str = "SELECT r.id, p.name, r.kind, r.window_start, r.window_end, r.started, r.ended, r.outcome, \
     r.unchanged_at_source, r.dead_at_source, r.enqueued, r.created, r.updated, r.unchanged, r.superseded, r.dead, \
     r.gone, r.settled \
     FROM run r JOIN pipeline p ON p.id = r.pipeline";

/// See [`crate::state::State::begin_run`].
pub(super) fn begin(transaction: &Transaction<'_>, new: &NewRun) -> Result<Run, StoreError> {
    let now = Timestamp::now();
    let mut pipeline = Pipeline::get(transaction, &new.pipeline)?;
    if let Some(open) = pipeline.head.open {
        // One that failed before keeps its own words.
        transaction.execute(
            "UPDATE run SET ended = coalesce(ended, ?2), outcome = coalesce(outcome, ?3) WHERE id = ?1",
            params![open, now, RunEnd::Interrupted],
        )?;
    }
    pipeline.head.begin_epoch(now);
    if new.reset || is_unbound(transaction, &pipeline)? {
        reset(transaction, &mut pipeline, now)?;
    }
    prune(transaction, &pipeline)?;
    transaction.execute(
        "INSERT INTO run (pipeline, kind, window_start, window_end, force, started) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![pipeline.id, new.kind, new.window.start, new.window.end, new.force, now],
    )?;
    let id = transaction.query_row("SELECT last_insert_rowid()", [], |row| row.get(0))?;
    pipeline.head.open = Some(id);
    pipeline.save(transaction)?;
    transaction.execute(
        "UPDATE pipeline SET source = ?2, sink = ?3, mapping = ?4 WHERE id = ?1",
        params![pipeline.id, new.binding.source, new.binding.sink, new.binding.mapping],
    )?;
    Ok(Run {
        id,
        pipeline: new.pipeline.clone(),
        kind: new.kind,
        window: new.window,
        force: new.force,
        epoch: pipeline.head.epoch,
        position: None,
        pages: 0,
    })
}

/// See [`crate::state::State::resume_run`].
pub(super) fn resume(transaction: &Transaction<'_>, name: &PipelineName) -> Result<Option<Run>, StoreError> {
    let Some(mut pipeline) = Pipeline::find(transaction, name)? else {
        return Ok(None);
    };
    let Some(id) = pipeline.head.open else {
        return Ok(None);
    };
    pipeline.head.begin_epoch(Timestamp::now());
    pipeline.save(transaction)?;
    transaction.execute("UPDATE run SET ended = NULL, outcome = NULL WHERE id = ?1", [id])?;
    let run = transaction.query_row(
        "SELECT kind, window_start, window_end, force, position, pages FROM run WHERE id = ?1",
        [id],
        |row| {
            Ok(Run {
                id,
                pipeline: name.clone(),
                kind: row.get(0)?,
                window: window(row, 1)?,
                force: row.get(3)?,
                epoch: pipeline.head.epoch,
                position: row.get(4)?,
                pages: row.get(5)?,
            })
        },
    )?;
    Ok(Some(run))
}

/// See [`crate::state::State::advance`].
pub(super) fn advance(transaction: &Transaction<'_>, run: &Run, page: &Page) -> Result<(), StoreError> {
    Pipeline::of_run(transaction, run)?;
    transaction
        .prepare_cached(
            "UPDATE run SET pages = ?2, position = ?3, unchanged_at_source = unchanged_at_source + ?4, \
             dead_at_source = dead_at_source + ?5 WHERE id = ?1 AND pages < ?2",
        )?
        .execute(params![run.id, page.number, page.position, page.unchanged, page.dead])?;
    Ok(())
}

/// See [`crate::state::State::finish_run`].
pub(super) fn finish(
    transaction: &Transaction<'_>,
    run: &Run,
    end: &RunEnd,
) -> Result<RunSummary, StoreError> {
    let gone = || StoreError::from(taken_over(run));
    let mut pipeline = Pipeline::find(transaction, &run.pipeline)?.ok_or_else(gone)?;
    if pipeline.head.open != Some(run.id) {
        // Ended before: this call is a repetition, and a later run may have moved the cursor since.
        return summary(transaction, run.id)?.ok_or_else(gone);
    }
    pipeline.head.check(run)?;
    transaction.execute(
        "UPDATE run SET ended = ?2, outcome = ?3 WHERE id = ?1",
        params![run.id, Timestamp::now(), end],
    )?;
    if *end == RunEnd::Complete {
        pipeline.head.open = None;
        pipeline.save(transaction)?;
        if run.kind != RunKind::Chosen {
            let full = run.kind.is_whole();
            transaction.execute(
                "UPDATE pipeline SET cursor = ?2, last_full = iif(?3, ?2, last_full) WHERE id = ?1",
                params![pipeline.id, run.window.end, full],
            )?;
        }
    }
    let ended = summary(transaction, run.id)?.ok_or_else(gone)?;
    if *end != RunEnd::Complete || ended.ledger.outstanding() > 0 {
        return Ok(ended);
    }
    tally::over(transaction, run.id)?;
    summary(transaction, run.id)?.ok_or_else(gone)
}

/// One run.
pub(super) fn summary(connection: &Connection, id: RunId) -> Result<Option<RunSummary>, StoreError> {
    let found = connection
        .prepare_cached(&format!("{SUMMARY} WHERE r.id = ?1"))?
        .query_row([id], summary_of)
        .optional()?;
    Ok(found)
}

/// The newest runs, newest first, of one pipeline or of all.
pub(super) fn history(
    connection: &Connection,
    pipeline: Option<&PipelineName>,
    limit: usize,
) -> Result<Vec<RunSummary>, StoreError> {
    let runs = match pipeline {
        Some(name) => connection
            .prepare_cached(&format!("{SUMMARY} WHERE p.name = ?1 ORDER BY r.id DESC LIMIT ?2"))?
            .query_map(params![name, limit], summary_of)?
            .collect::<Result<_, _>>()?,
        None => connection
            .prepare_cached(&format!("{SUMMARY} ORDER BY r.id DESC LIMIT ?1"))?
            .query_map([limit], summary_of)?
            .collect::<Result<_, _>>()?,
    };
    Ok(runs)
}

/// A window from two columns, from `at` on.
pub(super) fn window(row: &Row<'_>, at: usize) -> rusqlite::Result<Window> {
    Ok(Window { start: row.get(at)?, end: row.get(at + 1)? })
}

fn summary_of(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    Ok(RunSummary {
        id: row.get(0)?,
        pipeline: row.get(1)?,
        kind: row.get(2)?,
        window: window(row, 3)?,
        started: row.get(5)?,
        ended: row.get(6)?,
        end: row.get(7)?,
        settled: row.get(17)?,
        ledger: ledger(row, 8)?,
    })
}

/// Jobs of unknown source and sink were worked on before the first run.
fn is_unbound(transaction: &Transaction<'_>, pipeline: &Pipeline) -> Result<bool, StoreError> {
    let unbound: bool =
        transaction.query_row("SELECT source IS NULL FROM pipeline WHERE id = ?1", [pipeline.id], |row| {
            row.get(0)
        })?;
    Ok(unbound && pipeline.head.counts != Counts::default())
}

/// Forgets everything that is about the former source and sink. The cursor is among it: a full run that fails must not
/// leave one behind from which an incremental run would go on.
fn reset(transaction: &Transaction<'_>, pipeline: &mut Pipeline, now: Timestamp) -> Result<(), StoreError> {
    for forget in [
        "DELETE FROM record WHERE pipeline = ?1",
        "DELETE FROM image WHERE pipeline = ?1",
        "DELETE FROM dead_letter WHERE pipeline = ?1",
        "DELETE FROM place WHERE run IN (SELECT id FROM run WHERE pipeline = ?1)",
        "UPDATE run SET superseded = enqueued - (created + updated + unchanged + gone + dead) WHERE pipeline = ?1",
        "UPDATE pipeline SET cursor = NULL, last_full = NULL WHERE id = ?1",
    ] {
        transaction.execute(forget, [pipeline.id])?;
    }
    transaction.execute(
        "UPDATE run SET settled = ?2 WHERE pipeline = ?1 AND outcome = ?3 AND settled IS NULL",
        params![pipeline.id, now, RunEnd::Complete],
    )?;
    pipeline.head.reset();
    Ok(())
}

/// See [`crate::state::State::forget_runs`].
pub(super) fn forget(
    transaction: &Transaction<'_>,
    name: &PipelineName,
    before: Timestamp,
) -> Result<(), StoreError> {
    transaction.execute(
        "DELETE FROM run WHERE started < ?2 AND \
         pipeline = (SELECT id FROM pipeline WHERE name = ?1) AND \
         id IS NOT (SELECT open_run FROM pipeline WHERE name = ?1)",
        params![name, before],
    )?;
    Ok(())
}

/// Keeps the history from growing for ever.
fn prune(transaction: &Transaction<'_>, pipeline: &Pipeline) -> Result<(), StoreError> {
    transaction.execute(
        "DELETE FROM run WHERE pipeline = ?1 AND id <= \
         (SELECT id FROM run WHERE pipeline = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        params![pipeline.id, HISTORY - 1],
    )?;
    Ok(())
}
