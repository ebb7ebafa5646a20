//! The layout of the file: who it belongs to, its tables and how older layouts are brought up.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::StoreError;
use crate::failure::{Failure, Reason};

/// "csyn": in the header of every state, so that no other program's database is ever written to.
pub(super) const APPLICATION_ID: u32 = 0x6373_796e;

/// One step per layout version; a step is never changed once it was released.
const MIGRATIONS: &[&str] = &[
    include_str!("layout_1.sql"),
    include_str!("layout_2.sql"),
    include_str!("layout_3.sql"),
    include_str!("layout_4.sql"),
    include_str!("layout_5.sql"),
    include_str!("layout_6.sql"),
];

/// How long a call waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens or creates the file at `path`; `None`: a state in memory.
pub(super) fn open(path: Option<&Path>) -> Result<Connection, StoreError> {
    let mut connection = match path {
        Some(path) => {
            refuse_foreign(path)?;
            // Without the URI flag: a file name is a file name, whatever is in it.
            Connection::open_with_flags(
                path,
                OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?
        }
        None => Connection::open_in_memory()?,
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(&mut connection, MIGRATIONS, path.unwrap_or(Path::new("in memory")))?;
    // Only now: what stands in the write-ahead log alone is not seen by the look at the header.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // KiB; negative by SQLite's convention.
    connection.pragma_update(None, "cache_size", -16_384)?;
    // Bytes that the write-ahead log keeps after a large transaction (a reset).
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    Ok(connection)
}

/// Looks at the header without `SQLite`: opening a foreign database could already merge its write-ahead log.
fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let mut header = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.and_then(|file| file.take(100).read_to_end(&mut header)).map_err(|error| {
            Failure::systemic(Reason::File, format!("the state {} cannot be read", path.display()))
                .because(error)
                .advise("check that it is a file and that this user may read and write it")
        })?,
    };
    let is_database = header.starts_with(b"SQLite format 3\0");
    // Offset 68, big-endian: the application id.
    let application = header.get(68..72).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    if header.is_empty() || (is_database && application == Some(APPLICATION_ID)) {
        return Ok(());
    }
    let what = if is_database { "the database of another program" } else { "no state of catalog-sync" };
    Err(Failure::configuration(format!("{} is {what}; it was not touched", path.display())).advise(
        "name another file for the state; if it was the state once, it is damaged: move it away, the next run \
         rebuilds it from the sink, at the cost of time only",
    ))
}

/// Brings the layout up to the newest in one transaction; waits for another process that is at it.
fn migrate(connection: &mut Connection, steps: &[&str], path: &Path) -> Result<(), StoreError> {
    let current = |connection: &Connection| -> rusqlite::Result<usize> {
        connection.pragma_query_value(None, "user_version", |row| row.get(0))
    };
    if current(connection)? == steps.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = current(&transaction)?;
    let Some(missing) = steps.get(version..) else {
        return Err(Failure::configuration(format!(
            "the state {} has layout {version}, and this version of catalog-sync knows layouts up to {}",
            path.display(),
            steps.len()
        ))
        .advise("use the newer catalog-sync that wrote it, or name another file for the state")
        .into());
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", steps.len())?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;
    use crate::record::{RunId, Version};
    use crate::state::{Claim, Claimant, Claimed, ClaimedImage, ImageClaim, State};

    fn refused(path: &Path) -> Failure {
        match open(Some(path)) {
            Err(error) => error.into_failure(path),
            Ok(_) => panic!("{} was opened", path.display()),
        }
    }

    #[test]
    fn an_older_layout_is_brought_up_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (7);";
        migrate(&mut connection, &[first], Path::new("s")).unwrap();
        migrate(&mut connection, &[first, "ALTER TABLE a ADD COLUMN y;"], Path::new("s")).unwrap();
        let x: u32 = connection.query_row("SELECT x FROM a WHERE y IS NULL", [], |row| row.get(0)).unwrap();
        assert_eq!(x, 7);
    }

    /// A file of the first layout as it was left by its last process, with a record of each stage, marks on a record
    /// and an image, and a run of each end.
    const FIRST_LAYOUT: &str = "
        INSERT INTO pipeline (id, name, source, sink, mapping, open_run, epoch, sequence, wanted, applied, outstanding,
            images_wanted, images_outstanding) VALUES (1, 'products', 'a', 'b', zeroblob(32), 4, 70, 2, 2, 1, 1, 1, 1);
        INSERT INTO run (id, pipeline, kind, window_end, force, started, ended, outcome, enqueued, created) VALUES
            (1, 1, '\"full\"', '2026-11-20T00:00:00Z', 0, '2026-11-20T00:00:00Z', '2026-11-20T00:10:00Z', '\"complete\"', 2, 2),
            (2, 1, '\"full\"', '2026-11-20T00:00:00Z', 0, '2026-11-20T01:00:00Z', '2026-11-20T01:10:00Z', '\"complete\"', 2, 1),
            (3, 1, '\"full\"', '2026-11-20T00:00:00Z', 0, '2026-11-20T02:00:00Z', '2026-11-20T02:10:00Z', '\"interrupted\"', 0, 0),
            (4, 1, '\"full\"', '2026-11-20T00:00:00Z', 0, '2026-11-20T03:00:00Z', NULL, NULL, 2, 0);
        INSERT INTO record (pipeline, key, stage, dirty, wanted_epoch, wanted_sequence, wanted_checksum, run, place, since,
            applied_epoch, applied_sequence, started, started_epoch, started_sequence) VALUES
            (1, '1', 2, 0, 70, 1, zeroblob(32), 4, 0, NULL, 70, 1, NULL, NULL, NULL),
            (1, '2', 1, 0, 70, 2, zeroblob(32), 4, 1, '2026-11-20T03:00:00Z', NULL, NULL, 1, 70, 2);
        INSERT INTO image (pipeline, key, stage, wanted_epoch, wanted_sequence, reference, run, since, attempt, started,
            started_epoch, started_sequence) VALUES (1, '1', 1, 70, 1, 'front.jpg', 4, '2026-11-20T03:00:00Z', 1, 1, 70, 1);
        INSERT INTO memo VALUES ('worker/a', 'kept');
        INSERT INTO dead_letter (pipeline, kind, key, epoch, sequence, letter) VALUES (1, 'record', '3', 70, 3,
            '{\"job\":{\"format\":1,\"kind\":\"record\",\"pipeline\":\"products\",\"key\":\"3\",\"version\":{\"epoch\":70,\"sequence\":3},
            \"checksum\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"run\":4,\"place\":0,\"attempt\":1,
            \"values\":{}},\"failure\":{\"at\":\"2026-11-20T03:00:00Z\",\"class\":\"permanent\",\"reason\":\"bad_record\",\"message\":\"no\"}}');";

    #[tokio::test]
    async fn a_state_of_the_first_layout_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut first = Connection::open(&path).unwrap();
        migrate(&mut first, &MIGRATIONS[..1], &path).unwrap();
        first.execute_batch(FIRST_LAYOUT).unwrap();
        drop(first);

        let state = State::open_file(&path).await.unwrap();
        let products = "products".parse().unwrap();
        let settled = async |id| state.run(RunId(id)).await.unwrap().unwrap().settled;
        assert_eq!(settled(1).await, Some("2026-11-20T00:10:00Z".parse().unwrap()), "it is over");
        for id in 2..=4 {
            assert_eq!(settled(id).await, None, "run {id} is not");
        }
        // The process that left these marks is dead: its calls may still come.
        let worker = Claimant { worker: "b".parse().unwrap(), late: Duration::from_millis(1) };
        let claim = Claim { key: 2.into(), version: Version { epoch: 70, sequence: 2 } };
        let answers = state.claim(&products, &[claim], &worker).await.unwrap();
        assert_eq!(answers, [Claimed::Go { marks: 1, sink_id: None, was_gone: false }]);
        let image = state.outstanding_images(&products, None, 10).await.unwrap().remove(0);
        let claim = ImageClaim { key: image.key, version: image.version, reference: image.reference };
        let answers = state.claim_images(&products, &[claim], 0, &worker).await.unwrap();
        assert_eq!(answers, [ClaimedImage::Go { marks: 1, applied: None }]);
        assert_eq!(state.memo("worker/a").await.unwrap().as_deref(), Some("kept"));
        assert_eq!(
            (state.stray_count().await.unwrap(), state.mature(&products).await.unwrap().len()),
            (0, 0)
        );
        assert_eq!(state.letter_counts(&products).await.unwrap(), [(Reason::BadRecord, 1)]);
        let bad = state.letters(&products, Some(Reason::BadRecord), None, 10).await.unwrap();
        assert_eq!((bad[0].letter.job.key.clone(), bad[0].letter.unmapped), (3.into(), false));
        let again = state.resume_run(&products).await.unwrap().unwrap();
        assert_eq!((again.id, again.epoch > 70), (RunId(4), true));
        let counts = state.counts(&products).await.unwrap();
        assert_eq!((counts.wanted, counts.applied, counts.outstanding), (2, 1, 1));
    }

    #[test]
    fn a_step_that_fails_leaves_the_older_layout() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &["CREATE TABLE a (x);"], Path::new("s")).unwrap();
        let steps = ["CREATE TABLE a (x);", "CREATE TABLE b (x); no SQL;"];
        migrate(&mut connection, &steps, Path::new("s")).unwrap_err();
        let tables: u32 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_newer_layout_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        open(Some(&path)).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let failure = refused(&path);
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
        assert!(failure.what().contains("layout 99"), "{failure}");
    }

    #[test]
    fn a_foreign_file_is_refused_and_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("catalogue.json");
        std::fs::write(&json, r#"{"products":[]}"#).unwrap();
        let database = folder.path().join("other.db");
        Connection::open(&database).unwrap().execute_batch("CREATE TABLE theirs (x);").unwrap();
        for path in [&json, &database] {
            let before = std::fs::read(path).unwrap();
            let failure = refused(path);
            assert_eq!(failure.reason, Reason::Configuration, "{failure}");
            assert_eq!(std::fs::read(path).unwrap(), before);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing was written beside them");
    }

    #[test]
    fn an_empty_file_becomes_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::fs::write(&path, "").unwrap();
        drop(open(Some(&path)).unwrap());
        drop(open(Some(&path)).unwrap());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let failure = refused(&folder.path().join("missing/state.db"));
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::File));
        assert!(failure.what().contains("missing"), "{failure}");
    }

    #[test]
    fn a_folder_in_its_place_is_a_file_failure() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(refused(folder.path()).reason, Reason::File);
    }

    #[test]
    fn a_damaged_state_is_told_from_a_foreign_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(open(Some(&path)).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100..].fill(0xAA);
        std::fs::write(&path, bytes).unwrap();
        let failure = refused(&path);
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::File));
        assert!(failure.to_string().contains("rebuilds the state"), "{failure}");
    }
}
