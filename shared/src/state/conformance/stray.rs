//! Rules of strays.

use super::*;

fn stray(queue: &str, payload: &[u8]) -> Stray {
    let failure = Attempt {
        at: time("2026-11-21T10:00:00.25Z"),
        class: Class::Poison,
        reason: Reason::Undecodable,
        message: "not a job".to_owned(),
    };
    Stray::new(queue, Some(products()), failure, payload)
}

pub(super) async fn a_stray_comes_back_as_it_was_and_once(store: impl Fixture) {
    let state = store.open().await;
    assert_eq!((state.strays(10).await.unwrap(), state.stray_count().await.unwrap()), (vec![], 0));
    let first = stray("products.record", b"{\"a\":\xff}");
    assert_eq!((first.payload.as_str(), first.bytes), ("{\"a\":\u{fffd}}", 7));
    let nameless = Stray { pipeline: None, ..stray("products.record", b"other") };
    for stray in [&first, &nameless, &first] {
        state.bury_stray(stray).await.unwrap();
    }
    let later = Stray { at: time(FAR_OFF), ..first.clone() };
    state.bury_stray(&later).await.unwrap();
    drop(state);
    let state = store.open().await;
    assert_eq!(state.strays(10).await.unwrap(), [nameless, first]);
    // The same bytes elsewhere, and others of the same length, are other messages.
    state.bury_stray(&stray("products.image", b"other")).await.unwrap();
    state.bury_stray(&stray("products.record", b"third")).await.unwrap();
    assert_eq!(state.stray_count().await.unwrap(), 4);
}

pub(super) async fn the_newest_strays_come_first(store: impl Fixture) {
    let state = store.open().await;
    for number in 0..5 {
        state.bury_stray(&stray("q", format!("{number}").as_bytes())).await.unwrap();
    }
    let payloads = async |limit| {
        let strays = state.strays(limit).await.unwrap();
        strays.into_iter().map(|stray| stray.payload).collect::<Vec<_>>()
    };
    assert_eq!(payloads(2).await, ["4", "3"]);
    assert_eq!(payloads(10).await, ["4", "3", "2", "1", "0"]);
}

pub(super) async fn strays_are_cut_and_bounded(store: impl Fixture) {
    const MAX: u64 = 10_000;
    let state = store.open().await;
    let long = stray("q", &vec![b'x'; 100_000]);
    assert_eq!((long.payload.len(), long.bytes), (64 * 1024, 100_000));
    state.bury_stray(&long).await.unwrap();
    for number in 0..MAX {
        state.bury_stray(&stray("q", format!("{number}").as_bytes())).await.unwrap();
    }
    assert_eq!(state.stray_count().await.unwrap(), MAX);
    let newest = state.strays(1).await.unwrap().remove(0);
    assert_eq!(newest.payload, format!("{}", MAX - 1));
    let all = state.strays(20_000).await.unwrap();
    assert_eq!(all.len(), 10_000);
    assert!(!all.contains(&long), "the oldest one went");
}

pub(super) async fn a_discarded_stray_is_gone(store: impl Fixture) {
    let state = store.open().await;
    let [one, other] = [b"one", b"two"].map(|payload| stray("q", payload));
    for stray in [&one, &other] {
        state.bury_stray(stray).await.unwrap();
    }
    assert!(state.discard_stray(&one.id()).await.unwrap());
    assert!(!state.discard_stray(&one.id()).await.unwrap());
    assert_eq!((state.strays(10).await.unwrap(), state.stray_count().await.unwrap()), (vec![other], 1));
    state.bury_stray(&one).await.unwrap();
    assert_eq!(state.stray_count().await.unwrap(), 2);
}
