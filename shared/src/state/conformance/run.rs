//! Rules of runs and their history.

use super::*;

fn page(number: u64) -> Page {
    Page { number, position: format!("id > {number}00"), unchanged: 5, dead: 2 }
}

pub(super) async fn a_pipeline_that_never_ran_is_unknown(store: impl Fixture) {
    let state = store.open().await;
    assert_eq!(state.pipeline(&products()).await.unwrap(), None);
    assert_eq!(state.resume_run(&products()).await.unwrap(), None);
    assert_eq!(counts(&state).await, Counts::default());
    assert_eq!(state.runs(Some(&products()), 10).await.unwrap(), []);
    assert_eq!(state.run(RunId(1)).await.unwrap(), None);
    assert_eq!(outstanding(&state).await, [""; 0]);
}

pub(super) async fn a_complete_run_moves_the_cursor(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let open = OpenRun { id: run.id, kind: run.kind, window: run.window, position: None, force: run.force };
    let expected = PipelineState { binding: binding(), cursor: None, last_full: None, open: Some(open) };
    assert_eq!(state.pipeline(&products()).await.unwrap(), Some(expected));

    let summary = finish(&state, &run).await;
    assert_eq!((summary.end, summary.window), (Some(RunEnd::Complete), run.window));
    assert!(summary.ended.unwrap() >= summary.started);
    let known = state.pipeline(&products()).await.unwrap().unwrap();
    assert_eq!((known.cursor, known.last_full, known.open), (Some(run.window.end), None, None));
    assert_eq!(state.resume_run(&products()).await.unwrap(), None);

    // The source was restored: its clock went back, and the cursor with it.
    let window = Window { start: None, end: time("2026-11-19T00:00:00Z") };
    let full = NewRun { kind: RunKind::Full, window, ..new_run() };
    let full = state.begin_run(&full).await.unwrap();
    finish(&state, &full).await;
    let known = state.pipeline(&products()).await.unwrap().unwrap();
    assert_eq!((known.cursor, known.last_full), (Some(window.end), Some(window.end)));
}

pub(super) async fn a_failed_run_stays_open_and_goes_on_from_its_position(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    state.advance(&run, &page(1)).await.unwrap();
    let failed = RunEnd::Failed("no connection".to_owned());
    let summary = state.finish_run(&run, &failed).await.unwrap();
    assert_eq!(summary.end, Some(failed));
    assert!(summary.ended.is_some());
    drop(state);

    let state = store.open().await;
    let known = state.pipeline(&products()).await.unwrap().unwrap();
    assert_eq!((known.cursor, known.open.unwrap().position), (None, Some("id > 100".to_owned())));
    let resumed = state.resume_run(&products()).await.unwrap().unwrap();
    assert!(resumed.epoch > run.epoch);
    let expected = Run { epoch: resumed.epoch, position: Some("id > 100".to_owned()), pages: 1, ..run };
    assert_eq!(resumed, expected);
    let summary = state.run(resumed.id).await.unwrap().unwrap();
    assert_eq!((summary.ended, summary.end), (None, None), "it is under way again");
    finish(&state, &resumed).await;
    assert_eq!(state.pipeline(&products()).await.unwrap().unwrap().cursor, Some(resumed.window.end));
}

pub(super) async fn a_new_run_closes_an_open_one_as_interrupted(store: impl Fixture) {
    let state = store.open().await;
    let killed = begin(&state).await;
    let failed = begin(&state).await;
    state.finish_run(&failed, &RunEnd::Failed("no connection".to_owned())).await.unwrap();
    let last = begin(&state).await;
    let end = async |run: &Run| state.run(run.id).await.unwrap().unwrap().end;
    assert_eq!(end(&killed).await, Some(RunEnd::Interrupted));
    assert_eq!(end(&failed).await, Some(RunEnd::Failed("no connection".to_owned())));
    assert_eq!(end(&last).await, None);
    assert!(killed.id < failed.id && failed.id < last.id);
    assert!(killed.epoch < failed.epoch && failed.epoch < last.epoch);
    assert_eq!(state.pipeline(&products()).await.unwrap().unwrap().cursor, None);
}

pub(super) async fn a_reset_forgets_records_letters_and_cursor(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    enqueue(&state, &run, 2, 1).await.bury(&state, "refused").await;
    enqueue(&state, &run, 3, 1).await;
    finish(&state, &run).await;
    let elsewhere = Binding { sink: "file 2".to_owned(), mapping: sum(9), ..binding() };
    let reset = NewRun { reset: true, binding: elsewhere.clone(), ..new_run() };
    let later = state.begin_run(&reset).await.unwrap();
    assert_eq!(counts(&state).await, Counts::default());
    assert_eq!(state.dead_letters(&products(), 10).await.unwrap(), []);
    assert_eq!(outstanding(&state).await, [""; 0]);
    let known = state.pipeline(&products()).await.unwrap().unwrap();
    assert_eq!((known.binding, known.cursor, known.last_full), (elsewhere, None, None));
    let before = ledger(&state, run.id).await;
    assert_eq!((before.superseded, before.outstanding()), (1, 0), "the former run balances");
    for id in 1..=3 {
        enqueue(&state, &later, id, 1).await;
    }
}

pub(super) async fn a_job_from_before_a_reset_is_superseded_and_leaves_no_trace(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let old = enqueue(&state, &run, 1, 1).await;
    state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    assert_eq!(old.claim(&state).await, Claimed::Superseded);
    let before = ledger(&state, run.id).await;
    old.settle(&state, Outcome::Created).await;
    old.bury(&state, "refused").await;
    assert_eq!(counts(&state).await, Counts::default());
    assert_eq!(ledger(&state, run.id).await, before);
}

pub(super) async fn jobs_that_came_before_the_first_run_are_forgotten_by_it(mut store: impl Fixture) {
    let state = store.open().await;
    let old = enqueue(&state, &begin(&state).await, 1, 1).await;
    drop(state);
    store.wipe().await;
    let state = store.open().await;
    assert_eq!(marks(&old.claim(&state).await), 0);
    old.settle(&state, Outcome::Created).await;
    assert_eq!(state.pipeline(&products()).await.unwrap(), None);
    // Nobody knows which sink that job was about.
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await;
}

pub(super) async fn a_page_counts_once(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    for number in [1, 1, 2, 1, 2] {
        state.advance(&run, &page(number)).await.unwrap();
    }
    let ledger = ledger(&state, run.id).await;
    assert_eq!((ledger.unchanged_at_source, ledger.dead_at_source, ledger.seen), (10, 4, 14));
    let open = state.pipeline(&products()).await.unwrap().unwrap().open.unwrap();
    assert_eq!(open.position.as_deref(), Some("id > 200"));
}

pub(super) async fn finishing_twice_is_finishing_once(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let first = finish(&state, &run).await;
    let window = Window { start: None, end: time("2026-11-22T00:00:00Z") };
    let later = state.begin_run(&NewRun { window, ..new_run() }).await.unwrap();
    finish(&state, &later).await;
    assert_eq!(finish(&state, &run).await, first);
    assert_eq!(state.finish_run(&run, &RunEnd::Interrupted).await.unwrap(), first);
    let known = state.pipeline(&products()).await.unwrap().unwrap();
    assert_eq!(known.cursor, Some(window.end), "the later run's cursor stays");
}

pub(super) async fn a_producer_that_was_taken_over_gives_no_versions(store: impl Fixture) {
    let state = store.open().await;
    let asleep = begin(&state).await;
    let awake = state.resume_run(&products()).await.unwrap().unwrap();
    let newest = enqueue(&state, &awake, 1, 2).await;
    let refused = [
        state.want(&asleep, &[want_of(1, 1)], false).await.map(drop),
        state.advance(&asleep, &page(1)).await,
        state.finish_run(&asleep, &RunEnd::Complete).await.map(drop),
    ];
    for result in refused {
        let failure = result.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Locked));
    }
    assert_eq!(marks(&newest.claim(&state).await), 0);
    assert_eq!(state.pipeline(&products()).await.unwrap().unwrap().cursor, None);
}

pub(super) async fn history_is_newest_first_and_bounded_by_the_limit(store: impl Fixture) {
    let state = store.open().await;
    let customers: PipelineName = "customers".parse().unwrap();
    let mut ids = Vec::new();
    for number in 0..4 {
        let pipeline = if number == 2 { customers.clone() } else { products() };
        ids.push(state.begin_run(&NewRun { pipeline, ..new_run() }).await.unwrap().id);
    }
    let listed = async |pipeline: Option<&PipelineName>, limit| {
        let runs = state.runs(pipeline, limit).await.unwrap();
        runs.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 3).await, [ids[3], ids[2], ids[1]]);
    assert_eq!(listed(Some(&products()), 10).await, [ids[3], ids[1], ids[0]]);
    assert_eq!(state.runs(None, 10).await.unwrap()[1].pipeline, customers);
    assert_eq!(state.run(ids[2]).await.unwrap().unwrap().window, new_run().window);
}

pub(super) async fn force_survives_a_resumption(store: impl Fixture) {
    let state = store.open().await;
    state.begin_run(&NewRun { force: true, kind: RunKind::Full, ..new_run() }).await.unwrap();
    let resumed = state.resume_run(&products()).await.unwrap().unwrap();
    assert_eq!((resumed.force, resumed.kind, resumed.window), (true, RunKind::Full, new_run().window));
}

pub(super) async fn a_run_is_over_when_it_is_complete_and_its_last_job_has_ended(store: impl Fixture) {
    let state = store.open().await;
    let settled = async |run: &Run| state.run(run.id).await.unwrap().unwrap().settled;
    // The last job ends after the enumeration.
    let run = begin(&state).await;
    let jobs = [enqueue(&state, &run, 1, 1).await, enqueue(&state, &run, 2, 1).await];
    jobs[0].settle(&state, Outcome::Created).await;
    assert_eq!(finish(&state, &run).await.settled, None);
    jobs[1].bury(&state, "refused").await;
    let over = settled(&run).await.unwrap();
    assert!(over >= state.run(run.id).await.unwrap().unwrap().ended.unwrap());
    jobs[1].bury(&state, "refused").await;
    assert_eq!(settled(&run).await, Some(over), "told once");
    // It ends before it.
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 2).await.settle(&state, Outcome::Updated).await;
    assert_eq!(settled(&run).await, None, "more may come");
    let summary = finish(&state, &run).await;
    assert!(summary.settled.unwrap() >= summary.started);
    assert_eq!(state.runs(None, 1).await.unwrap(), [summary]);
    // A run that stays open is not over, nor is one that was given up.
    let run = begin(&state).await;
    state.finish_run(&run, &RunEnd::Interrupted).await.unwrap();
    begin(&state).await;
    assert_eq!(settled(&run).await, None);
    // What a reset forgets is waited for no longer.
    let run = begin(&state).await;
    enqueue(&state, &run, 3, 1).await;
    assert_eq!(finish(&state, &run).await.settled, None);
    state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    assert!(settled(&run).await.is_some());
}

pub(super) async fn a_run_over_some_records_moves_neither_cursor_nor_last_full(store: impl Fixture) {
    let state = store.open().await;
    let full = NewRun { kind: RunKind::Full, ..new_run() };
    finish(&state, &state.begin_run(&full).await.unwrap()).await;
    let before = state.pipeline(&products()).await.unwrap().unwrap();
    let window = Window { start: None, end: time("2031-01-01T00:00:00Z") };
    let chosen = NewRun { kind: RunKind::Chosen, window, force: true, ..new_run() };
    let run = state.begin_run(&chosen).await.unwrap();
    let open = state.pipeline(&products()).await.unwrap().unwrap().open.unwrap();
    assert_eq!((open.kind, open.force), (RunKind::Chosen, true));
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Updated).await;
    let ended = finish(&state, &run).await;
    assert_eq!((ended.kind, ended.ledger.updated, ended.settled.is_some()), (RunKind::Chosen, 1, true));
    assert_eq!(state.pipeline(&products()).await.unwrap().unwrap(), before);
    assert!(before.cursor.is_some() && before.last_full.is_some());
}

pub(super) async fn runs_are_forgotten_by_their_age_and_the_open_one_is_not(store: impl Fixture) {
    let state = store.open().await;
    let old = begin(&state).await;
    finish(&state, &old).await;
    let young = begin(&state).await;
    finish(&state, &young).await;
    let open = begin(&state).await;
    let ids = |runs: Vec<RunSummary>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    let began = state.run(old.id).await.unwrap().unwrap().started;
    state.forget_runs(&products(), began).await.unwrap();
    assert_eq!(state.runs(None, 10).await.unwrap().len(), 3, "none began before");
    let began = state.run(young.id).await.unwrap().unwrap().started;
    for _ in 0..2 {
        state.forget_runs(&products(), began).await.unwrap();
        assert_eq!(ids(state.runs(None, 10).await.unwrap()), [open.id, young.id]);
        assert_eq!(ids(state.runs(Some(&products()), 10).await.unwrap()), [open.id, young.id]);
    }
    assert_eq!(state.run(old.id).await.unwrap(), None);
    state.forget_runs(&products(), Timestamp::MAX).await.unwrap();
    assert_eq!(ids(state.runs(None, 10).await.unwrap()), [open.id]);
    finish(&state, &open).await;
}
