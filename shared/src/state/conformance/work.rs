//! Rules of `claim`, `release` and `settle`.

use super::*;

pub(super) async fn a_claimed_job_goes_on_with_its_sink_id(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    assert_eq!(job.claim(&state).await, Claimed::Go { marks: 0, sink_id: None, was_gone: false });
    job.settle(&state, Outcome::Created).await;
    let next = enqueue(&state, &run, 1, 2).await;
    assert_eq!(
        next.claim(&state).await,
        Claimed::Go { marks: 0, sink_id: Some("sink-1".to_owned()), was_gone: false }
    );
}

pub(super) async fn an_older_version_is_superseded_and_an_applied_one_is_applied(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    let other = enqueue(&state, &run, 2, 1).await;
    let claims = [older, other, newer].map(|job| Claim { key: job.id.into(), version: job.version });
    let answers = state.claim(&products(), &claims, &us()).await.unwrap();
    assert_eq!(answers[0], Claimed::Superseded);
    assert_eq!((marks(&answers[1]), marks(&answers[2])), (0, 0));
    newer.settle(&state, Outcome::Updated).await;
    assert_eq!(newer.claim(&state).await, Claimed::Applied);
    assert_eq!(older.claim(&state).await, Claimed::Superseded);
}

pub(super) async fn started_marks_count_until_they_are_taken_back(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    for earlier in 0..3 {
        assert_eq!(marks(&job.claim(&state).await), earlier);
    }
    state.release(&products(), &[1.into(), 8.into()], &us(), false).await.unwrap();
    state.release(&products(), &[1.into()], &us(), false).await.unwrap();
    state.release(&"unheard-of".parse().unwrap(), &[1.into()], &us(), false).await.unwrap();
    assert_eq!(marks(&job.claim(&state).await), 0);
    drop(state);
    let state = store.open().await;
    assert_eq!(marks(&job.claim(&state).await), 1, "a mark outlives its worker");
    job.bury(&state, "refused").await;
    assert_eq!(marks(&job.claim(&state).await), 0);
}

pub(super) async fn started_marks_belong_to_one_version(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    older.claim(&state).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    assert_eq!(marks(&newer.claim(&state).await), 0);
    older.settle(&state, Outcome::Superseded).await;
    assert_eq!(marks(&newer.claim(&state).await), 1, "the end of an older job takes no newer mark");
    newer.settle(&state, Outcome::Updated).await;
    let newest = enqueue(&state, &run, 1, 3).await;
    assert_eq!(marks(&newest.claim(&state).await), 0);
}

pub(super) async fn started_marks_go_on_when_the_same_values_are_enqueued_again(store: impl Fixture) {
    let state = store.open().await;
    begin(&state).await;
    let mut run = state.resume_run(&products()).await.unwrap().unwrap();
    let mut job = enqueue(&state, &run, 1, 1).await;
    for deaths in 0..3 {
        assert_eq!(marks(&job.claim(&state).await), deaths);
        run = state.resume_run(&products()).await.unwrap().unwrap();
        job = made(&run, 1, 1, want_lost(&state, &run, 1, 1).await);
    }
    assert_eq!(marks(&job.claim(&state).await), 3, "whoever kills its workers is found out");
}

pub(super) async fn a_marked_job_is_to_be_claimed_with_fewer_and_fewer_others(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let mut jobs = Vec::new();
    for id in 0..11 {
        jobs.push(enqueue(&state, &run, id, 1).await);
    }
    let claim = async |jobs: &[Made]| {
        let claims: Vec<Claim> =
            jobs.iter().map(|job| Claim { key: job.id.into(), version: job.version }).collect();
        state.claim(&products(), &claims, &us()).await.unwrap()
    };
    let deadly = &jobs[0];
    deadly.claim(&state).await;
    let answers = claim(&jobs).await;
    assert_eq!(answers[0], Claimed::Suspect { at_most: 10 });
    assert_eq!(marks(&answers[1]), 0);
    let answers = claim(&jobs[..10]).await;
    assert_eq!(marks(&answers[0]), 1, "the larger batch has not marked it again");
    assert_eq!(marks(&answers[1]), 1);
    let answers = claim(&jobs[..2]).await;
    assert_eq!(answers, [Claimed::Suspect { at_most: 1 }, Claimed::Suspect { at_most: 1 }]);
    assert_eq!(marks(&deadly.claim(&state).await), 2);
}

pub(super) async fn a_job_that_the_state_does_not_know_goes_on(mut store: impl Fixture) {
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    let other = enqueue(&state, &begin(&state).await, 2, 1).await;
    drop(state);
    store.wipe().await;
    let state = store.open().await;
    assert_eq!(marks(&job.claim(&state).await), 0);
    assert_eq!(marks(&job.claim(&state).await), 1);
    assert_eq!(counts(&state).await, Counts::default());
    job.settle(&state, Outcome::Updated).await;
    assert_eq!(job.claim(&state).await, Claimed::Applied);
    other.bury(&state, "refused").await;
    assert_eq!(counts(&state).await, Counts { wanted: 2, applied: 1, dead: 1, ..Counts::default() });
}

pub(super) async fn settling_twice_counts_once(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    enqueue(&state, &run, 2, 1).await;
    let twice = [job.settled(Outcome::Created), job.settled(Outcome::Created)];
    state.settle(&products(), &twice).await.unwrap();
    job.settle(&state, Outcome::Unchanged).await;
    let expected = Ledger { seen: 2, enqueued: 2, created: 1, ..Ledger::default() };
    assert_eq!(ledger(&state, run.id).await, expected);
    let expected = Counts { wanted: 2, applied: 1, outstanding: 1, dead: 0, ..Counts::default() };
    assert_eq!(counts(&state).await, expected);
    // Also when the run is over and counted to its end.
    state.withdraw(&products(), &[2.into()]).await.unwrap();
    finish(&state, &run).await;
    let before = ledger(&state, run.id).await;
    job.settle(&state, Outcome::Created).await;
    assert_eq!(ledger(&state, run.id).await, before);
}

pub(super) async fn every_outcome_has_its_place_in_the_ledger(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let outcomes = [Outcome::Created, Outcome::Updated, Outcome::Unchanged, Outcome::Superseded];
    for (id, outcome) in (1..).zip(outcomes) {
        enqueue(&state, &run, id, 1).await.settle(&state, outcome).await;
    }
    enqueue(&state, &run, 5, 1).await.bury(&state, "refused").await;
    let expected = Ledger {
        seen: 5,
        enqueued: 5,
        created: 1,
        updated: 1,
        unchanged: 1,
        superseded: 1,
        dead: 1,
        ..Ledger::default()
    };
    assert_eq!(ledger(&state, run.id).await, expected);
    let expected = Counts { wanted: 5, applied: 3, outstanding: 1, dead: 1, ..Counts::default() };
    assert_eq!(counts(&state).await, expected, "superseded does not move what is applied");
}

pub(super) async fn applied_never_goes_back(store: impl Fixture) {
    let state = store.open().await;
    let older = enqueue(&state, &begin(&state).await, 1, 1).await;
    let run = begin(&state).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    newer.settle(&state, Outcome::Updated).await;
    for outcome in [Outcome::Unchanged, Outcome::Updated] {
        older.settle(&state, outcome).await;
        assert_eq!(newer.claim(&state).await, Claimed::Applied, "{outcome:?}");
        assert_eq!(older.claim(&state).await, Claimed::Superseded, "{outcome:?}");
    }
}

pub(super) async fn a_late_write_of_an_older_version_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let older = enqueue(&state, &begin(&state).await, 1, 1).await;
    let run = begin(&state).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    newer.settle(&state, Outcome::Updated).await;
    older.settle(&state, Outcome::Updated).await;
    assert_eq!(outstanding(&state).await, ["1"]);
    assert_eq!(
        counts(&state).await,
        Counts { wanted: 1, applied: 1, outstanding: 1, dead: 0, ..Counts::default() }
    );
    let repair = enqueue(&state, &run, 1, 2).await;
    assert!(repair.version > newer.version);
    assert_eq!(want(&state, &run, 1, 2).await, Wanted::Already, "repaired once");
    assert_eq!(marks(&repair.claim(&state).await), 0);
    repair.settle(&state, Outcome::Updated).await;
    assert_eq!(
        counts(&state).await,
        Counts { wanted: 1, applied: 1, outstanding: 0, dead: 0, ..Counts::default() }
    );
    assert_eq!(ledger(&state, run.id).await.enqueued, 1);
}

pub(super) async fn an_older_job_that_wrote_nothing_leaves_nothing_to_repair(store: impl Fixture) {
    let state = store.open().await;
    let older = enqueue(&state, &begin(&state).await, 1, 1).await;
    let newer = enqueue(&state, &begin(&state).await, 1, 2).await;
    newer.settle(&state, Outcome::Updated).await;
    older.settle(&state, Outcome::Superseded).await;
    older.settle(&state, Outcome::Unchanged).await;
    assert_eq!(outstanding(&state).await, [""; 0]);
}

pub(super) async fn a_superseded_job_leaves_its_place_to_the_newer_version(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    older.settle(&state, Outcome::Superseded).await;
    assert_eq!(ledger(&state, run.id).await.outstanding(), 1);
    newer.settle(&state, Outcome::Created).await;
    let expected = Ledger { seen: 1, enqueued: 1, created: 1, ..Ledger::default() };
    assert_eq!(ledger(&state, run.id).await, expected);
}

pub(super) async fn the_sink_id_outlives_an_update_that_does_not_name_it(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let nameless = Settled { sink_id: None, ..enqueue(&state, &run, 1, 2).await.settled(Outcome::Updated) };
    state.settle(&products(), &[nameless]).await.unwrap();
    let next = enqueue(&state, &run, 1, 3).await;
    assert_eq!(
        next.claim(&state).await,
        Claimed::Go { marks: 0, sink_id: Some("sink-1".to_owned()), was_gone: false }
    );
}

pub(super) async fn places_far_apart_are_counted_each(store: impl Fixture) {
    const RECORDS: u64 = 9_000;
    let state = store.open().await;
    let run = begin(&state).await;
    let wants: Vec<Want> = (0..RECORDS).map(|id| want_of(id, 1)).collect();
    let mut jobs = Vec::new();
    for batch in wants.chunks(1_000) {
        let answers = state.want(&run, batch, false).await.unwrap();
        let first = u64::try_from(jobs.len()).unwrap();
        jobs.extend((first..).zip(answers).map(|(id, answer)| made(&run, id, 1, answer)));
    }
    // Every third, the last first, and some of them again.
    let settled: Vec<Settled> =
        jobs.iter().rev().step_by(3).map(|job| job.settled(Outcome::Created)).collect();
    for batch in settled.chunks(1_000).chain(settled.chunks(700)) {
        state.settle(&products(), batch).await.unwrap();
    }
    let ledger = ledger(&state, run.id).await;
    assert_eq!((ledger.created, ledger.outstanding()), (RECORDS / 3, RECORDS - RECORDS / 3));
    assert_eq!(counts(&state).await.applied, RECORDS / 3);
}
