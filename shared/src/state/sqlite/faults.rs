//! Faults that need the connection itself: a full disk, a locked file, a panic, a history without end.

use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::checksum::Checksum;
use crate::failure::{Class, Reason};
use crate::record::{Outcome, WorkerId};
use crate::state::{Binding, RunKind, Settled, Want, Wanted, Window};

fn new_run() -> NewRun {
    let checksum = Checksum::try_from([0; 32].as_slice()).unwrap();
    NewRun {
        pipeline: "products".parse().unwrap(),
        kind: RunKind::Full,
        window: Window { start: None, end: "2026-11-21T00:00:00Z".parse().unwrap() },
        binding: Binding { source: "a".to_owned(), sink: "b".to_owned(), mapping: checksum },
        force: false,
        reset: false,
    }
}

fn wants(ids: std::ops::Range<u64>) -> Vec<Want> {
    let checksum = Checksum::try_from([1; 32].as_slice()).unwrap();
    ids.map(|id| Want { key: id.into(), checksum, image: None }).collect()
}

fn set(state: &SqliteState, pragma: &str, value: u32) {
    let connection = state.connection.lock().unwrap();
    connection.pragma_update_and_check(None, pragma, value, |_| Ok(())).unwrap();
}

async fn opened() -> (tempfile::TempDir, SqliteState) {
    let folder = tempfile::tempdir().unwrap();
    let state = SqliteState::open(Some(&folder.path().join("state.db"))).await.unwrap();
    (folder, state)
}

#[tokio::test]
async fn a_full_disk_is_systemic_loses_nothing_and_goes_on_when_there_is_room() {
    let (_folder, state) = opened().await;
    let run = state.begin_run(&new_run()).await.unwrap();
    state.want(&run, &wants(0..100), false).await.unwrap();
    set(&state, "max_page_count", 30);
    let failure = state.want(&run, &wants(100..2_000), false).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::DiskFull));
    assert_eq!(state.counts(&run.pipeline).await.unwrap().wanted, 100);
    set(&state, "max_page_count", 1_000_000);
    let answers = state.want(&run, &wants(100..2_000), false).await.unwrap();
    assert!(matches!(answers[0], Wanted::Enqueue { place: 100, .. }), "{:?}", answers[0]);
}

#[tokio::test]
async fn a_lock_held_too_long_is_transient_and_readers_do_not_wait_for_it() {
    let (folder, state) = opened().await;
    let run = state.begin_run(&new_run()).await.unwrap();
    state.connection.lock().unwrap().busy_timeout(Duration::from_millis(1)).unwrap();
    let other = Connection::open(folder.path().join("state.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failure = state.want(&run, &wants(0..1), false).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Locked));
    assert!(failure.advice().unwrap().contains("second catalog-sync"), "{failure}");
    assert_eq!(state.counts(&run.pipeline).await.unwrap(), Counts::default());
    other.execute_batch("ROLLBACK").unwrap();
    state.want(&run, &wants(0..1), false).await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_never_written_by_us_is_damage() {
    let (_folder, state) = opened().await;
    let run = state.begin_run(&new_run()).await.unwrap();
    state.want(&run, &wants(0..1), false).await.unwrap();
    state.connection.lock().unwrap().execute("UPDATE record SET wanted_checksum = x'00'", []).unwrap();
    let failure = state.want(&run, &wants(0..1), false).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::File));
    assert!(failure.to_string().contains("rebuilds the state"), "{failure}");
}

#[tokio::test]
async fn a_panic_inside_a_transaction_rolls_it_back_and_leaves_the_store_usable() {
    let state = SqliteState::open(None).await.unwrap();
    let panicking = state.clone();
    let panicked = tokio::spawn(async move {
        panicking
            .write::<()>(|transaction| {
                memo::set(transaction, "half", Some("done"))?;
                panic!("a bug");
            })
            .await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(state.memo("half").await.unwrap(), None);
    state.set_memo("half", Some("done")).await.unwrap();
}

#[tokio::test]
async fn history_keeps_a_thousand_runs_and_late_jobs_of_older_ones_are_applied_uncounted() {
    let state = SqliteState::open(None).await.unwrap();
    let first = state.begin_run(&new_run()).await.unwrap();
    let answers = state.want(&first, &wants(0..1), false).await.unwrap();
    let Wanted::Enqueue { version, place } = answers[0] else { panic!("{answers:?}") };
    for _ in 0..1_001 {
        state.begin_run(&new_run()).await.unwrap();
    }
    assert_eq!(state.runs(None, 5_000).await.unwrap().len(), 1_000);
    assert_eq!(state.run(first.id).await.unwrap(), None);
    let Want { key, checksum, .. } = wants(0..1).remove(0);
    let late = Settled {
        run: first.id,
        place,
        key,
        version,
        checksum,
        worker: WorkerId::of_process(),
        outcome: Outcome::Created,
        sink_id: None,
        image: None,
    };
    state.settle(&first.pipeline, &[late]).await.unwrap();
    assert_eq!(state.counts(&first.pipeline).await.unwrap().applied, 1);
}

#[tokio::test]
async fn bitmaps_go_with_the_runs_that_are_counted_to_their_end() {
    let state = SqliteState::open(None).await.unwrap();
    let bitmaps = || -> u32 {
        let connection = state.connection.lock().unwrap();
        connection.query_row("SELECT count(*) FROM place", [], |row| row.get(0)).unwrap()
    };
    for settle_first in [true, false] {
        let run = state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
        let wanted = wants(0..2);
        let answers = state.want(&run, &wanted, false).await.unwrap();
        let settled: Vec<Settled> = wanted
            .into_iter()
            .zip(answers)
            .map(|(Want { key, checksum, .. }, answer)| {
                let Wanted::Enqueue { version, place } = answer else { panic!("{answer:?}") };
                let (run, outcome, sink_id) = (run.id, Outcome::Created, None);
                let worker = WorkerId::of_process();
                Settled { run, place, key, version, checksum, worker, outcome, sink_id, image: None }
            })
            .collect();
        state.settle(&run.pipeline, &settled[..1]).await.unwrap();
        assert_eq!(bitmaps(), 1);
        if settle_first {
            state.settle(&run.pipeline, &settled).await.unwrap();
            state.finish_run(&run, &RunEnd::Complete).await.unwrap();
        } else {
            state.finish_run(&run, &RunEnd::Complete).await.unwrap();
            assert_eq!(bitmaps(), 1, "one job is still to come");
            state.settle(&run.pipeline, &settled).await.unwrap();
        }
        assert_eq!(bitmaps(), 0);
        assert_eq!(state.run(run.id).await.unwrap().unwrap().ledger.created, 2);
    }
}
