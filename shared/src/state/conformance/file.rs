//! Rules of the file store alone: crashes, several openers, the lock.

use super::*;

#[tokio::test]
async fn what_was_committed_outlives_a_killed_process() {
    let store = SqliteFile::new().await;
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    job.settle(&state, Outcome::Created).await;
    // The files as a killed process leaves them: nothing closed, the write-ahead log not merged.
    let killed = SqliteFile::new().await;
    for suffix in ["", "-wal"] {
        let name = format!("state.db{suffix}");
        std::fs::copy(store.0.path().join(&name), killed.0.path().join(&name)).unwrap();
    }
    let after = killed.open().await;
    assert_eq!(counts(&after).await, counts(&state).await);
    assert_eq!(job.claim(&after).await, Claimed::Applied);
    let resumed = after.resume_run(&products()).await.unwrap().unwrap();
    assert_eq!(want(&after, &resumed, 1, 1).await, Wanted::Already);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_opener_reads_whole_batches_while_the_first_writes() {
    const BATCHES: u64 = 40;
    let store = SqliteFile::new().await;
    let writer = store.open().await;
    let reader = store.open().await;
    let run = begin(&writer).await;
    let writing = tokio::spawn(async move {
        for batch in 0..BATCHES {
            let wants: Vec<Want> = (batch * 50..(batch + 1) * 50).map(|id| want_of(id, 1)).collect();
            writer.want(&run, &wants, false).await.unwrap();
        }
    });
    loop {
        let seen = counts(&reader).await;
        assert_eq!(seen.wanted % 50, 0, "a batch is seen whole or not at all");
        assert_eq!(seen.wanted, seen.outstanding);
        if seen.wanted == BATCHES * 50 {
            break;
        }
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_openers_write_in_turn() {
    let store = SqliteFile::new().await;
    let mut writing = Vec::new();
    for number in 0..2 {
        let state = store.open().await;
        let pipeline: PipelineName = format!("pipeline-{number}").parse().unwrap();
        writing.push(tokio::spawn(async move {
            let run = state.begin_run(&NewRun { pipeline: pipeline.clone(), ..new_run() }).await.unwrap();
            for id in 0..100 {
                state.want(&run, &[want_of(id, 1)], false).await.unwrap();
            }
            state.counts(&pipeline).await.unwrap().wanted
        }));
    }
    for writer in writing {
        assert_eq!(writer.await.unwrap(), 100);
    }
}

#[tokio::test]
async fn one_opener_enumerates_at_a_time() {
    let store = SqliteFile::new().await;
    let (first, second) = (store.open().await, store.open().await);
    let lock = first.lock_enumeration().await.unwrap();
    let failure = second.lock_enumeration().await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Locked));
    assert!(failure.what().contains(&format!("process {}", std::process::id())), "{failure}");
    assert_eq!(counts(&second).await, Counts::default(), "whoever only looks is not locked out");
    drop(lock);
    second.lock_enumeration().await.unwrap();
}

#[tokio::test]
async fn two_openers_that_create_the_file_at_once_agree() {
    let store = SqliteFile::new().await;
    let (one, other) = tokio::join!(store.open(), store.open());
    begin(&one).await;
    assert!(other.pipeline(&products()).await.unwrap().is_some());
}
