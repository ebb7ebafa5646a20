//! Rules of memos, and the store's clock.

use super::*;

pub(super) async fn a_memo_is_kept_replaced_and_forgotten(store: impl Fixture) {
    let state = store.open().await;
    assert_eq!(state.memo("odoo version").await.unwrap(), None);
    state.set_memo("odoo version", Some("18.0")).await.unwrap();
    state.set_memo("odoo version", Some("19.0")).await.unwrap();
    drop(state);
    let state = store.open().await;
    assert_eq!(state.memo("odoo version").await.unwrap().as_deref(), Some("19.0"));
    state.set_memo("odoo version", None).await.unwrap();
    state.set_memo("odoo version", None).await.unwrap();
    assert_eq!(state.memo("odoo version").await.unwrap(), None);
}

pub(super) async fn a_memo_is_swapped_only_where_it_is_what_it_was(store: impl Fixture) {
    let state = store.open().await;
    let swap = async |before, after| state.swap_memo("lease", before, after).await.unwrap();
    assert!(!swap(Some("a"), Some("b")).await);
    assert_eq!(state.memo("lease").await.unwrap(), None);
    assert!(swap(None, Some("a")).await);
    assert!(!swap(None, Some("b")).await);
    assert!(!swap(Some("b"), None).await);
    assert!(!swap(Some(""), Some("b")).await);
    assert_eq!(state.memo("lease").await.unwrap().as_deref(), Some("a"));
    assert!(swap(Some("a"), Some("")).await);
    assert!(!swap(None, Some("b")).await, "an empty one is one");
    assert!(swap(Some(""), None).await);
    assert!(swap(None, None).await);
    assert_eq!(state.memo("lease").await.unwrap(), None);
}

pub(super) async fn of_two_that_swap_at_once_one_wins(store: impl Fixture) {
    let [one, other] = [store.open().await, store.open().await];
    let mut wins = [0; 2];
    for round in 0..50 {
        let before = one.memo("lease").await.unwrap();
        let [mine, theirs] = ["one", "other"].map(|name| format!("{name} {round}"));
        let (won, lost) = tokio::join!(
            one.swap_memo("lease", before.as_deref(), Some(&mine)),
            other.swap_memo("lease", before.as_deref(), Some(&theirs)),
        );
        let (won, lost) = (won.unwrap(), lost.unwrap());
        assert!(won != lost, "round {round}: {won} and {lost}");
        let expected = if won { mine } else { theirs };
        assert_eq!(other.memo("lease").await.unwrap(), Some(expected));
        wins[usize::from(won)] += 1;
    }
    assert_eq!(wins[0] + wins[1], 50);
}

pub(super) async fn memos_are_listed_by_their_beginning(store: impl Fixture) {
    let state = store.open().await;
    for name in ["worker/b", "worker/a", "worker", "workers/c", "worker/*", "worker/ü", "pause/products"] {
        state.set_memo(name, Some(&format!("text of {name}"))).await.unwrap();
    }
    state.set_memo("worker/gone", Some("")).await.unwrap();
    state.set_memo("worker/gone", None).await.unwrap();
    let names = async |prefix| {
        let memos = state.memos(prefix).await.unwrap();
        assert!(memos.iter().all(|(name, text)| *text == format!("text of {name}")));
        memos.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names("worker/").await, ["worker/*", "worker/a", "worker/b", "worker/ü"]);
    assert_eq!(names("worker/*").await, ["worker/*"], "a beginning is no pattern");
    assert_eq!(names("worker/[ab]").await, [""; 0]);
    assert_eq!(names("").await.len(), 7);
}

pub(super) async fn the_clock_of_the_store_goes_on(store: impl Fixture) {
    let state = store.open().await;
    let before = state.now().await.unwrap();
    assert!(before > time(PAST) && before < time(FAR_OFF));
    wait_for("a later time", async || (state.now().await.unwrap() > before).then_some(())).await;
}
