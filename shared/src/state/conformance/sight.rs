//! Rules of what is looked at: one record in full, and the walk over all of them.

use std::collections::BTreeSet;

use super::image::{ImageJob, bring, due, failed, far_off, image, kept};
use super::*;
use crate::record::RecordKey;

async fn look(state: &State, id: u64) -> Option<Sight> {
    state.look(&products(), &id.into()).await.unwrap()
}

/// All pages of a walk.
async fn walk(state: &State, limit: usize) -> Vec<Known> {
    let (mut after, mut known) = (None, Vec::new());
    loop {
        let page = state.known(&products(), after.as_deref(), limit).await.unwrap();
        known.extend(page.records);
        match page.next {
            Some(next) => after = Some(next),
            None => return known,
        }
    }
}

fn sorted(mut known: Vec<Known>) -> Vec<Known> {
    known.sort_by(|a, b| a.key.cmp(&b.key));
    known
}

fn keys(known: &[Known]) -> BTreeSet<RecordKey> {
    known.iter().map(|known| known.key.clone()).collect()
}

pub(super) async fn a_record_is_seen_from_want_to_success(store: impl Fixture) {
    let state = store.open().await;
    assert_eq!(look(&state, 1).await, None, "there is no pipeline yet");
    let run = begin(&state).await;
    assert_eq!(look(&state, 1).await, None);
    let job = enqueue(&state, &run, 1, 7).await;
    let stand = Stand { version: job.version, checksum: sum(7) };
    let seen = look(&state, 1).await.unwrap();
    assert_eq!((seen.known.stage, seen.known.wanted), (Stage::Outstanding, Some(stand)));
    assert_eq!((seen.known.applied, seen.known.sink_id, seen.run), (None, None, Some(run.id)));
    let now = state.now().await.unwrap();
    assert!(seen.since.is_some_and(|since| since <= now));
    assert_eq!((seen.begun, seen.dirty, seen.image), (None, false, None));

    show(&state, "us", FAR_OFF).await;
    job.claim(&state).await;
    let begun = Begun { version: job.version, times: 1, worker: Some("us".parse().unwrap()), alive: true };
    assert_eq!(look(&state, 1).await.unwrap().begun, Some(begun.clone()));
    show(&state, "us", PAST).await;
    assert_eq!(look(&state, 1).await.unwrap().begun, Some(Begun { alive: false, ..begun }));

    job.settle(&state, Outcome::Created).await;
    let seen = look(&state, 1).await.unwrap();
    assert_eq!((seen.known.stage, seen.known.applied), (Stage::Applied, Some(stand)));
    assert_eq!(seen.known.sink_id.as_deref(), Some("sink-1"));
    assert_eq!((seen.since, seen.begun), (None, None));
    assert_eq!(state.look(&"customers".parse().unwrap(), &1.into()).await.unwrap(), None);
}

pub(super) async fn a_dead_record_is_seen_with_its_letter(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    job.bury(&state, "the sink refuses 'type'").await;
    let seen = look(&state, 1).await.unwrap();
    assert_eq!((seen.known.stage, seen.letter), (Stage::Dead, Some(job.letter("the sink refuses 'type'"))));
    let changed = enqueue(&state, &run, 1, 2).await;
    let seen = look(&state, 1).await.unwrap();
    assert_eq!(seen.known.stage, Stage::Outstanding);
    assert!(seen.letter.is_some(), "it is kept until the record is brought");
    changed.settle(&state, Outcome::Updated).await;
    assert_eq!(look(&state, 1).await.unwrap().letter, None);
}

pub(super) async fn an_image_is_seen_beside_its_record(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(3)).await;
    let seen = look(&state, 1).await.unwrap();
    assert_eq!((seen.known.stage, seen.known.image_stage), (Stage::Applied, Stage::Outstanding));
    assert_eq!((seen.known.wanted_image, seen.known.applied_image), (Some(image(3)), None));
    let wanted = seen.image.unwrap();
    assert_eq!((wanted.reference, wanted.attempt, wanted.retry_at), (Some(image(3)), 1, None));

    let listed = state.outstanding_images(&products(), None, 10).await.unwrap().remove(0);
    let job = ImageJob(listed.into_job(products()));
    job.claim(&state).await;
    assert_eq!(look(&state, 1).await.unwrap().image.unwrap().begun.unwrap().times, 1);
    let failure = failed(Class::Transient, "no answer");
    job.retry(&state, far_off(), &failure).await;
    let wanted = look(&state, 1).await.unwrap().image.unwrap();
    assert_eq!((wanted.attempt, wanted.retry_at), (2, Some(far_off())));
    assert_eq!((wanted.failures, wanted.begun), (vec![failure], None));

    job.bury(&state).await;
    let seen = look(&state, 1).await.unwrap();
    assert_eq!((seen.known.image_stage, seen.letter), (Stage::Dead, None));
    assert_eq!(seen.image_letter.unwrap().failure.message, "not an image");

    job.settle(&state, Outcome::Created).await;
    let known = look(&state, 1).await.unwrap().known;
    let hash = Some(Checksum::of_value(&image(3).as_str().into()));
    let written = Some(kept(&image(3)));
    assert_eq!(known.applied_image, Some(ImageStand { reference: image(3), hash, written }));
    assert_eq!(known.image_stage, Stage::Applied);
}

pub(super) async fn a_doubt_is_seen_until_it_is_over(store: impl Fixture) {
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    let late = claimant("us", Duration::from_hours(1));
    job.claim_as(&state, &late).await;
    state.release(&products(), &[1.into()], &late, true).await.unwrap();
    let seen = look(&state, 1).await.unwrap();
    assert!(seen.doubt_until.is_some_and(|until| until > due()), "{seen:?}");
    assert!(!seen.dirty);
}

pub(super) async fn a_walk_meets_every_record_once(store: impl Fixture) {
    let state = store.open().await;
    assert_eq!(walk(&state, 10).await, []);
    let run = begin(&state).await;
    for id in 1..=40 {
        let job = enqueue(&state, &run, id, 1).await;
        match id % 4 {
            0 => {}
            1 => job.bury(&state, "refused").await,
            _ => job.settle(&state, Outcome::Created).await,
        }
    }
    bring(&state, &run, 41, 1, Some(3)).await;
    // Wider than what Redis keeps in a bucket.
    let long: RecordKey = "k".repeat(150).parse().unwrap();
    let want = Want { key: long.clone(), ..want_of(0, 1) };
    let Wanted::Enqueue { version, .. } = state.want(&run, &[want], false).await.unwrap()[0] else {
        panic!("it is new");
    };
    let settled = Settled {
        key: long.clone(),
        version,
        ..enqueue(&state, &run, 42, 1).await.settled(Outcome::Created)
    };
    state.settle(&products(), &[settled]).await.unwrap();
    for limit in [1, 7, 1_000] {
        let known = sorted(walk(&state, limit).await);
        assert_eq!((known.len(), keys(&known).len()), (43, 43), "{limit} at a time");
        for known in known {
            let seen = state.look(&products(), &known.key).await.unwrap().unwrap();
            assert_eq!(seen.known, known, "as it is seen alone");
        }
    }
    assert_eq!(state.known(&"customers".parse().unwrap(), None, 10).await.unwrap().records, []);
}

pub(super) async fn a_walk_misses_no_record_that_changes_meanwhile(store: impl Fixture) {
    let state = store.open().await;
    let mut run = begin(&state).await;
    let all: Vec<u64> = (1..=60).collect();
    for id in &all {
        let job = enqueue(&state, &run, *id, 1).await;
        if id % 2 == 0 {
            job.settle(&state, Outcome::Created).await;
        }
    }
    // Between the pages, all that is outstanding is brought and all that was brought is wanted anew, in turn.
    let (mut after, mut met, mut content) = (None, BTreeSet::new(), 1);
    loop {
        let page = state.known(&products(), after.as_deref(), 5).await.unwrap();
        met.extend(keys(&page.records));
        let Some(next) = page.next else { break };
        after = Some(next);
        if met.len() == all.len() {
            continue;
        }
        content += 1;
        run = begin(&state).await;
        for id in &all {
            let seen = look(&state, *id).await.unwrap();
            let Some(Stand { version, checksum }) = seen.known.wanted else { panic!("{seen:?}") };
            if seen.known.stage == Stage::Outstanding {
                let made = Made { run: run.id, id: *id, content: 0, version, place: 0, image: None };
                let settled = Settled { checksum, ..made.settled(Outcome::Updated) };
                state.settle(&products(), &[settled]).await.unwrap();
            } else {
                enqueue(&state, &run, *id, content).await;
            }
        }
    }
    assert_eq!(met, all.into_iter().map(RecordKey::from).collect());
}

pub(super) async fn a_record_that_is_forgotten_is_met_no_more(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await.settle(&state, Outcome::Created).await;
    enqueue(&state, &run, 1, 2).await;
    enqueue(&state, &run, 2, 1).await;
    state.withdraw(&products(), &[2.into()]).await.unwrap();
    assert_eq!(keys(&walk(&state, 10).await), BTreeSet::from([1.into()]));
    state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    assert_eq!(walk(&state, 10).await, []);
    assert_eq!(look(&state, 1).await, None);
}
