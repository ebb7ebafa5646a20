//! Rules of leases and doubts: whose hand a record is in, and what a broken-off call may still do.

use super::image::{bring, goes_on, image_job};
use super::*;

pub(super) const MOMENT: Duration = Duration::from_millis(1);
pub(super) const LONG: Duration = Duration::from_hours(1);

/// A worker that is alive.
pub(super) async fn alive(state: &State, worker: &str) -> Claimant {
    show(state, worker, FAR_OFF).await;
    claimant(worker, Duration::ZERO)
}

/// Dies over the job, after it has called the sink.
pub(super) async fn die_over(state: &State, job: &Made) {
    assert!(matches!(job.claim_as(state, &claimant("dead", LONG)).await, Claimed::Go { .. }));
}

pub(super) async fn mature(state: &State) -> u64 {
    state.mature(&products()).await.unwrap().len() as u64
}

pub(super) async fn what_a_live_worker_has_in_hand_is_held(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let other = alive(&state, "other").await;
    let older = enqueue(&state, &run, 1, 1).await;
    assert_eq!(marks(&older.claim_as(&state, &other).await), 0);
    assert_eq!(older.claim(&state).await, Claimed::Held);
    let newer = enqueue(&state, &run, 1, 2).await;
    let free = enqueue(&state, &run, 2, 1).await;
    let claims = [newer, free].map(|job| Claim { key: job.id.into(), version: job.version });
    let answers = state.claim(&products(), &claims, &us()).await.unwrap();
    assert_eq!((&answers[0], marks(&answers[1])), (&Claimed::Held, 0), "whatever the version, and it alone");
    assert_eq!(older.claim(&state).await, Claimed::Superseded, "that needs no hand on it");
    // Its lease runs out: the held claims have left no marks.
    show(&state, "other", PAST).await;
    assert_eq!(marks(&newer.claim(&state).await), 0);
    assert_eq!(marks(&newer.claim_as(&state, &other).await), 1, "whoever is back too late is a stranger");
    // What is applied is told also of a record in somebody's hand.
    newer.settle(&state, Outcome::Updated).await;
    let other = alive(&state, "other").await;
    let newest = enqueue(&state, &run, 1, 3).await;
    newest.claim_as(&state, &other).await;
    state.withdraw(&products(), &[1.into()]).await.unwrap();
    assert_eq!(newer.claim(&state).await, Claimed::Applied);
}

pub(super) async fn a_worker_that_has_ended_its_job_holds_nothing_whatever_was_wanted_meanwhile(
    store: impl Fixture,
) {
    let state = store.open().await;
    let other = alive(&state, "other").await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    assert_eq!(marks(&job.claim_as(&state, &other).await), 0);
    // Its message is thought to be lost, and the same values are enqueued again.
    let later = begin(&state).await;
    let again = made(&later, 1, 1, want_lost(&state, &later, 1, 1).await);
    assert_eq!(again.claim(&state).await, Claimed::Held);
    let settled = Settled { worker: other.worker.clone(), ..job.settled(Outcome::Created) };
    state.settle(&products(), &[settled]).await.unwrap();
    assert_eq!(marks(&again.claim(&state).await), 0);
    // But whoever has taken over from a worker that slept still holds it when that one wakes and settles.
    let third = alive(&state, "third").await;
    let changed = enqueue(&state, &later, 2, 1).await;
    assert_eq!(marks(&changed.claim_as(&state, &other).await), 0);
    show(&state, "other", PAST).await;
    assert_eq!(marks(&changed.claim_as(&state, &third).await), 1);
    let newest = begin(&state).await;
    let again = made(&newest, 2, 1, want_lost(&state, &newest, 2, 1).await);
    let late = Settled { worker: other.worker.clone(), ..changed.settled(Outcome::Created) };
    state.settle(&products(), &[late]).await.unwrap();
    assert_eq!(again.claim(&state).await, Claimed::Held);
    let settled = Settled { worker: third.worker, ..changed.settled(Outcome::Unchanged) };
    state.settle(&products(), &[settled]).await.unwrap();
    assert_eq!(marks(&again.claim(&state).await), 0);
}

pub(super) async fn whoever_shows_no_sign_of_life_is_dead(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let signs = [
        None,
        Some(""),
        Some("alive"),
        Some("{}"),
        Some(r#"{"until":"soon"}"#),
        Some(r#"{"until":"2026-11-21T10:00:00Z"}"#),
    ];
    for (id, sign) in (1..).zip(signs) {
        state.set_memo("worker/other", sign).await.unwrap();
        let job = enqueue(&state, &run, id, 1).await;
        job.claim_as(&state, &claimant("other", Duration::ZERO)).await;
        assert_eq!(marks(&job.claim(&state).await), 1, "{sign:?}");
    }
    // A worker lives until its own time, not until another's.
    show(&state, "other.2", FAR_OFF).await;
    let job = enqueue(&state, &run, 20, 1).await;
    job.claim_as(&state, &claimant("other", Duration::ZERO)).await;
    assert_eq!(marks(&job.claim(&state).await), 1);
    let soon = state.now().await.unwrap() + Duration::from_millis(20);
    let other = claimant("other.3", Duration::ZERO);
    show(&state, "other.3", &soon.to_string()).await;
    let job = enqueue(&state, &run, 21, 1).await;
    job.claim_as(&state, &other).await;
    let answer = wait_for("the end of the lease", async || {
        let answer = job.claim(&state).await;
        assert!(answer == Claimed::Held || state.now().await.unwrap() >= soon, "{answer:?}");
        (answer != Claimed::Held).then_some(answer)
    });
    assert_eq!(marks(&answer.await), 1);
}

pub(super) async fn a_worker_claims_again_what_it_has_marked_itself(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let we = alive(&state, "us").await;
    let job = enqueue(&state, &run, 1, 1).await;
    for marks_before in 0..3 {
        assert_eq!(marks(&job.claim_as(&state, &we).await), marks_before);
    }
    let newer = enqueue(&state, &run, 1, 2).await;
    assert_eq!(marks(&newer.claim_as(&state, &we).await), 0);
    newer.settle(&state, Outcome::Updated).await;
    assert_eq!(mature(&state).await, 0, "our own mark is no death");
}

pub(super) async fn a_worker_takes_back_its_own_marks_only(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let other = alive(&state, "other").await;
    let jobs = [enqueue(&state, &run, 1, 1).await, enqueue(&state, &run, 2, 1).await];
    jobs[0].claim_as(&state, &other).await;
    jobs[1].claim(&state).await;
    let keys = [1.into(), 2.into(), 8.into()];
    for unsure in [false, true] {
        state.release(&products(), &keys, &us(), unsure).await.unwrap();
    }
    assert_eq!(jobs[0].claim(&state).await, Claimed::Held);
    assert_eq!(marks(&jobs[1].claim(&state).await), 0);
    state.release(&products(), &keys, &other, false).await.unwrap();
    assert_eq!(marks(&jobs[0].claim(&state).await), 0);
    assert_eq!(marks(&jobs[1].claim(&state).await), 1);
}

pub(super) async fn the_end_of_a_superseded_job_takes_nobodys_mark(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let other = alive(&state, "other").await;
    let older = enqueue(&state, &run, 1, 1).await;
    older.claim_as(&state, &other).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    // Its connection broke, so that its job comes to us as well.
    assert_eq!(older.claim(&state).await, Claimed::Superseded);
    older.settle(&state, Outcome::Superseded).await;
    assert_eq!(newer.claim(&state).await, Claimed::Held, "it may be writing");
    older.settle(&state, Outcome::Updated).await;
    assert_eq!(marks(&newer.claim(&state).await), 0);
    // The same with images.
    bring(&state, &run, 5, 1, Some(1)).await;
    let older = image_job(&state).await;
    older.claim_as(&state, &other).await;
    bring(&state, &run, 5, 1, Some(2)).await;
    assert_eq!(older.claim(&state).await, ClaimedImage::Superseded);
    older.settle(&state, Outcome::Superseded).await;
    assert_eq!(image_job(&state).await.claim(&state).await, ClaimedImage::Held);
}

pub(super) async fn a_withdrawn_record_stays_in_the_hand_that_has_it(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let other = alive(&state, "other").await;
    enqueue(&state, &run, 1, 1).await.claim_as(&state, &other).await;
    state.withdraw(&products(), &[1.into()]).await.unwrap();
    assert_eq!(counts(&state).await, Counts::default());
    let back = enqueue(&state, &run, 1, 2).await;
    assert_eq!(back.claim(&state).await, Claimed::Held);
}

pub(super) async fn images_are_held_by_live_workers_too(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let other = alive(&state, "other").await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let older = image_job(&state).await;
    assert_eq!(older.claim_as(&state, &other).await, goes_on(0, None));
    assert_eq!(older.claim(&state).await, ClaimedImage::Held);
    assert_eq!(older.claim_as(&state, &other).await, goes_on(1, None));
    // Records and images are in different hands.
    let record = enqueue(&state, &run, 1, 2).await;
    assert_eq!(marks(&record.claim(&state).await), 0);
    state.release_images(&products(), &[1.into()], &us()).await.unwrap();
    bring(&state, &run, 1, 1, Some(2)).await;
    let newer = image_job(&state).await;
    assert_eq!(newer.claim(&state).await, ClaimedImage::Held, "whatever the version");
    show(&state, "other", PAST).await;
    assert_eq!(newer.claim(&state).await, goes_on(0, None));
    state.release_images(&products(), &[1.into()], &other).await.unwrap();
    assert_eq!(newer.claim(&state).await, goes_on(1, None), "it is ours now");
}
