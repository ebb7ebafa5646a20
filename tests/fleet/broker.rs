//! The broker on bad days: restarted, closed, emptied, full, silent. Each prints the time until jobs flow again.

use std::time::Instant;

use services::{Broker, Proxy};

use super::catalogue::Size;
use super::processes::Fleet;
use super::stranger::Stranger;

/// A fleet with a broker of its own.
async fn with_broker() -> (Fleet, Broker) {
    let broker = Broker::start();
    let fleet = Fleet::at(Size::small(), broker.addr(), services::redis().addr()).await;
    (fleet, broker)
}

/// A fleet with a proxy between it and the broker that all tests share.
async fn with_proxy() -> (Fleet, Proxy) {
    let proxy = Proxy::to(services::broker().addr());
    let fleet = Fleet::at(Size::small(), proxy.addr(), services::redis().addr()).await;
    (fleet, proxy)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_broker_closes_are_built_anew() {
    let (fleet, broker) = with_broker().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .flows_after("connections closed by the broker", async || {
            broker.rabbitmqctl(&["close_all_connections", "test"]);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_are_built_anew() {
    let (fleet, proxy) = with_proxy().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet.flows_after("connections cut", async || proxy.cut()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_started_again_gets_its_fleet_back() {
    let (fleet, broker) = with_broker().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .flows_after("restart of the broker", async || {
            broker.stop();
            broker.start_again();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_gets_its_fleet_back() {
    let (fleet, broker) = with_broker().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .flows_after("kill of the broker", async || {
            broker.kill();
            broker.start_again();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_half_open_is_noticed() {
    let (fleet, proxy) = with_proxy().await;
    fleet.notices_soon();
    let roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    for number in 0..30 {
        fleet.catalogue.edit(number, "half open");
    }
    proxy.freeze();
    let began = Instant::now();
    fleet
        .until("all have noticed", || async {
            roles.iter().all(|role| role.log().contains("the connection to RabbitMQ"))
        })
        .await;
    println!("half-open: noticed by all after {:.1} s", began.elapsed().as_secs_f64());
    proxy.thaw();
    fleet.flow("after the silence").await;
    println!("half-open: in step {:.1} s after the silence began", began.elapsed().as_secs_f64());
    fleet.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_the_broker_lost_are_enqueued_again() {
    lost(async |stranger| stranger.purge("items.record").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_were_lost_with_their_queue_are_enqueued_again() {
    lost(async |stranger| stranger.delete("items.record").await).await;
}

/// All jobs wait in their queue, for there is no worker, and it `loses` them.
async fn lost(loses: impl AsyncFnOnce(&Stranger)) {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let stranger = Stranger::new(&fleet).await;
    let producer = fleet.producer();
    fleet.until("jobs in the queue", || async { stranger.ready("items.record").await == 60 }).await;
    loses(&stranger).await;
    let _worker = fleet.worker();
    let began = Instant::now();
    fleet.in_step().await;
    println!("jobs lost: in step again after {:.1} s", began.elapsed().as_secs_f64());
    assert!(!producer.log().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_was_deleted_is_declared_again_and_jobs_flow() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let stranger = Stranger::new(&fleet).await;
    let roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet.flows_after("queue deleted", async || stranger.delete("items.record").await).await;
    assert!(roles.iter().all(|role| !role.log().contains("panicked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_makes_the_producer_wait_and_lets_workers_go_on() {
    let (fleet, broker) = with_broker().await;
    let (producer, _workers) = (fleet.producer(), [fleet.worker(), fleet.worker()]);
    fleet.in_step().await;
    broker.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    // The broker tells whoever publishes once it has looked at its memory again.
    let mut number = 0;
    fleet
        .until("publishing waits", || {
            fleet.catalogue.edit(number % 30, &format!("{number} during the alarm"));
            number += 1;
            let waits = producer.log().contains("RabbitMQ takes no jobs for now");
            async move { waits }
        })
        .await;
    broker.rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]);
    let began = Instant::now();
    fleet.flow("after the alarm").await;
    println!("memory alarm: jobs flow again after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
}
