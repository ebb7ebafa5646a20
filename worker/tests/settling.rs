//! What becomes of jobs: the worker over a queue in memory, a state in memory and a JSON file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of this crate is tests")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::checksum::Checksum;
use shared::failure::{Class, Reason};
use shared::job::{FORMAT, Job, JobKind};
use shared::progress::Progress;
use shared::queue::Queue;
use shared::record::{PipelineName, RecordKey, Values};
use shared::state::{Binding, Claim, Claimant, NewRun, Run, RunKind, State, Want, Wanted, Window};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use worker::consume::Worker;
use worker::sink::json::{JsonSettings, JsonSink};
use worker::sink::{JsonWriter, Sink};

struct Bench {
    folder: TempDir,
    state: State,
    queue: Queue,
    run: Run,
}

fn pipeline() -> PipelineName {
    "products".parse().unwrap()
}

fn values(value: &serde_json::Value) -> Values {
    value.as_object().unwrap().clone()
}

impl Bench {
    async fn new() -> Self {
        let state = State::open_memory().await.unwrap();
        let checksum = Checksum::of_value(&json!("mapping"));
        let binding = Binding { source: "source".to_owned(), sink: "sink".to_owned(), mapping: checksum };
        let window = Window { start: None, end: "2026-11-22T00:00:00Z".parse().unwrap() };
        let new =
            NewRun { pipeline: pipeline(), kind: RunKind::Full, window, binding, force: false, reset: false };
        let run = state.begin_run(&new).await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), state, queue: Queue::memory(1_000), run }
    }

    /// Notes that values are wanted and makes the job of it.
    async fn job(&self, key: u64, values: &serde_json::Value) -> Job {
        let checksum = Checksum::of_value(values);
        let want = Want { key: RecordKey::from(key), checksum, image: None };
        let answer = self.state.want(&self.run, &[want], false).await.unwrap()[0];
        let Wanted::Enqueue { version, place } = answer else { panic!("{answer:?}") };
        Job {
            format: FORMAT,
            kind: JobKind::Record,
            pipeline: pipeline(),
            key: RecordKey::from(key),
            version,
            checksum,
            run: self.run.id,
            place,
            attempt: 1,
            values: self::values(values),
            image: None,
            sink_id: None,
            source_time: None,
            trace: None,
            failures: Vec::new(),
        }
    }

    /// Works until all of these jobs are settled, or the worker stops by itself.
    async fn work(&self, jobs: Vec<Job>) -> Result<(), shared::failure::Failure> {
        let settings = JsonSettings::new(self.folder.path().join("products.json"));
        let (sink, _) = JsonSink::open(settings.clone()).unwrap();
        let sink = Sink::Json(Box::new(JsonWriter::new(settings, shared::config::Gone::Remove, sink)));
        let worker = Worker::new(
            pipeline(),
            self.state.clone(),
            self.queue.clone(),
            sink,
            Arc::new(Progress::default()),
        );
        let drain = CancellationToken::new();
        let mut receipts = Vec::new();
        for job in jobs {
            receipts.push(self.queue.publish(job).await.unwrap());
        }
        let settled = async {
            for receipt in receipts {
                if receipt.durable().await.is_err() {
                    break;
                }
            }
            drain.cancel();
        };
        let work = async {
            let (mut sink, result) = worker.run(drain.clone()).await;
            if result.is_err() {
                self.queue.close();
            }
            sink.flush().await.unwrap();
            result
        };
        tokio::join!(settled, work).1
    }

    async fn ledger(&self) -> shared::state::Ledger {
        self.state.run(self.run.id).await.unwrap().unwrap().ledger
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_version_is_superseded_and_the_newest_one_stays() {
    let bench = Bench::new().await;
    let older = bench.job(1, &json!({ "id": 1, "name": "older" })).await;
    let newer = bench.job(1, &json!({ "id": 1, "name": "newer" })).await;
    bench.work(vec![newer, older]).await.unwrap();
    let file = std::fs::read_to_string(bench.folder.path().join("products.json")).unwrap();
    assert!(file.contains("newer") && !file.contains("older"), "{file}");
    assert_eq!(bench.state.counts(&pipeline()).await.unwrap().outstanding, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_twice_is_counted_once() {
    let bench = Bench::new().await;
    let job = bench.job(1, &json!({ "id": 1 })).await;
    bench.work(vec![job.clone(), job]).await.unwrap();
    let ledger = bench.ledger().await;
    assert_eq!((ledger.created, ledger.unchanged, ledger.outstanding()), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_is_a_dead_letter_and_its_neighbours_arrive() {
    let bench = Bench::new().await;
    let mut jobs = Vec::new();
    for id in 1..=50 {
        let value = if id == 25 { json!({ "id": "not a number" }) } else { json!({ "id": id }) };
        jobs.push(bench.job(id, &value).await);
    }
    bench.work(jobs).await.unwrap();
    let ledger = bench.ledger().await;
    assert_eq!((ledger.created, ledger.dead), (49, 1));
    let letters = bench.state.dead_letters(&pipeline(), 10).await.unwrap();
    assert_eq!(letters[0].job.key.as_str(), "25");
    assert_eq!(letters[0].failure.class, Class::Permanent);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_all_fail_for_one_reason_stop_the_pipeline_instead_of_dying() {
    let bench = Bench::new().await;
    let mut jobs = Vec::new();
    for id in 1..=200 {
        jobs.push(bench.job(id, &json!({ "id": format!("no number {id}") })).await);
    }
    let failure = bench.work(jobs).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::BadRecord));
    let counts = bench.state.counts(&pipeline()).await.unwrap();
    assert_eq!((counts.dead, counts.outstanding), (20, 180));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_over_which_four_workers_died_is_a_dead_letter_and_its_neighbours_arrive() {
    let bench = Bench::new().await;
    let deadly = bench.job(1, &json!({ "id": 1 })).await;
    let innocent = bench.job(2, &json!({ "id": 2 })).await;
    let claim = |job: &Job| Claim { key: job.key.clone(), version: job.version };
    // The first worker dies with both in its batch, the next three with the deadly one alone.
    let dead = Claimant { worker: "dead".parse().unwrap(), late: Duration::ZERO };
    bench.state.claim(&pipeline(), &[claim(&deadly), claim(&innocent)], &dead).await.unwrap();
    for _ in 0..3 {
        bench.state.claim(&pipeline(), &[claim(&deadly)], &dead).await.unwrap();
    }
    bench.work(vec![deadly, innocent]).await.unwrap();
    let ledger = bench.ledger().await;
    assert_eq!((ledger.created, ledger.dead), (1, 1));
    let letters = bench.state.dead_letters(&pipeline(), 10).await.unwrap();
    assert_eq!((letters[0].job.key.as_str(), letters[0].failure.class), ("1", Class::Poison));
}
