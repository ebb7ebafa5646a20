//! What Redis itself may do to a state: restart, stay away, be full, be a replica, hold what nobody of us wrote.

use std::sync::Arc;

use super::fleet::Plain;
use super::outage::{open_impatient, store_in};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_costs_a_call_nothing_but_time() {
    let server = services::RedisServer::start_durable();
    let store = store_in(&server);
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    server.kill();
    let server = Arc::new(server);
    let again = Arc::clone(&server);
    let starting = tokio::task::spawn_blocking(move || again.start_again());
    assert_eq!(marks(&job.claim(&state).await), 0);
    starting.await.unwrap();
    job.settle(&state, Outcome::Created).await;
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_is_transient_and_found_again() {
    let server = services::RedisServer::start_durable();
    let store = store_in(&server);
    let state = open_impatient(&store).await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    server.stop();
    let claim = [Claim { key: 1.into(), version: job.version }];
    let failure = state.claim(&products(), &claim, &us()).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable), "{failure:#}");
    server.start_again();
    assert_eq!(marks(&job.claim(&state).await), 0);
}

/// Numbers of the server's connections but of who asks.
async fn connections(plain: &mut Plain) -> Vec<u64> {
    let own: u64 = plain.ask(&["CLIENT", "ID"]).await;
    let list: String = plain.ask(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await;
    let id = |line: &str| line.split(' ').next().unwrap().strip_prefix("id=").unwrap().parse().unwrap();
    list.lines().map(id).filter(|id| *id != own).collect()
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_left_and_found_again_as_a_master() {
    let server = services::RedisServer::start();
    let store = store_in(&server);
    let state = open_impatient(&store).await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    let mut plain = Plain::of(&store).await;
    let before = connections(&mut plain).await;
    assert!(!before.is_empty());
    // Of nobody: it keeps what it has and takes no writes.
    plain.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let claim = [Claim { key: 1.into(), version: job.version }];
    let failure = state.claim(&products(), &claim, &us()).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable), "{failure:#}");
    assert!(failure.what().contains("replica"), "{failure}");
    let after = connections(&mut plain).await;
    assert!(before.iter().all(|id| !after.contains(id)), "{before:?} were left for {after:?}");

    let patient = store.open();
    plain.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(marks(&job.claim(&state).await), 0);
    assert_eq!(marks(&job.claim(&patient.await).await), 1);
}

#[tokio::test]
async fn a_full_server_is_systemic_loses_nothing_and_goes_on_when_there_is_room() {
    let server = services::RedisServer::start();
    let store = store_in(&server);
    let state = store.open().await;
    let run = begin(&state).await;
    enqueue(&state, &run, 1, 1).await;
    let mut plain = Plain::of(&store).await;
    let keys = plain.keys("").await;
    plain.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let failure = state.want(&run, &[want_of(1, 2), want_of(2, 1)], false).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::DiskFull), "{failure:#}");
    assert_eq!(counts(&state).await, Counts { wanted: 1, outstanding: 1, ..Counts::default() });
    assert_eq!(plain.keys("").await, keys);
    plain.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(enqueue(&state, &run, 2, 1).await.place, 1);
}

#[tokio::test]
async fn a_broken_value_is_taken_as_unknown_and_written_anew() {
    let store = Redis::new().await;
    let state = store.open().await;
    let run = begin(&state).await;
    let jobs = [enqueue(&state, &run, 1, 1).await, enqueue(&state, &run, 2, 1).await];
    let short = Settled { sink_id: None, ..jobs[0].settled(Outcome::Created) };
    state.settle(&products(), &[short]).await.unwrap();
    finish(&state, &run).await;
    let mut plain = Plain::of(&store).await;
    let wide = plain.name("p:products:0:r");
    let bucket = plain.keys("p:products:0:r").await.into_iter().find(|key| Plain::is_bucket(key)).unwrap();
    for (hash, key) in [(&bucket, "1"), (&wide, "2")] {
        assert_eq!(plain.ask::<u32>(&["HEXISTS", hash, key]).await, 1);
        plain.ask::<()>(&["HSET", hash, key, "\u{1}broken"]).await;
    }
    let run = begin(&state).await;
    let anew = [enqueue(&state, &run, 1, 1).await, enqueue(&state, &run, 2, 1).await];
    assert_eq!(outstanding(&state).await, ["1", "2"]);
    for job in anew {
        assert_eq!(marks(&job.claim(&state).await), 0);
        job.settle(&state, Outcome::Unchanged).await;
        assert_eq!(job.claim(&state).await, Claimed::Applied);
    }
}

#[tokio::test]
async fn a_value_of_a_newer_format_is_left_alone() {
    let store = Redis::new().await;
    let state = store.open().await;
    let run = begin(&state).await;
    let job = enqueue(&state, &run, 1, 1).await;
    let mut plain = Plain::of(&store).await;
    let wide = plain.name("p:products:0:r");
    plain.ask::<()>(&["HSET", &wide, "1", "\u{3}from the future"]).await;
    let claim = [Claim { key: 1.into(), version: job.version }];
    let all = Version { epoch: u64::MAX >> 1, sequence: 0 };
    for failure in [
        state.claim(&products(), &claim, &us()).await.unwrap_err(),
        state.want(&run, &[want_of(1, 1)], true).await.unwrap_err(),
        state.outstanding(&products(), all, 10).await.unwrap_err(),
    ] {
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration), "{failure:#}");
        assert!(failure.to_string().contains("newer"), "{failure}");
    }
    assert_eq!(plain.ask::<String>(&["HGET", &wide, "1"]).await, "\u{3}from the future");
}
