//! Rules of feeding image jobs to workers: what settling a record answers, and what is held while it is under way.

use super::image::{
    bring, due, enqueue_with, failed, far_off, image, image_counts, image_job, image_jobs, next_retry,
};
use super::*;

/// The images that a settled job answers, as (key, version, reference).
async fn answered(state: &State, settled: &[Settled]) -> Vec<(RecordKey, Version, ImageReference)> {
    let images = state.settle(&products(), settled).await.unwrap();
    images.into_iter().map(|image| (image.key, image.version, image.reference)).collect()
}

pub(super) async fn a_settled_record_answers_its_image_until_that_is_brought(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let record = enqueue_with(&state, &run, 1, 1, Some(1)).await;
    let expected = [(1.into(), record.version, image(1))];
    for outcome in [Outcome::Created, Outcome::Unchanged, Outcome::Updated] {
        assert_eq!(answered(&state, &[record.settled(outcome)]).await, expected, "{outcome:?}");
    }
    let whole = state.settle(&products(), &[record.settled(Outcome::Unchanged)]).await.unwrap();
    assert_eq!(whole, state.outstanding_images(&products(), None, 10).await.unwrap());
    // The fields alone have changed: the image is the one that is outstanding already.
    let changed = enqueue_with(&state, &run, 1, 2, Some(1)).await;
    assert_eq!(answered(&state, &[changed.settled(Outcome::Updated)]).await, expected);
    image_job(&state).await.settle(&state, Outcome::Created).await;
    assert_eq!(answered(&state, &[changed.settled(Outcome::Unchanged)]).await, []);
    let plain = enqueue(&state, &run, 2, 1).await;
    assert_eq!(answered(&state, &[plain.settled(Outcome::Created)]).await, []);
}

pub(super) async fn a_superseded_record_answers_no_image(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = bring(&state, &run, 1, 1, Some(1)).await;
    enqueue_with(&state, &run, 1, 2, Some(1)).await;
    assert_eq!(answered(&state, &[older.settled(Outcome::Superseded)]).await, []);
    // Nor does a job from before a reset.
    state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    assert_eq!(answered(&state, &[older.settled(Outcome::Updated)]).await, []);
}

pub(super) async fn images_of_a_batch_are_answered_once_each(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let mut jobs = Vec::new();
    for id in [3, 1, 2] {
        jobs.push(enqueue_with(&state, &run, id, 1, (id != 2).then_some(1)).await);
    }
    let mut settled: Vec<Settled> = jobs.iter().map(|job| job.settled(Outcome::Created)).collect();
    settled.push(settled[0].clone());
    let keys: Vec<String> =
        answered(&state, &settled).await.into_iter().map(|(key, ..)| key.to_string()).collect();
    assert_eq!(keys, ["3", "1"]);
}

pub(super) async fn an_image_that_waits_for_its_retry_is_not_answered(store: impl Fixture) {
    let state = store.open().await;
    let record = bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    job.retry(&state, far_off(), &failed(Class::Transient, "no answer")).await;
    assert_eq!(answered(&state, &[record.settled(Outcome::Unchanged)]).await, []);
    job.retry(&state, due(), &failed(Class::Transient, "no answer again")).await;
    assert_eq!(answered(&state, &[record.settled(Outcome::Unchanged)]).await.len(), 1);
    job.bury(&state).await;
    assert_eq!(answered(&state, &[record.settled(Outcome::Unchanged)]).await, [], "it is dead");
}

async fn hold(state: &State, id: u64, version: Version, until: Timestamp) {
    state.hold_images(&products(), &[(id.into(), version)], until).await.unwrap();
}

pub(super) async fn a_held_image_is_listed_again_when_its_time_is_over(store: impl Fixture) {
    let state = store.open().await;
    let record = bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    hold(&state, 1, record.version, far_off()).await;
    assert_eq!(image_jobs(&state).await.len(), 0);
    assert_eq!(answered(&state, &[record.settled(Outcome::Unchanged)]).await, []);
    assert_eq!(next_retry(&state).await, Some(far_off()));
    assert_eq!(image_counts(&state).await, [1, 0, 1, 0], "it is outstanding all the time");
    drop(state);
    let state = store.open().await;
    let other = bring(&state, &begin(&state).await, 2, 1, Some(1)).await;
    let soon = state.now().await.unwrap() + Duration::from_millis(30);
    hold(&state, 2, other.version, soon).await;
    let listed = wait_for("the held image", async || {
        let jobs = image_jobs(&state).await;
        let now = state.now().await.unwrap();
        assert!(jobs.is_empty() || now.as_millisecond() >= soon.as_millisecond(), "listed too early");
        (!jobs.is_empty()).then_some(jobs)
    })
    .await;
    assert_eq!(listed[0].0.key, 2.into());
}

pub(super) async fn holding_takes_no_attempt_and_a_later_time_stays(store: impl Fixture) {
    let state = store.open().await;
    let record = bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    hold(&state, 1, record.version, far_off()).await;
    hold(&state, 1, record.version, due()).await;
    assert_eq!(next_retry(&state).await, Some(far_off()), "two that hold it do not disturb each other");
    // Its worker knows better when it is due.
    let failure = failed(Class::Transient, "no answer");
    job.claim(&state).await;
    job.retry(&state, due(), &failure).await;
    let again = image_job(&state).await;
    assert_eq!((again.0.attempt, again.0.failures.as_slice()), (2, &[failure][..]));
    hold(&state, 1, record.version, far_off()).await;
    again.settle(&state, Outcome::Created).await;
    assert_eq!(next_retry(&state).await, None);
}

pub(super) async fn only_what_is_outstanding_under_that_version_is_held(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let first = bring(&state, &run, 1, 1, Some(1)).await;
    bring(&state, &run, 1, 1, Some(2)).await;
    hold(&state, 1, first.version, far_off()).await;
    hold(&state, 9, first.version, far_off()).await;
    assert_eq!(image_jobs(&state).await.len(), 1, "another image is wanted by now");
    let dead = bring(&state, &run, 2, 1, Some(1)).await;
    let [_, job] = image_jobs(&state).await.try_into().unwrap();
    job.bury(&state).await;
    hold(&state, 2, dead.version, far_off()).await;
    assert_eq!(next_retry(&state).await, None);
    let customers = "customers".parse().unwrap();
    state.hold_images(&customers, &[(1.into(), first.version)], far_off()).await.unwrap();
    assert_eq!(image_counts(&state).await, [2, 0, 1, 1]);
}
