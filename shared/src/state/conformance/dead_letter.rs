//! Rules of dead letters.

use super::*;

async fn letters(state: &State) -> Vec<DeadLetter> {
    state.dead_letters(&products(), 100).await.unwrap()
}

pub(super) async fn a_dead_letter_comes_back_as_it_was(store: impl Fixture) {
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    job.bury(&state, "the sink refuses 'type'").await;
    drop(state);
    let state = store.open().await;
    assert_eq!(letters(&state).await, [job.letter("the sink refuses 'type'")]);
    assert_eq!(state.dead_letters(&"customers".parse().unwrap(), 10).await.unwrap(), []);
}

pub(super) async fn burying_twice_counts_once(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    state.bury(&[job.letter("first"), job.letter("first")]).await.unwrap();
    job.bury(&state, "second").await;
    assert_eq!(counts(&state).await, Counts { wanted: 1, dead: 1, ..Counts::default() });
    let expected = Ledger { seen: 1, enqueued: 1, dead: 1, ..Ledger::default() };
    assert_eq!(ledger(&state, run.id).await, expected);
    assert_eq!(letters(&state).await, [job.letter("second")], "the newest attempt is shown");
}

pub(super) async fn a_newer_version_replaces_the_letter_and_an_older_does_not(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    older.bury(&state, "older").await;
    let newer = enqueue(&state, &begin(&state).await, 1, 2).await;
    newer.bury(&state, "newer").await;
    older.bury(&state, "older").await;
    assert_eq!(letters(&state).await, [newer.letter("newer")]);
    assert_eq!(counts(&state).await, Counts { wanted: 1, dead: 1, ..Counts::default() });
}

pub(super) async fn a_success_clears_the_letter_of_its_version(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    let newer = enqueue(&state, &begin(&state).await, 1, 2).await;
    newer.bury(&state, "refused").await;
    older.settle(&state, Outcome::Created).await;
    assert_eq!(letters(&state).await.len(), 1, "an older success says nothing of newer values");
    assert_eq!(
        counts(&state).await,
        Counts { wanted: 1, applied: 1, outstanding: 0, dead: 1, ..Counts::default() }
    );
    newer.settle(&state, Outcome::Superseded).await;
    assert_eq!(letters(&state).await.len(), 1, "superseded is no success");
    newer.settle(&state, Outcome::Updated).await;
    assert_eq!(letters(&state).await, []);
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    // Counted dead when it died; the redrive's success is not of that run.
    assert_eq!(ledger(&state, newer.run).await.dead, 1);
}

pub(super) async fn a_letter_is_kept_while_changed_values_are_tried(store: impl Fixture) {
    let state = store.open().await;
    enqueue(&state, &begin(&state).await, 1, 1).await.bury(&state, "refused").await;
    let run = begin(&state).await;
    let changed = enqueue(&state, &run, 1, 2).await;
    assert_eq!(letters(&state).await.len(), 1);
    assert_eq!(outstanding(&state).await, ["1"]);
    assert_eq!(want(&state, &run, 1, 2).await, Wanted::Already);
    let back = enqueue(&state, &run, 1, 1).await;
    assert_eq!(want(&state, &run, 1, 1).await, Wanted::Already, "tried anew, not dead");
    changed.settle(&state, Outcome::Superseded).await;
    back.settle(&state, Outcome::Created).await;
    assert_eq!(letters(&state).await, []);
    assert_eq!(ledger(&state, run.id).await.outstanding(), 0);
}

pub(super) async fn a_letter_about_what_was_applied_meanwhile_is_only_counted(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    let later = begin(&state).await;
    enqueue(&state, &later, 1, 2).await.settle(&state, Outcome::Created).await;
    older.bury(&state, "refused").await;
    assert_eq!(letters(&state).await, []);
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    assert_eq!(ledger(&state, run.id).await.outstanding(), 0);
}

pub(super) async fn the_newest_letters_come_first(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    for id in [3, 1, 2] {
        enqueue(&state, &run, id, 1).await.bury(&state, "refused").await;
    }
    let keys: Vec<String> = letters(&state).await.iter().map(|letter| letter.job.key.to_string()).collect();
    assert_eq!(keys, ["2", "1", "3"]);
    assert_eq!(state.dead_letters(&products(), 2).await.unwrap().len(), 2);
}

pub(super) async fn a_redriven_job_is_claimed_again(store: impl Fixture) {
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    job.claim(&state).await;
    job.bury(&state, "refused").await;
    assert_eq!(marks(&job.claim(&state).await), 0);
    job.settle(&state, Outcome::Created).await;
    assert_eq!(job.claim(&state).await, Claimed::Applied);
}
