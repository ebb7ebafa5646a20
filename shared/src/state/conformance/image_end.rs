//! Rules of how an image ends: tried again, given up, overtaken, forgotten.

use super::image::{
    bring, due, enqueue_with, failed, far_off, goes_on, image, image_counts, image_job, image_jobs,
    next_retry,
};
use super::*;

pub(super) async fn images_have_started_marks_of_their_own(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    bring(&state, &run, 2, 1, Some(1)).await;
    let [deadly, innocent] = image_jobs(&state).await.try_into().unwrap();
    for marks in 0..3 {
        assert_eq!(deadly.claim(&state).await, goes_on(marks, None));
    }
    let both = [deadly.claim_of(), innocent.claim_of()];
    assert_eq!(
        state.claim_images(&products(), &both, 0, &us()).await.unwrap(),
        [ClaimedImage::Suspect, goes_on(0, None)]
    );
    let one = [deadly.claim_of()];
    assert_eq!(state.claim_images(&products(), &one, 1, &us()).await.unwrap(), [ClaimedImage::Suspect]);
    let record = enqueue_with(&state, &run, 1, 2, Some(1)).await;
    assert_eq!(marks(&record.claim(&state).await), 0);
    state.release(&products(), &[1.into()], &us(), false).await.unwrap();
    assert_eq!(deadly.claim(&state).await, goes_on(3, None));
    state.release_images(&products(), &[1.into(), 8.into()], &us()).await.unwrap();
    assert_eq!(deadly.claim(&state).await, goes_on(0, None));
    assert_eq!(marks(&record.claim(&state).await), 0);
}

pub(super) async fn an_image_waits_for_its_retry_time_and_keeps_its_attempts(store: impl Fixture) {
    let state = store.open().await;
    bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    job.claim(&state).await;
    let first = failed(Class::Transient, "no answer");
    job.retry(&state, far_off(), &first).await;
    assert_eq!(image_jobs(&state).await.len(), 0);
    assert_eq!(next_retry(&state).await, Some(far_off()));
    assert_eq!(image_counts(&state).await, [1, 0, 1, 0], "it is outstanding all the time");
    let throttled = failed(Class::Throttled, "wait");
    job.retry(&state, far_off(), &throttled).await;
    let second = failed(Class::Transient, "no answer again");
    for _ in 0..2 {
        job.retry(&state, due(), &second).await;
    }
    drop(state);
    let state = store.open().await;
    let job = image_job(&state).await;
    assert_eq!(job.0.attempt, 3, "throttling spends none, a repeated call none");
    assert_eq!(job.0.failures, [first, throttled, second]);
    assert_eq!(job.claim(&state).await, goes_on(0, None), "a retry takes the mark");
    assert_eq!(next_retry(&state).await, Some(due()));
    job.settle(&state, Outcome::Created).await;
    job.retry(&state, due(), &failed(Class::Transient, "late")).await;
    assert_eq!(next_retry(&state).await, None);
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
}

pub(super) async fn the_failures_kept_of_an_image_are_bounded(store: impl Fixture) {
    let state = store.open().await;
    bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    for number in 0..25 {
        job.retry(&state, due(), &failed(Class::Throttled, &number.to_string())).await;
    }
    let job = image_job(&state).await;
    let kept: Vec<String> = job.0.failures.into_iter().map(|failure| failure.message).collect();
    assert_eq!(kept, (15..25).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    assert_eq!(job.0.attempt, 1);
}

pub(super) async fn a_dead_image_leaves_its_record_applied(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let record = bring(&state, &run, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    for _ in 0..2 {
        job.bury(&state).await;
    }
    assert_eq!(image_counts(&state).await, [1, 0, 0, 1]);
    assert_eq!(image_jobs(&state).await.len(), 0);
    assert_eq!(record.claim(&state).await, Claimed::Applied);
    let ledger = ledger(&state, run.id).await;
    assert_eq!((ledger.updated, ledger.dead, ledger.outstanding()), (1, 0, 0));
    // Both may be dead, each with its letter.
    let changed = enqueue_with(&state, &run, 1, 2, Some(1)).await;
    changed.bury(&state, "refused").await;
    let letters = state.dead_letters(&products(), 10).await.unwrap();
    let kinds: Vec<JobKind> = letters.iter().map(|letter| letter.job.kind).collect();
    assert_eq!(kinds, [JobKind::Record, JobKind::Image]);
    assert_eq!(letters[1].job, job.0);
    assert_eq!(counts(&state).await.dead, 1);
    changed.settle(&state, Outcome::Updated).await;
    assert_eq!(counts(&state).await.dead, 0);
    assert_eq!(image_counts(&state).await, [1, 0, 0, 1], "dead images stay dead until redriven or changed");
}

pub(super) async fn a_redriven_image_is_tried_again(store: impl Fixture) {
    let state = store.open().await;
    bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    job.retry(&state, due(), &failed(Class::Transient, "no answer")).await;
    job.bury(&state).await;
    assert_eq!(job.claim(&state).await, goes_on(0, None));
    let failure = failed(Class::Transient, "after the redrive");
    job.retry(&state, due(), &failure).await;
    assert_eq!(image_counts(&state).await, [1, 0, 1, 1]);
    let again = image_job(&state).await;
    assert_eq!((again.0.attempt, again.0.failures.as_slice()), (2, &[failure][..]));
    again.settle(&state, Outcome::Created).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
}

pub(super) async fn a_letter_about_an_image_that_is_not_wanted_leaves_no_trace(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let older = image_job(&state).await;
    bring(&state, &run, 1, 1, Some(2)).await;
    older.bury(&state).await;
    let newer = image_job(&state).await;
    newer.settle(&state, Outcome::Created).await;
    newer.bury(&state).await;
    older.bury(&state).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
    assert_eq!(state.dead_letters(&products(), 10).await.unwrap(), []);
}

pub(super) async fn a_late_write_of_an_older_image_is_repaired(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let older = image_job(&state).await;
    bring(&state, &run, 1, 1, Some(2)).await;
    let newer = image_job(&state).await;
    newer.retry(&state, due(), &failed(Class::Transient, "no answer")).await;
    newer.settle(&state, Outcome::Created).await;
    older.settle(&state, Outcome::Unchanged).await;
    older.settle(&state, Outcome::Superseded).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0], "it has not written anything");
    older.settle(&state, Outcome::Updated).await;
    assert_eq!(image_counts(&state).await, [1, 0, 1, 0]);
    let repair = image_job(&state).await;
    assert_eq!((repair.0.attempt, repair.0.failures.len()), (1, 0));
    assert_eq!(repair.claim(&state).await, goes_on(0, None));
    repair.settle(&state, Outcome::Updated).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
}

pub(super) async fn a_withdrawn_record_wants_no_image_until_it_is_back(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let record = bring(&state, &run, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    let gone = enqueue_with(&state, &run, 1, 2, Some(1)).await;
    state.withdraw(&products(), &[1.into()]).await.unwrap();
    assert_eq!(image_counts(&state).await, [0, 0, 0, 0]);
    assert_eq!(job.claim(&state).await, ClaimedImage::Superseded);
    assert_eq!(gone.claim(&state).await, goes_on_with_the_record());
    record.settle(&state, Outcome::Updated).await;
    assert_eq!(image_jobs(&state).await.len(), 0, "a repeated call brings nothing back");
    // The source has it again exactly as the sink has its fields, and the image is still lacking.
    let later = begin(&state).await;
    bring(&state, &later, 1, 1, Some(1)).await;
    image_job(&state).await.settle(&state, Outcome::Created).await;
    // The sink has the image this time: nothing is lacking when it is back.
    enqueue_with(&state, &later, 1, 2, Some(2)).await;
    state.withdraw(&products(), &[1.into()]).await.unwrap();
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
    let back = Want { image: Some(image(1)), ..want_of(1, 1) };
    let run = begin(&state).await;
    assert_eq!(state.want(&run, &[back], false).await.unwrap(), [Wanted::Unchanged]);
}

fn goes_on_with_the_record() -> Claimed {
    Claimed::Go { marks: 0, sink_id: Some("sink-1".to_owned()), was_gone: false }
}

pub(super) async fn a_reset_forgets_images_and_supersedes_their_jobs(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    for id in 1..=3 {
        bring(&state, &run, id, 1, Some(1)).await;
    }
    let [applied, dead, outstanding] = image_jobs(&state).await.try_into().unwrap();
    applied.settle(&state, Outcome::Created).await;
    dead.bury(&state).await;
    let reset = NewRun { reset: true, ..new_run() };
    let later = state.begin_run(&reset).await.unwrap();
    for job in [applied, dead, outstanding] {
        assert_eq!(job.claim(&state).await, ClaimedImage::Superseded);
        job.settle(&state, Outcome::Created).await;
        job.bury(&state).await;
        job.retry(&state, due(), &failed(Class::Transient, "no answer")).await;
    }
    assert_eq!(counts(&state).await, Counts::default());
    bring(&state, &later, 1, 1, Some(1)).await;
    assert_eq!(image_job(&state).await.claim(&state).await, goes_on(0, None));
}

pub(super) async fn an_image_job_that_the_state_does_not_know_goes_on(mut store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    bring(&state, &run, 2, 1, Some(1)).await;
    let [good, bad] = image_jobs(&state).await.try_into().unwrap();
    drop(state);
    store.wipe().await;
    let state = store.open().await;
    good.retry(&state, due(), &failed(Class::Transient, "no answer")).await;
    assert_eq!(good.claim(&state).await, goes_on(0, None));
    good.settle(&state, Outcome::Created).await;
    assert_eq!(good.claim(&state).await, ClaimedImage::Applied);
    bad.bury(&state).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 1]);
    // Nobody knows which sink those jobs were about.
    begin(&state).await;
    assert_eq!(counts(&state).await, Counts::default());
}

pub(super) async fn images_of_one_pipeline_are_unknown_to_another(store: impl Fixture) {
    let state = store.open().await;
    bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let customers: PipelineName = "customers".parse().unwrap();
    let job = image_job(&state).await;
    let (key, version) = (job.0.key.clone(), job.0.version);
    let failure = failed(Class::Transient, "no answer");
    state.release_images(&customers, std::slice::from_ref(&key), &us()).await.unwrap();
    state.retry_image(&customers, &key, version, far_off(), &failure).await.unwrap();
    assert_eq!(state.outstanding_images(&customers, None, 10).await.unwrap(), []);
    let claims = [job.claim_of()];
    assert_eq!(state.claim_images(&customers, &claims, 0, &us()).await.unwrap(), [goes_on(0, None)]);
    assert_eq!(job.claim(&state).await, goes_on(0, None));
    assert_eq!(image_counts(&state).await, [1, 0, 1, 0]);
}
