//! Small texts kept under a name.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::failure::StoreError;

pub(super) fn get(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let text = connection
        .prepare_cached("SELECT text FROM memo WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(text)
}

pub(super) fn all(connection: &Connection, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
    let found = connection
        .prepare_cached("SELECT name, text FROM memo WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?
        .query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

pub(super) fn swap(
    transaction: &Transaction<'_>,
    name: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> Result<bool, StoreError> {
    if get(transaction, name)?.as_deref() != before {
        return Ok(false);
    }
    set(transaction, name, after)?;
    Ok(true)
}

pub(super) fn set(transaction: &Transaction<'_>, name: &str, text: Option<&str>) -> Result<(), StoreError> {
    match text {
        Some(text) => {
            transaction.execute("REPLACE INTO memo (name, text) VALUES (?1, ?2)", params![name, text])?
        }
        None => transaction.execute("DELETE FROM memo WHERE name = ?1", [name])?,
    };
    Ok(())
}
