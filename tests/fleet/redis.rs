//! The state on bad days: restarted, emptied, silent.

use std::time::{Duration, Instant};

use services::{Proxy, RedisServer};

use super::catalogue::Size;
use super::processes::Fleet;

/// A fleet with a state of its own that keeps what it was told, behind a proxy.
async fn with_redis() -> (Fleet, RedisServer, Proxy) {
    let redis = RedisServer::start_durable();
    let proxy = Proxy::to(redis.addr());
    let fleet = Fleet::at(Size::small(), services::broker().addr(), proxy.addr()).await;
    (fleet, redis, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_restarted_loses_nothing() {
    let (fleet, redis, _proxy) = with_redis().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .flows_after("restart of Redis", async || {
            redis.stop();
            redis.start_again();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_killed_loses_nothing() {
    let (fleet, redis, _proxy) = with_redis().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .flows_after("kill of Redis", async || {
            redis.kill();
            redis.start_again();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_silent_for_a_while_loses_nothing() {
    let (fleet, _redis, proxy) = with_redis().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .flows_after("silence of Redis of 4 s", async || {
            proxy.freeze();
            tokio::time::sleep(Duration::from_secs(4)).await;
            proxy.thaw();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_state_that_are_cut_are_built_anew() {
    let (fleet, _redis, proxy) = with_redis().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet.flows_after("connections to Redis cut", async || proxy.cut()).await;
}

/// Found by the soak: the writer took the state's silence for the time that merging costs, and let the file rest for
/// minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_silence_of_the_state_while_the_file_waits_for_its_merge_is_no_reason_to_let_it_wait() {
    let (fleet, _redis, proxy) = with_redis().await;
    let _roles = [fleet.producer(), fleet.worker()];
    fleet.in_step().await;
    // A change that is settled, and that readers of the file do not see yet.
    for attempt in 0.. {
        let mark = format!("attempt {attempt}");
        fleet.catalogue.edit_customer(1, &mark);
        let settled = || async {
            let holds = |name: &str| {
                let path = fleet.catalogue.file().with_file_name(name);
                std::fs::read_dir(&path)
                    .map_or_else(
                        |_| vec![path.clone()],
                        |files| files.map(|file| file.unwrap().path()).collect(),
                    )
                    .iter()
                    .any(|path| {
                        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).contains(&mark)
                    })
            };
            let is_seen = holds("odoo_customers.json");
            let status = fleet.status("customers").await;
            let is_settled = status["records"]["outstanding"] == 0 && holds(".odoo_customers.json.sync");
            is_seen || is_settled
        };
        fleet.until("the change in the journal", settled).await;
        let text = std::fs::read_to_string(fleet.catalogue.file()).unwrap();
        if !text.contains(&mark) {
            break;
        }
        assert!(attempt < 20, "each was merged at once");
    }
    proxy.freeze();
    tokio::time::sleep(Duration::from_secs(4)).await;
    proxy.thaw();
    fleet.in_step().await;
    let took = fleet.flow("after the silence").await;
    println!("a change after a silence of 4 s is in step after {:.1} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_wiped_in_mid_run_costs_time_and_nothing_else() {
    let redis = RedisServer::start();
    let size = Size { items: 1_000, images: false, customers: 300, call: Duration::from_millis(20) };
    let fleet = Fleet::at(size, services::broker().addr(), redis.addr()).await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    let shop = &fleet.catalogue.shop;
    for round in 0..3_u32 {
        fleet
            .until("under way", || async {
                shop.control().counts().rows_created > u64::from(round) * 250 + 50
            })
            .await;
        redis.stop();
        redis.start_again();
    }
    let began = Instant::now();
    fleet.in_step().await;
    println!("wiped three times: in step {:.1} s after the last", began.elapsed().as_secs_f64());
    fleet.settled().await;
    assert_eq!(shop.control().counts().rows_created, 1_000, "each was created once");
}
