//! Rules of doubts: a call that may still be carried out over something newer.

use super::lease::{LONG, MOMENT, die_over, mature};
use super::*;

/// Waits until the next records become dirty, and answers how many.
async fn matured(state: &State) -> u64 {
    wait_for("a record that becomes dirty", async || Some(mature(state).await).filter(|dirty| *dirty > 0))
        .await
}

/// Waits until a doubt that is noted now has matured, and with it all that were noted before and last as long. The
/// record is number 100.
async fn let_doubts_mature(state: &State, run: &Run) {
    let older = enqueue(state, run, 100, 1).await;
    die_over(state, &older).await;
    let newer = enqueue(state, run, 100, 2).await;
    newer.claim_as(state, &claimant("us", MOMENT)).await;
    newer.settle(state, Outcome::Updated).await;
    assert_eq!(matured(state).await, 1, "only the one that measures the time");
    enqueue(state, run, 100, 2).await.settle(state, Outcome::Unchanged).await;
}

pub(super) async fn a_late_write_of_a_dead_worker_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    die_over(&state, &older).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    assert_eq!(marks(&newer.claim_as(&state, &claimant("us", MOMENT)).await), 0);
    newer.settle(&state, Outcome::Updated).await;
    assert_eq!(outstanding(&state).await, [""; 0]);
    drop(state);
    let state = store.open().await;
    let before = state.now().await.unwrap();
    assert_eq!(matured(&state).await, 1);
    assert_eq!(mature(&state).await, 0, "once");
    let all = Version { epoch: u64::MAX >> 1, sequence: 0 };
    let found = state.outstanding(&products(), all, 10).await.unwrap();
    assert_eq!((found[0].version, found.len()), (newer.version, 1));
    assert!(found[0].since.as_millisecond() >= before.as_millisecond());
    let expected = Counts { wanted: 1, applied: 1, outstanding: 1, ..Counts::default() };
    assert_eq!(counts(&state).await, expected);
    let repair = enqueue(&state, &run, 1, 2).await;
    assert!(repair.version > newer.version);
    assert_eq!(want(&state, &run, 1, 2).await, Wanted::Already);
    repair.claim(&state).await;
    repair.settle(&state, Outcome::Unchanged).await;
    assert_eq!(counts(&state).await, Counts { outstanding: 0, ..expected });
    assert_eq!(ledger(&state, run.id).await.enqueued, 1);
    let_doubts_mature(&state, &run).await;
}

pub(super) async fn a_late_write_of_a_call_that_was_broken_off_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let we = claimant("us", MOMENT);
    let mut jobs = Vec::new();
    for id in 1..=2 {
        let job = enqueue(&state, &run, id, 1).await;
        job.claim_as(&state, &we).await;
        // Of the first, no answer came in time; the second was refused.
        state.release(&products(), &[id.into()], &we, id == 1).await.unwrap();
        jobs.push(enqueue(&state, &run, id, 2).await);
    }
    for job in jobs {
        assert_eq!(marks(&job.claim_as(&state, &we).await), 0);
        job.settle(&state, Outcome::Updated).await;
    }
    assert_eq!(matured(&state).await, 1);
    assert_eq!(outstanding(&state).await, ["1"]);
}

pub(super) async fn where_nothing_can_come_late_nothing_is_in_doubt(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    die_over(&state, &enqueue(&state, &run, 1, 1).await).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    newer.claim(&state).await;
    state.release(&products(), &[1.into()], &us(), true).await.unwrap();
    let newest = enqueue(&state, &run, 1, 3).await;
    newest.claim(&state).await;
    newest.settle(&state, Outcome::Updated).await;
    let_doubts_mature(&state, &run).await;
}

pub(super) async fn where_nothing_newer_was_applied_nothing_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let we = claimant("us", MOMENT);
    let job = enqueue(&state, &run, 1, 1).await;
    die_over(&state, &job).await;
    assert_eq!(marks(&job.claim_as(&state, &we).await), 1);
    job.settle(&state, Outcome::Unchanged).await;
    // Of this one the newer version comes when nothing can be late any more.
    let early = enqueue(&state, &run, 2, 1).await;
    early.claim_as(&state, &we).await;
    state.release(&products(), &[2.into()], &we, true).await.unwrap();
    let_doubts_mature(&state, &run).await;
    for id in 1..=2 {
        let newer = enqueue(&state, &run, id, 2).await;
        newer.claim_as(&state, &we).await;
        newer.settle(&state, Outcome::Updated).await;
    }
    let_doubts_mature(&state, &run).await;
}

pub(super) async fn a_doubt_lasts_until_the_last_late_write_may_have_come(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    for (id, times) in [(1, [MOMENT, LONG]), (2, [LONG, MOMENT]), (3, [LONG, LONG])] {
        for late in times {
            let job = made(&run, id, 1, want_lost(&state, &begin_again(&state).await, id, 1).await);
            job.claim_as(&state, &claimant("us", late)).await;
            state.release(&products(), &[id.into()], &claimant("us", late), true).await.unwrap();
        }
    }
    let run = begin_again(&state).await;
    for id in 1..=3 {
        let newer = enqueue(&state, &run, id, 2).await;
        newer.claim(&state).await;
        newer.settle(&state, Outcome::Updated).await;
    }
    let_doubts_mature(&state, &run).await;
    assert_eq!(outstanding(&state).await, [""; 0]);
}

/// The same run in a new process.
async fn begin_again(state: &State) -> Run {
    state.resume_run(&products()).await.unwrap().unwrap()
}

pub(super) async fn of_several_doubts_the_oldest_version_counts(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let we = claimant("us", MOMENT);
    for content in 1..=2 {
        let job = enqueue(&state, &run, 1, content).await;
        job.claim_as(&state, &we).await;
        state.release(&products(), &[1.into()], &we, true).await.unwrap();
        if content == 2 {
            // Tried again, and applied: only the first can have gone over it.
            job.claim_as(&state, &we).await;
            job.settle(&state, Outcome::Updated).await;
        }
    }
    assert_eq!(matured(&state).await, 1);
}

pub(super) async fn a_doubt_is_kept_while_something_newer_is_being_written(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    die_over(&state, &enqueue(&state, &run, 1, 1).await).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    newer.claim_as(&state, &claimant("us", MOMENT)).await;
    newer.settle(&state, Outcome::Updated).await;
    // What it reads in the sink may be older than the late write, and what it writes newer.
    let newest = enqueue(&state, &run, 1, 3).await;
    newest.claim(&state).await;
    let_doubts_mature(&state, &run).await;
    assert_eq!(outstanding(&state).await, ["1"], "it is the newest that is outstanding");
    newest.settle(&state, Outcome::Updated).await;
    assert_eq!(outstanding(&state).await, [""; 0]);
    assert_eq!(matured(&state).await, 1);
    assert_eq!(outstanding(&state).await, ["1"]);
}

pub(super) async fn a_reset_forgets_doubts(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let we = claimant("us", MOMENT);
    let older = enqueue(&state, &run, 1, 1).await;
    older.claim_as(&state, &we).await;
    state.release(&products(), &[1.into()], &we, true).await.unwrap();
    let run = state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    enqueue(&state, &run, 1, 2).await.settle(&state, Outcome::Created).await;
    let_doubts_mature(&state, &run).await;
}

pub(super) async fn doubts_of_one_pipeline_are_unknown_to_another(store: impl Fixture) {
    let state = store.open().await;
    let customers: PipelineName = "customers".parse().unwrap();
    assert_eq!(state.mature(&customers).await.unwrap(), []);
    state.begin_run(&NewRun { pipeline: customers.clone(), ..new_run() }).await.unwrap();
    let run = begin(&state).await;
    let we = claimant("us", MOMENT);
    let older = enqueue(&state, &run, 1, 1).await;
    older.claim_as(&state, &we).await;
    state.release(&customers, &[1.into()], &we, true).await.unwrap();
    state.release(&products(), &[1.into()], &we, true).await.unwrap();
    let newer = enqueue(&state, &run, 1, 2).await;
    newer.settle(&state, Outcome::Updated).await;
    wait_for("the dirty record", async || {
        assert_eq!(state.mature(&customers).await.unwrap(), []);
        (mature(&state).await == 1).then_some(())
    })
    .await;
    assert_eq!(state.counts(&customers).await.unwrap(), Counts::default());
}

pub(super) async fn many_doubts_are_looked_at_in_turn(store: impl Fixture) {
    const RECORDS: u64 = 1_500;
    let state = store.open().await;
    let run = begin(&state).await;
    let we = claimant("us", MOMENT);
    for content in 1..=2 {
        let wants: Vec<Want> = (0..RECORDS).map(|id| want_of(id, content)).collect();
        let answers = state.want(&run, &wants, false).await.unwrap();
        let jobs: Vec<Made> =
            (0..).zip(answers).map(|(id, answer)| made(&run, id, content, answer)).collect();
        if content == 1 {
            let keys: Vec<RecordKey> = wants.into_iter().map(|want| want.key).collect();
            let claims: Vec<Claim> =
                jobs.iter().map(|job| Claim { key: job.id.into(), version: job.version }).collect();
            state.claim(&products(), &claims, &we).await.unwrap();
            state.release(&products(), &keys, &we, true).await.unwrap();
        } else {
            let settled: Vec<Settled> = jobs.iter().map(|job| job.settled(Outcome::Updated)).collect();
            state.settle(&products(), &settled).await.unwrap();
        }
    }
    let first = matured(&state).await;
    assert_eq!((first, matured(&state).await), (1_000, RECORDS - 1_000));
    assert_eq!(counts(&state).await.outstanding, RECORDS);
}
