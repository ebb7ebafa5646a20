//! Records that their source no longer has: what is wanted of them, and how they come back.

use super::image::{bring, image_job};
use super::*;

const LONG: Duration = Duration::from_hours(1);
const MOMENT: Duration = Duration::from_millis(1);

fn goes(was_gone: bool, job: &Claimed) -> bool {
    matches!(job, Claimed::Go { was_gone: told, .. } if *told == was_gone)
}

pub(super) async fn a_record_that_is_gone_is_counted_so_and_comes_back(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let later = begin(&state).await;
    let gone = enqueue(&state, &later, 1, GONE).await;
    assert!(goes(false, &gone.claim(&state).await));
    assert!(goes(false, &gone.claim(&state).await), "its own second try brings nothing back");
    gone.settle(&state, Outcome::Gone).await;
    gone.settle(&state, Outcome::Gone).await;
    let expected = Ledger { seen: 1, enqueued: 1, gone: 1, ..Ledger::default() };
    assert_eq!(ledger(&state, later.id).await, expected);
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    assert_eq!(gone.claim(&state).await, Claimed::Applied);

    let last = begin(&state).await;
    assert_eq!(want(&state, &last, 1, GONE).await, Wanted::Unchanged);
    // With the very values that it had before.
    let back = enqueue(&state, &last, 1, 1).await;
    assert_eq!(
        back.claim(&state).await,
        Claimed::Go { marks: 0, sink_id: Some("sink-1".to_owned()), was_gone: true }
    );
    back.settle(&state, Outcome::Updated).await;
    assert!(goes(false, &enqueue(&state, &last, 1, 2).await.claim(&state).await), "once");
}

pub(super) async fn a_record_that_was_archived_in_vain_is_brought_back_all_the_same(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let gone = enqueue(&state, &run, 1, GONE).await;
    assert!(goes(false, &gone.claim(&state).await));
    // Its worker was killed after it had called the sink, and nobody knows that the record is archived.
    let back = enqueue(&state, &run, 1, 1).await;
    assert_eq!(gone.claim(&state).await, Claimed::Superseded);
    assert!(goes(true, &back.claim(&state).await));
    back.settle(&state, Outcome::Unchanged).await;
    assert!(goes(false, &enqueue(&state, &run, 1, 2).await.claim(&state).await));
}

pub(super) async fn an_archiving_call_that_lands_late_over_a_return_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let gone = enqueue(&state, &run, 1, GONE).await;
    gone.claim_as(&state, &claimant("dead", LONG)).await;
    let back = enqueue(&state, &run, 1, 2).await;
    assert!(goes(true, &back.claim_as(&state, &claimant("us", MOMENT)).await));
    back.settle(&state, Outcome::Updated).await;
    wait_for("a record that becomes dirty", async || {
        Some(state.mature(&products()).await.unwrap()).filter(|dirty| !dirty.is_empty())
    })
    .await;
    assert_eq!(back.claim(&state).await, Claimed::Applied);
    back.settle(&state, Outcome::Unchanged).await;
    let later = begin(&state).await;
    let repair = enqueue(&state, &later, 1, 2).await;
    assert!(goes(true, &repair.claim(&state).await), "it may have been archived since");
    repair.settle(&state, Outcome::Unchanged).await;
    assert!(goes(false, &enqueue(&state, &later, 1, 3).await.claim(&state).await));
}

pub(super) async fn a_worker_that_archives_after_its_lease_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let gone = enqueue(&state, &run, 1, GONE).await;
    gone.claim(&state).await;
    let back = enqueue(&state, &run, 1, 2).await;
    back.claim(&state).await;
    back.settle(&state, Outcome::Updated).await;
    gone.settle(&state, Outcome::Gone).await;
    assert_eq!(outstanding(&state).await, ["1"], "dirty");
    assert!(goes(true, &enqueue(&state, &run, 1, 2).await.claim(&state).await));
}

pub(super) async fn values_that_land_late_over_a_record_that_is_gone_are_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let slow = enqueue(&state, &run, 1, 1).await;
    slow.claim(&state).await;
    let gone = enqueue(&state, &run, 1, GONE).await;
    gone.settle(&state, Outcome::Gone).await;
    slow.settle(&state, Outcome::Updated).await;
    assert_eq!(outstanding(&state).await, ["1"], "dirty");
    assert_eq!(state.withdraw(&products(), &[1.into()]).await.unwrap(), [1.into()]);
    let repair = made(&run, 1, GONE, want_lost(&state, &run, 1, GONE).await);
    repair.settle(&state, Outcome::Gone).await;
    assert_eq!(outstanding(&state).await, [""; 0]);
}

pub(super) async fn what_is_outstanding_as_gone_is_not_withdrawn(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    for id in 1..=2 {
        enqueue(&state, &run, id, 1).await.settle(&state, Outcome::Created).await;
    }
    let later = begin(&state).await;
    enqueue(&state, &later, 1, GONE).await;
    enqueue(&state, &later, 2, 2).await;
    let again = state.withdraw(&products(), &[1.into(), 2.into(), 3.into()]).await.unwrap();
    assert_eq!(again, [1.into()]);
    assert_eq!(outstanding(&state).await, ["1"]);
    let last = begin(&state).await;
    assert!(matches!(want_lost(&state, &last, 1, GONE).await, Wanted::Enqueue { .. }));
}

pub(super) async fn an_image_of_a_record_that_is_gone_is_not_wanted(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    enqueue(&state, &run, 1, GONE).await.settle(&state, Outcome::Gone).await;
    assert_eq!(job.claim(&state).await, ClaimedImage::Superseded);
    job.bury(&state).await;
    assert_eq!(counts(&state).await.images, ImageCounts::default(), "no letter about it");
    bring(&state, &run, 1, 1, Some(1)).await;
    image_job(&state).await.settle(&state, Outcome::Created).await;
}

pub(super) async fn a_complete_sweep_counts_as_a_run_over_everything(store: impl Fixture) {
    let state = store.open().await;
    let window = Window { start: None, end: time("2026-11-21T00:00:00Z") };
    let sweep = NewRun { kind: RunKind::Sweep, window, ..new_run() };
    let run = state.begin_run(&sweep).await.unwrap();
    assert_eq!(state.pipeline(&products()).await.unwrap().unwrap().open.unwrap().kind, RunKind::Sweep);
    assert_eq!(finish(&state, &run).await.kind, RunKind::Sweep);
    let known = state.pipeline(&products()).await.unwrap().unwrap();
    assert_eq!((known.cursor, known.last_full), (Some(window.end), Some(window.end)));
}
