//! Rules of `want`, `outstanding` and `withdraw`.

use super::*;

pub(super) async fn an_unknown_record_is_enqueued(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let first = enqueue(&state, &run, 1, 1).await;
    let second = enqueue(&state, &run, 2, 1).await;
    assert_eq!((first.place, second.place), (0, 1));
    assert_eq!(first.version, Version { epoch: run.epoch, sequence: 1 });
    assert!(second.version > first.version);
    assert_eq!(counts(&state).await, Counts { wanted: 2, outstanding: 2, ..Counts::default() });
    let ledger = ledger(&state, run.id).await;
    assert_eq!((ledger.seen, ledger.enqueued, ledger.outstanding()), (2, 2, 2));
}

pub(super) async fn the_same_values_are_enqueued_once_in_an_epoch(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let twice = [want_of(1, 1), want_of(1, 1)];
    let answers = state.want(&run, &twice, true).await.unwrap();
    assert!(matches!(answers[0], Wanted::Enqueue { .. }));
    assert_eq!(answers[1], Wanted::Already);
    assert_eq!(want(&state, &run, 1, 1).await, Wanted::Already);
    assert_eq!(ledger(&state, run.id).await.seen, 1);
}

pub(super) async fn other_values_are_enqueued_under_a_newer_version_at_the_same_place(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    let newer = enqueue(&state, &run, 1, 2).await;
    assert!(newer.version > older.version);
    assert_eq!(newer.place, older.place);
    assert_eq!(ledger(&state, run.id).await.enqueued, 1);
    assert_eq!(counts(&state).await.outstanding, 1);
}

pub(super) async fn applied_values_are_unchanged_in_a_later_run(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    finish(&state, &run).await;
    let later = begin(&state).await;
    assert_eq!(want(&state, &later, 1, 1).await, Wanted::Unchanged);
    assert_eq!(want_lost(&state, &later, 1, 1).await, Wanted::Unchanged);
    assert_eq!(ledger(&state, later.id).await.enqueued, 0);
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
}

pub(super) async fn applied_values_were_enqueued_already_by_this_run(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    assert_eq!(want(&state, &run, 1, 1).await, Wanted::Already);
}

pub(super) async fn a_forced_run_enqueues_what_is_applied_and_what_is_dead_once(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    enqueue(&state, &run, 2, 1).await.bury(&state, "refused").await;
    let forced = state.begin_run(&NewRun { force: true, ..new_run() }).await.unwrap();
    for id in [1, 2] {
        let job = enqueue(&state, &forced, id, 1).await;
        assert_eq!(want(&state, &forced, id, 1).await, Wanted::Already, "while outstanding");
        if id == 1 {
            job.settle(&state, Outcome::Unchanged).await;
        } else {
            job.bury(&state, "refused again").await;
        }
        assert_eq!(want(&state, &forced, id, 1).await, Wanted::Already, "at its end");
    }
    assert_eq!(ledger(&state, forced.id).await.enqueued, 2);
}

pub(super) async fn dead_values_stay_dead_and_changed_ones_are_tried(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.bury(&state, "refused").await;
    assert_eq!(want(&state, &run, 1, 1).await, Wanted::Already, "this run has counted it");
    assert_eq!(counts(&state).await, Counts { wanted: 1, dead: 1, ..Counts::default() });
    let later = begin(&state).await;
    assert_eq!(want(&state, &later, 1, 1).await, Wanted::Dead);
    assert_eq!(want_lost(&state, &later, 1, 1).await, Wanted::Dead);
    enqueue(&state, &later, 1, 2).await;
    assert_eq!(counts(&state).await, Counts { wanted: 1, outstanding: 1, dead: 1, ..Counts::default() });
}

pub(super) async fn what_an_older_run_left_outstanding_is_enqueued_anew_only_where_its_job_is_lost(
    store: impl Fixture,
) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue(&state, &run, 1, 1).await;
    let later = begin(&state).await;
    assert_eq!(want(&state, &later, 1, 1).await, Wanted::Unchanged);
    let newer = made(&later, 1, 1, want_lost(&state, &later, 1, 1).await);
    assert!(newer.version > older.version);
    assert_eq!(want_lost(&state, &later, 1, 1).await, Wanted::Already);
}

pub(super) async fn a_resumed_run_knows_what_it_had_noted(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let lost = enqueue(&state, &run, 1, 1).await;
    enqueue(&state, &run, 2, 1).await.settle(&state, Outcome::Created).await;
    enqueue(&state, &run, 3, 1).await.bury(&state, "refused").await;
    drop(state);
    let state = store.open().await;
    let resumed = state.resume_run(&products()).await.unwrap().unwrap();
    for id in 1..=3 {
        assert_eq!(want(&state, &resumed, id, 1).await, Wanted::Already, "record {id}");
    }
    let again = made(&resumed, 1, 1, want_lost(&state, &resumed, 1, 1).await);
    assert_eq!(again.place, lost.place);
    assert!(again.version > lost.version);
    again.settle(&state, Outcome::Created).await;
    let summary = finish(&state, &resumed).await;
    let expected = Ledger { seen: 3, enqueued: 3, created: 2, dead: 1, ..Ledger::default() };
    assert_eq!(summary.ledger, expected);
}

pub(super) async fn a_place_taken_over_by_a_later_run_is_superseded_in_its_own(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let changed = enqueue(&state, &run, 1, 1).await;
    let lost = enqueue(&state, &run, 2, 1).await;
    let later = begin(&state).await;
    let jobs =
        [enqueue(&state, &later, 1, 2).await, made(&later, 2, 1, want_lost(&state, &later, 2, 1).await)];
    assert_eq!(ledger(&state, run.id).await.superseded, 2, "whether their jobs ever arrive or not");
    changed.settle(&state, Outcome::Superseded).await;
    lost.settle(&state, Outcome::Superseded).await;
    for job in jobs {
        job.settle(&state, Outcome::Created).await;
    }
    let expected = Ledger { seen: 2, enqueued: 2, superseded: 2, ..Ledger::default() };
    assert_eq!(ledger(&state, run.id).await, expected);
    let expected = Ledger { seen: 2, enqueued: 2, created: 2, ..Ledger::default() };
    assert_eq!(ledger(&state, later.id).await, expected);
}

pub(super) async fn the_answers_stand_in_the_order_of_the_wants(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 5, 1).await.settle(&state, Outcome::Created).await;
    let later = begin(&state).await;
    let answers = state.want(&later, &[want_of(9, 1), want_of(5, 1), want_of(1, 1)], false).await.unwrap();
    let place = |answer| made(&later, 0, 0, answer).place;
    assert_eq!((place(answers[0]), answers[1], place(answers[2])), (0, Wanted::Unchanged, 1));
    assert!(state.want(&later, &[], false).await.unwrap().is_empty());
}

pub(super) async fn versions_grow_after_everything_was_deleted(mut store: impl Fixture) {
    let state = store.open().await;
    let before = enqueue(&state, &begin(&state).await, 1, 1).await;
    let again = enqueue(&state, &begin(&state).await, 1, 2).await;
    assert!(again.version > before.version, "even within one millisecond");
    drop(state);
    store.wipe().await;
    let state = store.open().await;
    let earliest = u64::try_from(state.now().await.unwrap().as_millisecond()).unwrap();
    let after = enqueue(&state, &begin(&state).await, 1, 1).await;
    assert!(after.version.epoch >= earliest, "an epoch is never below the clock");
}

pub(super) async fn outstanding_records_come_oldest_first_in_pages(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    for id in [30, 4, 200, 1] {
        enqueue(&state, &run, id, 1).await;
    }
    enqueue(&state, &run, 5, 1).await.settle(&state, Outcome::Created).await;
    enqueue(&state, &run, 6, 1).await.bury(&state, "refused").await;
    assert_eq!(outstanding(&state).await, ["30", "4", "200", "1"]);

    // A later run reads them again page by page: what it has enqueued anew is not below its epoch.
    let later = begin(&state).await;
    let before = Version { epoch: later.epoch, sequence: 0 };
    let mut read = Vec::new();
    loop {
        let page = state.outstanding(&products(), before, 3).await.unwrap();
        assert!(page.len() <= 3 && page.iter().all(|record| record.version < before));
        let now = state.now().await.unwrap();
        assert!(page.iter().all(|record| record.since <= now));
        if page.is_empty() {
            break;
        }
        let wants: Vec<Want> = page
            .iter()
            .map(|record| Want { key: record.key.clone(), checksum: sum(1), image: None })
            .collect();
        state.want(&later, &wants, true).await.unwrap();
        read.extend(page.into_iter().map(|record| record.key.to_string()));
    }
    assert_eq!(read, ["30", "4", "200", "1"]);
    assert_eq!(counts(&state).await.outstanding, 4);
}

pub(super) async fn a_withdrawn_record_goes_back_to_what_is_applied(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    finish(&state, &run).await;
    let later = begin(&state).await;
    enqueue(&state, &later, 1, 2).await;
    state.withdraw(&products(), &[1.into()]).await.unwrap();
    state.withdraw(&products(), &[1.into()]).await.unwrap();
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    assert_eq!(outstanding(&state).await, [""; 0]);
    let expected = Ledger { seen: 1, enqueued: 1, superseded: 1, ..Ledger::default() };
    assert_eq!(ledger(&state, later.id).await, expected);
    let last = begin(&state).await;
    assert_eq!(want(&state, &last, 1, 1).await, Wanted::Unchanged, "the applied values are remembered");
}

pub(super) async fn a_withdrawn_record_that_was_never_applied_is_forgotten(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.bury(&state, "refused").await;
    let job = enqueue(&state, &run, 1, 2).await;
    job.claim(&state).await;
    state.withdraw(&products(), &[1.into(), 7.into()]).await.unwrap();
    assert_eq!(counts(&state).await, Counts::default());
    assert_eq!(state.dead_letters(&products(), 10).await.unwrap(), []);
    assert_eq!(ledger(&state, run.id).await.outstanding(), 0);
}

pub(super) async fn withdrawing_what_is_not_outstanding_changes_nothing(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    enqueue(&state, &run, 2, 1).await.bury(&state, "refused").await;
    let before = (counts(&state).await, ledger(&state, run.id).await);
    state.withdraw(&products(), &[1.into(), 2.into()]).await.unwrap();
    assert_eq!((counts(&state).await, ledger(&state, run.id).await), before);
    state.withdraw(&"unheard-of".parse().unwrap(), &[1.into()]).await.unwrap();
}

pub(super) async fn pipelines_do_not_see_each_other(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let customers: PipelineName = "customers".parse().unwrap();
    let other = state.begin_run(&NewRun { pipeline: customers.clone(), ..new_run() }).await.unwrap();
    assert_ne!(other.id, run.id);
    assert!(matches!(want(&state, &other, 1, 1).await, Wanted::Enqueue { place: 0, .. }));
    let expected = Counts { wanted: 1, outstanding: 1, ..Counts::default() };
    assert_eq!(state.counts(&customers).await.unwrap(), expected);
    assert_eq!(outstanding(&state).await, [""; 0]);
    assert_eq!(state.pipeline(&products()).await.unwrap().unwrap().open.unwrap().id, run.id);
}

pub(super) async fn weighing_tells_what_a_run_would_enqueue_and_notes_nothing(store: impl Fixture) {
    use Weight::{Dead, Enqueue, Outstanding, Unchanged};
    let state = store.open().await;
    let weigh = async |force, lost| -> Vec<Weight> {
        let wants =
            [want_of(1, 1), want_of(1, 2), want_of(2, 1), want_of(2, 2), want_of(3, 1), want_of(4, 1)];
        let weighed = state.weigh(&products(), &wants, force, lost).await.unwrap();
        weighed.into_iter().map(|weighed| weighed.weight).collect()
    };
    assert_eq!(weigh(false, false).await, [Enqueue; 6]);
    assert_eq!(state.pipeline(&products()).await.unwrap(), None);
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    let dead = enqueue(&state, &run, 2, 1).await;
    state.bury(&[dead.letter("refused")]).await.unwrap();
    enqueue(&state, &run, 3, 1).await;
    let before = (counts(&state).await, ledger(&state, run.id).await);
    assert_eq!(weigh(false, false).await, [Unchanged, Enqueue, Dead, Enqueue, Outstanding, Enqueue]);
    assert_eq!(weigh(false, true).await, [Unchanged, Enqueue, Dead, Enqueue, Enqueue, Enqueue]);
    assert_eq!(weigh(true, false).await, [Enqueue, Enqueue, Enqueue, Enqueue, Outstanding, Enqueue]);
    assert_eq!((counts(&state).await, ledger(&state, run.id).await), before);
    assert_eq!(
        want(&state, &run, 4, 1).await,
        Wanted::Enqueue { version: Version { epoch: run.epoch, sequence: 4 }, place: 3 }
    );
}

pub(super) async fn weighing_tells_which_images_would_follow(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let wanted = Want { image: Some(image::image(1)), ..want_of(1, 1) };
    let answer = state.want(&run, std::slice::from_ref(&wanted), false).await.unwrap().remove(0);
    let job = Made { image: Some(1), ..made(&run, 1, 1, answer) };
    job.settle(&state, Outcome::Created).await;
    let weigh = async |number: Option<u8>| {
        let want = Want { image: number.map(image::image), ..want_of(1, 2) };
        let weighed = state.weigh(&products(), &[want], false, false).await.unwrap().remove(0);
        assert_eq!(weighed.weight, Weight::Enqueue);
        (weighed.image, weighed.brings_image)
    };
    // Outstanding already: it comes without this record.
    assert_eq!(weigh(Some(1)).await, (None, false));
    assert_eq!(weigh(Some(2)).await, (None, true));
    let outstanding = state.outstanding_images(&products(), None, 9).await.unwrap().remove(0);
    image::ImageJob(outstanding.into_job(products())).settle(&state, Outcome::Created).await;
    assert_eq!(weigh(Some(1)).await, (Some(image::image(1)), false));
    assert_eq!(weigh(Some(2)).await, (Some(image::image(1)), true));
    assert_eq!(weigh(None).await, (Some(image::image(1)), false));
}
