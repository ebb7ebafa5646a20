//! Messages that are no job of ours.

use rusqlite::{Connection, Transaction, params};

use super::failure::StoreError;
use crate::checksum::Checksum;
use crate::state::Stray;
use crate::state::rules::STRAYS_MAX;

/// Keeps a message; one that is there already stays as it is, and the oldest go where there are too many.
pub(super) fn bury(transaction: &Transaction<'_>, stray: &Stray) -> Result<(), StoreError> {
    transaction
        .prepare_cached("INSERT INTO stray (id, stray) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING")?
        .execute(params![stray.id(), stray])?;
    transaction
        .prepare_cached(
            "DELETE FROM stray WHERE number <= (SELECT number FROM stray ORDER BY number DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([STRAYS_MAX])?;
    Ok(())
}

/// Newest first.
pub(super) fn newest(connection: &Connection, limit: usize) -> Result<Vec<Stray>, StoreError> {
    let strays = connection
        .prepare_cached("SELECT stray FROM stray ORDER BY number DESC LIMIT ?1")?
        .query_map([limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(strays)
}

/// Forgets one; whether it was there.
pub(super) fn discard(transaction: &Transaction<'_>, id: &Checksum) -> Result<bool, StoreError> {
    Ok(transaction.prepare_cached("DELETE FROM stray WHERE id = ?1")?.execute([id])? > 0)
}

/// How many are kept.
pub(super) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let count = connection.prepare_cached("SELECT count(*) FROM stray")?.query_row([], |row| row.get(0))?;
    Ok(count)
}
