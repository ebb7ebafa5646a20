//! The ledgers of runs inside a transaction: each place is counted once, whatever is repeated.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::StoreError;
use crate::record::{Outcome, RunId};
use crate::state::rules::Counted;
use crate::state::{Ledger, RunEnd};

/// Places per bitmap row. Jobs of a batch stand close together, so that a batch reads and writes one or two rows.
const PLACES_PER_CHUNK: u64 = 4_096;

/// One row of `place`: a bit per place.
type Chunk = [u8; (PLACES_PER_CHUNK / 8) as usize];

/// Counts of a transaction, written by [`Tally::save`].
#[derive(Debug, Default)]
struct Tally {
    /// `None`: the run is no longer in the history, nothing of it is counted.
    runs: HashMap<RunId, Option<RunTally>>,
    chunks: HashMap<(RunId, u64), Chunk>,
}

#[derive(Debug)]
struct RunTally {
    ledger: Ledger,
    ended: bool,
}

impl RunTally {
    fn load(connection: &Connection, run: RunId) -> Result<Option<Self>, StoreError> {
        let found = connection
            .prepare_cached(
                "SELECT ended IS NOT NULL AND id IS NOT (SELECT open_run FROM pipeline WHERE id = run.pipeline), \
                 unchanged_at_source, dead_at_source, enqueued, created, updated, unchanged, superseded, dead, gone \
                 FROM run WHERE id = ?1",
            )?
            .query_row([run], |row| Ok(Self { ended: row.get(0)?, ledger: ledger(row, 1)? }))
            .optional()?;
        Ok(found)
    }
}

/// How many places a run has given.
pub(super) fn places(connection: &Connection, run: RunId) -> Result<u64, StoreError> {
    let places = connection
        .prepare_cached("SELECT enqueued FROM run WHERE id = ?1")?
        .query_row([run], |row| row.get(0))?;
    Ok(places)
}

/// Writes how many places a run has given, and how the jobs at some places ended.
pub(super) fn save(
    connection: &Connection,
    enqueued: Option<(RunId, u64)>,
    counted: &[Counted],
) -> Result<(), StoreError> {
    if let Some((run, places)) = enqueued {
        connection
            .prepare_cached("UPDATE run SET enqueued = ?2 WHERE id = ?1")?
            .execute(params![run, places])?;
    }
    let mut tally = Tally::default();
    for counted in counted {
        tally.count(connection, counted)?;
    }
    tally.save(connection)
}

impl Tally {
    /// Counts how the job at a place ended, unless the place was counted before.
    fn count(&mut self, connection: &Connection, counted: &Counted) -> Result<(), StoreError> {
        let Counted { run, place, outcome } = *counted;
        let Some(tally) = self.run(connection, run)? else {
            return Ok(());
        };
        // A run that has been counted to its end has no bitmap any more.
        if place >= tally.ledger.enqueued || tally.ledger.outstanding() == 0 {
            return Ok(());
        }
        if !self.mark(connection, run, place)? {
            return Ok(());
        }
        if let Some(tally) = self.run(connection, run)? {
            let ledger = &mut tally.ledger;
            *match outcome {
                Outcome::Created => &mut ledger.created,
                Outcome::Updated => &mut ledger.updated,
                Outcome::Unchanged => &mut ledger.unchanged,
                Outcome::Gone => &mut ledger.gone,
                Outcome::Superseded => &mut ledger.superseded,
                Outcome::Dead => &mut ledger.dead,
            } += 1;
        }
        Ok(())
    }

    /// Writes ledgers and bitmaps; the bitmap of a run that has ended and is counted to its end goes.
    fn save(self, connection: &Connection) -> Result<(), StoreError> {
        let mut counted_out = Vec::new();
        for (run, tally) in self.runs {
            let Some(RunTally { ledger, ended }) = tally else {
                continue;
            };
            connection
                .prepare_cached(
                    "UPDATE run SET created = ?2, updated = ?3, unchanged = ?4, superseded = ?5, dead = ?6, \
                     gone = ?7 WHERE id = ?1",
                )?
                .execute(params![
                    run,
                    ledger.created,
                    ledger.updated,
                    ledger.unchanged,
                    ledger.superseded,
                    ledger.dead,
                    ledger.gone,
                ])?;
            if ended && ledger.outstanding() == 0 {
                over(connection, run)?;
                counted_out.push(run);
            }
        }
        for ((run, chunk), bits) in self.chunks {
            if !counted_out.contains(&run) {
                connection
                    .prepare_cached("REPLACE INTO place (run, chunk, bits) VALUES (?1, ?2, ?3)")?
                    .execute(params![run, chunk, bits])?;
            }
        }
        Ok(())
    }

    fn run(&mut self, connection: &Connection, run: RunId) -> Result<Option<&mut RunTally>, StoreError> {
        let tally = match self.runs.entry(run) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => slot.insert(RunTally::load(connection, run)?),
        };
        Ok(tally.as_mut())
    }

    /// Sets the bit of a place; `false` where it was set.
    fn mark(&mut self, connection: &Connection, run: RunId, place: u64) -> Result<bool, StoreError> {
        let number = place / PLACES_PER_CHUNK;
        let chunk = match self.chunks.entry((run, number)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => {
                let bits = connection
                    .prepare_cached("SELECT bits FROM place WHERE run = ?1 AND chunk = ?2")?
                    .query_row(params![run, number], |row| row.get(0))
                    .optional()?;
                slot.insert(bits.unwrap_or([0; _]))
            }
        };
        let within = place % PLACES_PER_CHUNK;
        let byte = usize::try_from(within / 8).ok().and_then(|byte| chunk.get_mut(byte));
        let bit = 1_u8 << (within % 8);
        Ok(byte.is_some_and(|byte| {
            let fresh = *byte & bit == 0;
            *byte |= bit;
            fresh
        }))
    }
}

/// The last job of a run that has ended is counted: its bitmap goes, and where it was complete, it is over.
pub(super) fn over(connection: &Connection, run: RunId) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM place WHERE run = ?1")?.execute([run])?;
    connection
        .prepare_cached("UPDATE run SET settled = ?2 WHERE id = ?1 AND outcome = ?3 AND settled IS NULL")?
        .execute(params![run, Timestamp::now(), RunEnd::Complete])?;
    Ok(())
}

/// A ledger from nine columns, from `at` on.
pub(super) fn ledger(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Ledger> {
    let (unchanged_at_source, dead_at_source, enqueued) = (row.get(at)?, row.get(at + 1)?, row.get(at + 2)?);
    Ok(Ledger {
        seen: unchanged_at_source + dead_at_source + enqueued,
        unchanged_at_source,
        dead_at_source,
        enqueued,
        created: row.get(at + 3)?,
        updated: row.get(at + 4)?,
        unchanged: row.get(at + 5)?,
        superseded: row.get(at + 6)?,
        dead: row.get(at + 7)?,
        gone: row.get(at + 8)?,
    })
}
