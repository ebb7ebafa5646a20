//! A hundred workers in four processes' worth of connections on one broker: what they hold there, and whether it bears them.

use std::sync::Arc;
use std::time::Instant;

use services::{Broker, RedisServer};
use shared::progress::Progress;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use worker::consume::Worker;
use worker::sink::Sink;

use crate::fleet::until;
use crate::queue::{enqueue, joined};
use crate::records::pipeline;
use crate::redis::opened;
use crate::report::Report;
use crate::results::Goal;

const PART: &str = "a hundred workers";
const CONNECTIONS: usize = 4;
const EACH: usize = 25;

pub(crate) async fn measure(report: &mut Report, jobs: usize) {
    report.part(&format!("{} workers on {CONNECTIONS} connections, {jobs} jobs", CONNECTIONS * EACH));
    let (broker, redis) = (Broker::start(), RedisServer::start());
    let state = opened(&redis, "crowd").await;
    let prefix = services::prefix();
    let queue = joined(&broker, &prefix, jobs).await;
    enqueue(&queue, &state, jobs).await;
    let (progress, drain) = (Arc::new(Progress::default()), CancellationToken::new());
    let began = Instant::now();
    let mut queues = Vec::new();
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let queue = joined(&broker, &prefix, jobs).await;
        for _ in 0..EACH {
            let worker =
                Worker::new(pipeline(), state.clone(), queue.clone(), Sink::Nowhere, Arc::clone(&progress));
            workers.spawn(worker.run(drain.clone()));
        }
        queues.push(queue);
    }
    until(|| progress.settled() >= jobs as u64).await;
    let rate = jobs as f64 / began.elapsed().as_secs_f64();
    report.add(PART, "settled, from the first worker's start on", rate, "jobs/s");
    // All wait for work now, with all that they ever hold.
    let consumers = broker.rabbitmqctl(&["list_consumers", "prefetch_count"]);
    let prefetch: Vec<u64> = consumers.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let lines = |arguments: &[&str]| broker.rabbitmqctl(arguments).lines().count() as f64;
    report.add(PART, "consumers", prefetch.len() as f64, "consumers");
    report.add(PART, "prefetch of all of them", prefetch.iter().sum::<u64>() as f64, "deliveries");
    // That of the producer, too.
    let most = (CONNECTIONS + 1) as f64;
    let connections = lines(&["list_connections", "name", "--no-table-headers"]);
    report.aim(PART, "connections", connections, "connections", Goal::AtMost(most * 2.0));
    report.add(PART, "channels", lines(&["list_channels", "pid", "--no-table-headers"]), "channels");
    let blocked = broker.rabbitmqctl(&["list_connections", "state", "--no-table-headers"]);
    let distressed = blocked.lines().filter(|line| line.trim() != "running").count() as f64;
    report.aim(PART, "connections that the broker holds back", distressed, "connections", Goal::AtMost(0.0));
    let left = broker.rabbitmqctl(&["list_queues", "messages", "--no-table-headers"]);
    let left: f64 = left.lines().filter_map(|line| line.trim().parse::<f64>().ok()).sum();
    report.aim(PART, "jobs left in queues", left, "jobs", Goal::AtMost(0.0));
    drain.cancel();
    while let Some(ended) = workers.join_next().await {
        ended.unwrap().1.unwrap();
    }
    for queue in queues.into_iter().chain([queue]) {
        queue.close();
        queue.closed().await;
    }
}
