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

pub(super) async fn letters_are_found_by_what_stands_in_them(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    // More than Redis is asked for at once.
    for id in 1..=205 {
        let job = enqueue(&state, &run, id, 1).await;
        let mut letter = job.letter("refused");
        letter.job.values.insert("sku".to_owned(), format!("S \"{}\"", id % 100).into());
        state.bury(&[letter]).await.unwrap();
    }
    let found = async |sku: &str, newest| -> Vec<String> {
        let text = serde_json::to_string(sku).unwrap();
        let found = state.letters_with(&products(), &text, newest).await.unwrap();
        found.into_iter().map(|filed| filed.letter.job.key.to_string()).collect()
    };
    assert_eq!(found("S \"3\"", 1_000).await, ["203", "103", "3"]);
    assert_eq!(found("S \"3\"", 150).await, ["203", "103"], "older ones are not looked at");
    assert_eq!(found("S", 1_000).await, [""; 0]);
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

async fn bury_for(state: &State, job: &Made, reason: Reason) {
    let mut letter = job.letter("given up");
    letter.failure.reason = reason;
    state.bury(&[letter]).await.unwrap();
}

async fn keys_of(
    state: &State,
    reason: Option<Reason>,
    before: Option<u64>,
    limit: usize,
) -> Vec<(u64, String)> {
    let filed = state.letters(&products(), reason, before, limit).await.unwrap();
    filed.into_iter().map(|filed| (filed.number, filed.letter.job.key.to_string())).collect()
}

fn names(found: &[(u64, String)]) -> Vec<&str> {
    found.iter().map(|(_, key)| key.as_str()).collect()
}

async fn counted(state: &State) -> Vec<(Reason, u64)> {
    let mut counts = state.letter_counts(&products()).await.unwrap();
    counts.sort_by_key(|(reason, _)| reason.label());
    counts
}

fn key_of(job: &Made) -> LetterKey {
    LetterKey::of(&job.letter(""))
}

async fn redrive(state: &State, job: &Made) -> Raised {
    state.redrive(&products(), &[key_of(job)]).await.unwrap()[0]
}

async fn discard(state: &State, job: &Made) -> Raised {
    state.discard(&products(), &[key_of(job)]).await.unwrap()[0]
}

pub(super) async fn letters_are_listed_and_counted_by_their_reason(store: impl Fixture) {
    let state = store.open().await;
    assert_eq!(counted(&state).await, []);
    let run = begin(&state).await;
    for id in 1..=6 {
        let reason = if id % 2 == 0 { Reason::Timeout } else { Reason::BadRecord };
        bury_for(&state, &enqueue(&state, &run, id, 1).await, reason).await;
    }
    assert_eq!(counted(&state).await, [(Reason::BadRecord, 3), (Reason::Timeout, 3)]);
    let all = keys_of(&state, None, None, 100).await;
    assert_eq!(names(&all), ["6", "5", "4", "3", "2", "1"]);
    let page = keys_of(&state, Some(Reason::Timeout), None, 2).await;
    assert_eq!(names(&page), ["6", "4"]);
    assert_eq!(page[0].0, all[0].0, "one number, however it is listed");
    let next = keys_of(&state, Some(Reason::Timeout), Some(page[1].0), 2).await;
    assert_eq!(names(&next), ["2"]);
    assert_eq!(keys_of(&state, Some(Reason::Crashed), None, 2).await, []);
    assert_eq!(names(&keys_of(&state, None, Some(all[3].0), 100).await), ["2", "1"]);
    assert_eq!(state.letters(&products(), None, None, 0).await.unwrap(), []);
    let job = enqueue(&state, &begin(&state).await, 6, 2).await;
    job.settle(&state, Outcome::Created).await;
    assert_eq!(counted(&state).await, [(Reason::BadRecord, 3), (Reason::Timeout, 2)]);
    state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    assert_eq!(counted(&state).await, []);
}

pub(super) async fn a_replaced_letter_stands_under_its_new_reason_only(store: impl Fixture) {
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    bury_for(&state, &job, Reason::Timeout).await;
    let [mut first, mut second] = [job.letter("first"), job.letter("second")];
    (first.failure.reason, second.failure.reason) = (Reason::Crashed, Reason::BadRecord);
    state.bury(&[first, second]).await.unwrap();
    assert_eq!(counted(&state).await, [(Reason::BadRecord, 1)]);
    assert_eq!(names(&keys_of(&state, Some(Reason::BadRecord), None, 10).await), ["1"]);
    for gone in [Reason::Timeout, Reason::Crashed] {
        assert_eq!(keys_of(&state, Some(gone), None, 10).await, []);
    }
}

pub(super) async fn a_redriven_record_is_outstanding_and_keeps_its_letter_until_it_succeeds(
    store: impl Fixture,
) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    job.bury(&state, "refused").await;
    assert_eq!(redrive(&state, &job).await, Raised::Done);
    assert_eq!(outstanding(&state).await, ["1"]);
    assert_eq!(letters(&state).await.len(), 1);
    assert_eq!(counts(&state).await, Counts { wanted: 1, outstanding: 1, dead: 1, ..Counts::default() });
    assert_eq!(redrive(&state, &job).await, Raised::UnderWay, "once more is once");
    assert_eq!(marks(&job.claim(&state).await), 0);
    job.settle(&state, Outcome::Created).await;
    assert_eq!(redrive(&state, &job).await, Raised::Missing);
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    let Ledger { dead, created, .. } = ledger(&state, run.id).await;
    assert_eq!((dead, created), (1, 0), "its place was counted when it died");
}

pub(super) async fn a_redriven_record_that_fails_again_is_dead_again(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    job.bury(&state, "first").await;
    redrive(&state, &job).await;
    job.bury(&state, "second").await;
    assert_eq!((letters(&state).await, outstanding(&state).await), (vec![job.letter("second")], vec![]));
    assert_eq!(ledger(&state, run.id).await.dead, 1);
    assert_eq!(redrive(&state, &job).await, Raised::Done);
}

pub(super) async fn a_redriven_record_whose_job_is_lost_is_enqueued_anew(store: impl Fixture) {
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    job.bury(&state, "refused").await;
    redrive(&state, &job).await;
    let run = begin(&state).await;
    assert_eq!(want(&state, &run, 1, 1).await, Wanted::Unchanged, "its job may be in the queue");
    let again = made(&run, 1, 1, want_lost(&state, &run, 1, 1).await);
    again.settle(&state, Outcome::Created).await;
    assert_eq!(letters(&state).await, []);
    assert_eq!(ledger(&state, run.id).await.outstanding(), 0);
}

pub(super) async fn what_is_being_tried_already_is_neither_redriven_nor_discarded(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    job.bury(&state, "refused").await;
    enqueue(&state, &run, 1, 2).await;
    for raised in [redrive(&state, &job).await, discard(&state, &job).await] {
        assert_eq!(raised, Raised::UnderWay);
    }
    assert_eq!((letters(&state).await.len(), outstanding(&state).await), (1, vec!["1".to_owned()]));
    let other = Made { id: 2, ..job };
    assert_eq!(
        (redrive(&state, &other).await, discard(&state, &other).await),
        (Raised::Missing, Raised::Missing)
    );
    let newer = Made { version: Version { sequence: 99, ..job.version }, ..job };
    assert_eq!(redrive(&state, &newer).await, Raised::Missing, "another letter than was looked at");
}

pub(super) async fn a_discarded_record_goes_back_to_what_is_applied_and_is_wanted_anew(store: impl Fixture) {
    let state = store.open().await;
    enqueue(&state, &begin(&state).await, 1, 1).await.settle(&state, Outcome::Created).await;
    let run = begin(&state).await;
    let [changed, new] = [enqueue(&state, &run, 1, 2).await, enqueue(&state, &run, 2, 1).await];
    for job in [&changed, &new] {
        job.bury(&state, "refused").await;
        assert_eq!(discard(&state, job).await, Raised::Done);
        assert_eq!(discard(&state, job).await, Raised::Missing, "once more is once");
    }
    assert_eq!((letters(&state).await, outstanding(&state).await), (vec![], vec![]));
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    assert_eq!(ledger(&state, run.id).await.dead, 2);
    let later = begin(&state).await;
    assert_eq!(want(&state, &later, 1, 1).await, Wanted::Unchanged, "the sink has it");
    for (id, content) in [(1, 2), (2, 1)] {
        enqueue(&state, &later, id, content).await;
    }
}

pub(super) async fn a_redriven_image_is_due_at_once_and_a_discarded_one_is_not_wanted(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    super::image::bring(&state, &run, 1, 1, Some(3)).await;
    let due = async || state.outstanding_images(&products(), None, 10).await.unwrap();
    let job = super::image::ImageJob(due().await.remove(0).into_job(products()));
    job.bury(&state).await;
    let letter = LetterKey::of(&letters(&state).await[0]);
    let redrive = async || state.redrive(&products(), std::slice::from_ref(&letter)).await.unwrap()[0];
    let discard = async || state.discard(&products(), std::slice::from_ref(&letter)).await.unwrap()[0];
    assert_eq!(redrive().await, Raised::Done);
    let again = due().await;
    assert_eq!((again.len(), again[0].attempt, again[0].version), (1, 1, job.0.version));
    assert_eq!((redrive().await, discard().await), (Raised::UnderWay, Raised::UnderWay));
    assert_eq!(counts(&state).await.images.dead, 1, "the letter stays until it is brought");
    job.bury(&state).await;
    assert_eq!(discard().await, Raised::Done);
    assert_eq!((due().await, letters(&state).await), (vec![], vec![]));
    assert_eq!((redrive().await, discard().await), (Raised::Missing, Raised::Missing));
    assert_eq!(counts(&state).await.images, ImageCounts::default());
    super::image::bring(&state, &begin(&state).await, 1, 2, Some(4)).await;
    assert_eq!(due().await.len(), 1, "the source has another one");
}
