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

/// Replaces a text by another one, if it is still `before`; `false` where it is not.
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

/// All texts whose names begin so, by name.
pub(super) fn of_prefix(connection: &Connection, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT name, text FROM memo WHERE name >= ?1 ORDER BY name")?;
    let mut rows = statement.query([prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(prefix) {
            break;
        }
        found.push((name, row.get(1)?));
    }
    Ok(found)
}
