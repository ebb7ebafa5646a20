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

pub(super) fn set(transaction: &Transaction<'_>, name: &str, text: Option<&str>) -> Result<(), StoreError> {
    match text {
        Some(text) => {
            transaction.execute("REPLACE INTO memo (name, text) VALUES (?1, ?2)", params![name, text])?
        }
        None => transaction.execute("DELETE FROM memo WHERE name = ?1", [name])?,
    };
    Ok(())
}
