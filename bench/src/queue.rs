//! The way of a job through the queue and the state, beside a bare loop of lapin over the same broker and bytes: what
//! guarantees cost.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::Stream;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use services::{Broker, RedisServer};
use shared::job::{Job, JobKind};
use shared::progress::Progress;
use shared::queue::{Lane, Queue, RabbitSettings, Receipt};
use shared::state::{Page, Run, State, Want, Wanted};
use tokio_util::sync::CancellationToken;
use worker::consume::Worker;
use worker::sink::Sink;

use crate::bare;
use crate::process::cpu_seconds;
use crate::records::{self, BATCH, Records, begin, pipeline};
use crate::redis::opened;
use crate::report::{Report, median};
use crate::results::Goal;

const PART: &str = "queue path";

/// Rounds of both, in turn.
const ROUNDS: usize = 3;

/// Jobs on their way to the broker at once, and unsettled deliveries: the same for both.
const WINDOW: u16 = 1_000;

/// One way of all jobs, in seconds.
struct Way {
    publish: f64,
    consume: f64,
    cpu: f64,
}

impl Way {
    fn of(began: Instant, published: Instant, cpu_before: f64) -> Self {
        Self {
            publish: (published - began).as_secs_f64(),
            consume: published.elapsed().as_secs_f64(),
            cpu: cpu_seconds(std::process::id()) - cpu_before,
        }
    }
}

pub(crate) async fn measure(report: &mut Report, jobs: usize) {
    report.part("Queue path, null sink");
    let (broker, redis) = (Broker::start(), RedisServer::start());
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let state = opened(&redis, &format!("round{round}")).await;
        ours.push(our_way(&broker, &state, jobs).await);
        bare.push(bare_way(&broker, jobs).await);
    }
    let jobs = jobs as f64;
    let of = |ways: &[Way], figure: fn(&Way) -> f64| median(ways.iter().map(figure).collect());
    let per_second =
        |figure: fn(&Way) -> f64| (jobs / of(&ours, figure), ("bare lapin", jobs / of(&bare, figure)));
    let (value, other) = per_second(|way| way.publish);
    report.aim_beside(PART, "want, publish, confirm", (value, "jobs/s"), other, Goal::AtLeast(0.7));
    let (value, other) = per_second(|way| way.consume);
    report.aim_beside(PART, "consume, claim, record, ack", (value, "jobs/s"), other, Goal::AtLeast(0.7));
    let (value, other) = per_second(|way| way.publish + way.consume);
    report.aim_beside(PART, "all of it", (value, "jobs/s"), other, Goal::AtLeast(0.7));
    let cpu = |ways: &[Way]| of(ways, |way| way.cpu) * 1_000.0 / jobs;
    report.beside(PART, "CPU of this process", cpu(&ours), "s per 1,000 jobs", ("bare lapin", cpu(&bare)));
}

/// As producer and worker of a fleet do it.
async fn our_way(broker: &Broker, state: &State, jobs: usize) -> Way {
    let queue = joined(broker, &services::prefix(), jobs).await;
    let (cpu, began) = (cpu_seconds(std::process::id()), Instant::now());
    enqueue(&queue, state, jobs).await;
    let published = Instant::now();
    let progress = Arc::new(Progress::default());
    let worker = Worker::new(pipeline(), state.clone(), queue.clone(), Sink::Nowhere, Arc::clone(&progress));
    let drain = CancellationToken::new();
    let all_settled = async {
        while progress.settled() < jobs as u64 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drain.cancel();
    };
    let worked = worker.run(drain.clone());
    tokio::join!(worked, all_settled).0.1.unwrap();
    let way = Way::of(began, published, cpu);
    queue.close();
    queue.closed().await;
    way
}

/// The queue of one process: a connection of its own.
pub(crate) async fn joined(broker: &Broker, prefix: &str, jobs: usize) -> Queue {
    let queue = Queue::rabbit(RabbitSettings {
        url: broker.url(),
        user: services::USER.to_owned(),
        password: services::PASSWORD.into(),
        prefix: prefix.to_owned(),
        lanes: vec![Lane { pipeline: pipeline(), kind: JobKind::Record, single: false }],
        capacity: jobs as u64 * 2,
        job_bytes_max: 1 << 20,
        name: "bench".to_owned(),
    });
    queue.await.unwrap()
}

/// Wants and publishes so many records, as a producer does: all are confirmed when it returns.
pub(crate) async fn enqueue(queue: &Queue, state: &State, jobs: usize) {
    let records = Records { first: 4_600_000_000_000_000, count: jobs as u64, images: false };
    let run = begin(state).await;
    let wants = records.wants(1);
    let noted = async |page: usize| match wants.get(page) {
        Some(wants) => state.want(&run, wants, false).await.unwrap(),
        None => Vec::new(),
    };
    let mut answers = noted(0).await;
    let mut pages = VecDeque::new();
    for (wants, number) in wants.iter().zip(1..) {
        // As the producer: the state notes the next page while the broker takes the jobs of the one before.
        let (receipts, next) = tokio::join!(publish(queue, &run, wants, answers), noted(number));
        answers = next;
        pages.push_back((number as u64, receipts));
        if pages.len() > usize::from(WINDOW) / BATCH {
            durable(state, &run, pages.pop_front()).await;
        }
    }
    while let page @ Some(_) = pages.pop_front() {
        durable(state, &run, page).await;
    }
}

/// Publishes what is wanted of a page.
async fn publish(queue: &Queue, run: &Run, wants: &[Want], answers: Vec<Wanted>) -> Vec<Receipt> {
    let mut receipts = Vec::with_capacity(wants.len());
    for (want, answer) in wants.iter().zip(answers) {
        let Wanted::Enqueue { version, place } = answer else { panic!("{answer:?}") };
        receipts.push(queue.publish(job(want, version, run.id, place)).await.unwrap());
    }
    receipts
}

/// Waits for the jobs of a page, and lets the cursor pass it.
async fn durable(state: &State, run: &Run, page: Option<(u64, Vec<Receipt>)>) {
    let Some((number, receipts)) = page else { return };
    for receipt in receipts {
        receipt.durable().await.unwrap();
    }
    let page = Page { number, position: number.to_string(), unchanged: 0, dead: 0 };
    state.advance(run, &page).await.unwrap();
}

fn job(want: &Want, version: shared::record::Version, run: shared::record::RunId, place: u64) -> Job {
    let values = serde_json::json!({
        "name": format!("Product {}", want.key), "default_code": format!("SKU-{:016}", want.key),
        "list_price": 19.5, "standard_price": 4.25, "uom_id": "Units", "active": true,
        "description": "A product with a description of ordinary length. ".repeat(4),
    });
    records::job(want.key.clone(), version, want.checksum, (run, place), values)
}

/// The least that keeps a job: persistent and confirmed in, acked out, over a quorum queue.
async fn bare_way(broker: &Broker, jobs: usize) -> Way {
    let connection = bare::connected(&broker.url()).await;
    let channel = connection.create_channel().await.unwrap();
    let queue = services::prefix();
    bare::declare(&channel, &queue).await;
    let records = Records { first: 4_600_000_000_000_000, count: jobs as u64, images: false };
    let wants = records.wants(1);
    let version = shared::record::Version { epoch: 1, sequence: 1 };
    let (cpu, began) = (cpu_seconds(std::process::id()), Instant::now());
    let mut confirms = VecDeque::new();
    for want in wants.iter().flatten() {
        let payload = job(want, version, shared::record::RunId(1), 1).encode();
        confirms.push_back(bare::publish(&channel, &queue, &payload).await);
        if confirms.len() >= usize::from(WINDOW) {
            confirms.pop_front().unwrap().await.unwrap();
        }
    }
    for confirm in confirms {
        confirm.await.unwrap();
    }
    let published = Instant::now();
    channel.basic_qos(WINDOW, BasicQosOptions::default()).await.unwrap();
    let consuming = channel.basic_consume(
        queue.as_str().into(),
        "bare".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut deliveries = consuming.await.unwrap();
    for _ in 0..jobs {
        let delivery = std::future::poll_fn(|context| Pin::new(&mut deliveries).poll_next(context))
            .await
            .unwrap()
            .unwrap();
        Job::decode(&delivery.data).unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    let way = Way::of(began, published, cpu);
    drop(connection.close(200, "OK".into()).await);
    way
}
