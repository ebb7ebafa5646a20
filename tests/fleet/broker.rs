//! The broker on bad days: restarted, closed, emptied, full, silent. Each prints the time until jobs flow again.

use std::time::Instant;

use services::{Broker, Proxy};

use super::catalogue::Size;
use super::processes::Fleet;

/// A fleet with a broker of its own behind a proxy.
async fn with_broker() -> (Fleet, Broker, Proxy) {
    let broker = Broker::start();
    let proxy = Proxy::to(broker.addr());
    let fleet = Fleet::at(Size::small(), proxy.addr(), services::redis().addr()).await;
    (fleet, broker, proxy)
}

/// Something happens while jobs flow; afterwards they flow again.
async fn jobs_flow_after(fleet: &Fleet, what: &str, happens: impl FnOnce()) {
    for number in 0..30 {
        fleet.catalogue.edit(number, &format!("before {what}"));
    }
    happens();
    let began = Instant::now();
    fleet.flow(&format!("after {what}")).await;
    println!("{what}: jobs flow again after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_closed_or_cut_are_built_anew() {
    let (fleet, broker, proxy) = with_broker().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    jobs_flow_after(&fleet, "connections closed by the broker", || {
        broker.rabbitmqctl(&["close_all_connections", "test"]);
    })
    .await;
    jobs_flow_after(&fleet, "connections cut", || proxy.cut()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_started_again_gets_its_fleet_back() {
    let (fleet, broker, _proxy) = with_broker().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    jobs_flow_after(&fleet, "restart of the broker", || {
        broker.stop();
        broker.start_again();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_gets_its_fleet_back() {
    let (fleet, broker, _proxy) = with_broker().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    jobs_flow_after(&fleet, "kill of the broker", || {
        broker.kill();
        broker.start_again();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_half_open_is_noticed() {
    let (fleet, _broker, proxy) = with_broker().await;
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
    let (fleet, broker, _proxy) = with_broker().await;
    let producer = fleet.producer();
    // No worker: the jobs wait in the queue.
    let queue = format!("{}.items.record", fleet.prefix);
    fleet
        .until("jobs in the queue", || async {
            let listed = broker.rabbitmqctl(&["list_queues", "name", "messages", "--quiet"]);
            listed.lines().any(|line| line.split_whitespace().eq([queue.as_str(), "60"]))
        })
        .await;
    broker.rabbitmqctl(&["purge_queue", &queue]);
    let _worker = fleet.worker();
    let began = Instant::now();
    fleet.in_step().await;
    println!("queue purged: in step again after {:.1} s", began.elapsed().as_secs_f64());
    jobs_flow_after(&fleet, "queue deleted", || {
        broker.rabbitmqctl(&["delete_queue", &queue]);
    })
    .await;
    assert!(!producer.log().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_alarm_makes_the_producer_wait_and_lets_workers_go_on() {
    let (fleet, broker, _proxy) = with_broker().await;
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
