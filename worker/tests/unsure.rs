//! A call without an answer may be carried out later: its records are in doubt, and compared once more when something
//! newer was written meanwhile. The worker over a queue in memory, a state in memory and a stand-in Odoo.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "all of this crate is tests")]

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Fault, FaultRule, OdooSandbox, OdooSettings};
use serde_json::json;
use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::job::{FORMAT, Job, JobKind};
use shared::odoo::{OdooClient, OdooConfig, OdooSecret};
use shared::progress::Progress;
use shared::queue::Queue;
use shared::record::{PipelineName, RecordKey, Version};
use shared::state::{Binding, NewRun, Run, RunKind, State, Want, Wanted, Window};
use tokio_util::sync::CancellationToken;
use worker::consume::Worker;
use worker::sink::Sink;
use worker::sink::odoo::{OdooSink, OdooSinkSettings};

/// A first attempt, and the last one.
const FIRST: u32 = 1;
const LAST: u32 = 6;

struct Bench {
    odoo: OdooSandbox,
    state: State,
    run: Run,
}

fn pipeline() -> PipelineName {
    "products".parse().unwrap()
}

impl Bench {
    async fn new() -> Self {
        let settings = OdooSettings { customers: 0, products: 0, ..OdooSettings::default() };
        let state = State::open_memory().await.unwrap();
        let mapping = Checksum::of_value(&json!("mapping"));
        let new = NewRun {
            pipeline: pipeline(),
            kind: RunKind::Full,
            window: Window { start: None, end: "2026-11-22T00:00:00Z".parse().unwrap() },
            binding: Binding { source: "source".to_owned(), sink: "sink".to_owned(), mapping },
            force: false,
            reset: false,
        };
        let run = state.begin_run(&new).await.unwrap();
        Self { odoo: OdooSandbox::start(settings).await.unwrap(), state, run }
    }

    /// A sink whose late calls are not waited for: the test knows what comes.
    async fn sink(&self) -> OdooSink {
        let secret = OdooSecret::Password(self.odoo.password().into());
        let config = OdooConfig::new(self.odoo.url(), self.odoo.database(), secret);
        let client = OdooClient::connect(config.with_user(self.odoo.login())).await.unwrap();
        let settings = OdooSinkSettings {
            late: Duration::from_millis(1),
            ..OdooSinkSettings::new("product.product", "zoho", "item")
        };
        OdooSink::open(client, settings, &["name".to_owned(), "list_price".to_owned()]).await.unwrap()
    }

    /// A product with this price is wanted.
    async fn job(&self, key: u64, price: impl Into<serde_json::Value>, attempt: u32) -> Job {
        let values = json!({ "name": format!("product {key}"), "list_price": price.into() });
        let checksum = Checksum::of_value(&values);
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
            attempt,
            values: values.as_object().unwrap().clone(),
            image: None,
            sink_id: None,
            source_time: None,
            trace: None,
            failures: Vec::new(),
        }
    }

    /// Works until all of these jobs are settled.
    async fn work(&self, jobs: Vec<Job>) -> Result<(), Failure> {
        let queue = Queue::memory(100);
        let sink = Sink::Odoo(Box::new(self.sink().await));
        let progress = Arc::new(Progress::default());
        let worker = Worker::new(pipeline(), self.state.clone(), queue.clone(), sink, progress);
        let drain = CancellationToken::new();
        let mut receipts = Vec::new();
        for job in jobs {
            receipts.push(queue.publish(job).await.unwrap());
        }
        let settled = async {
            for receipt in receipts {
                receipt.durable().await.unwrap();
            }
            drain.cancel();
        };
        tokio::join!(settled, worker.run(drain.clone())).1.1
    }

    /// Keys of the records that are to be compared once more, when no call can come late any more.
    async fn in_doubt(&self) -> Vec<String> {
        let all = Version { epoch: u64::MAX >> 1, sequence: 0 };
        let found = async {
            loop {
                self.state.mature(&pipeline()).await.unwrap();
                let dirty = self.state.outstanding(&pipeline(), all, 10).await.unwrap();
                if !dirty.is_empty() {
                    return dirty.into_iter().map(|record| record.key.to_string()).collect();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("no record is in doubt")
    }

    fn fault(&self, fault: Fault, method: &str) {
        self.odoo.control().fault(FaultRule::once(fault).model("product.product").method(method));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_an_answer_is_tried_again_and_its_records_are_in_doubt() {
    for fault in [Fault::LoseReply, Fault::BadGateway] {
        let bench = Bench::new().await;
        bench.work(vec![bench.job(1, 10, FIRST).await, bench.job(2, 10, FIRST).await]).await.unwrap();
        bench.fault(fault.clone(), "write");
        bench.work(vec![bench.job(1, 11, FIRST).await]).await.unwrap();
        // Of these, the first may be written over by the call that had no answer.
        bench.work(vec![bench.job(1, 12, FIRST).await, bench.job(2, 12, FIRST).await]).await.unwrap();
        assert_eq!(bench.in_doubt().await, ["1"], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_given_up_without_an_answer_is_in_doubt_too() {
    let bench = Bench::new().await;
    bench.work(vec![bench.job(1, 10, FIRST).await, bench.job(2, 10, FIRST).await]).await.unwrap();
    bench.fault(Fault::LoseReply, "write");
    // Beside one that has its own answer, no answer is the record's and not the system's.
    bench.work(vec![bench.job(1, 11, LAST).await, bench.job(3, "dear", FIRST).await]).await.unwrap();
    assert_eq!(bench.state.counts(&pipeline()).await.unwrap().dead, 2);
    bench.work(vec![bench.job(1, 12, FIRST).await, bench.job(2, 12, FIRST).await]).await.unwrap();
    assert_eq!(bench.in_doubt().await, ["1"]);
}
