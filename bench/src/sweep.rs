//! Where the defaults of the Odoo sink come from: sizes of batches and numbers of clients on a stand-in whose calls cost what a
//! real server's do, with two workers.

use std::time::{Duration, Instant};

use sandbox::{OdooCost, OdooSandbox, OdooSettings, OdooVersion};
use serde_json::json;
use shared::job::Job;
use shared::odoo::{OdooClient, OdooConfig, OdooSecret};
use shared::record::{RunId, Version};
use tokio::task::JoinSet;
use worker::sink::odoo::{OdooSink, OdooSinkSettings};

use crate::records;
use crate::report::Report;

const PART: &str = "batches and clients";
const BATCHES: [usize; 5] = [10, 50, 100, 250, 500];
const CLIENTS: [usize; 3] = [1, 2, 4];
const COLUMNS: [&str; 3] = ["name", "default_code", "list_price"];

/// What the stand-in is asked to cost.
const WORKERS: usize = 2;

pub(crate) async fn measure(report: &mut Report, records: usize) {
    report.part(&format!("Odoo with {WORKERS} workers and the costs of a real one, {records} products"));
    for clients in CLIENTS {
        // Nearly all of it is waiting: the sizes go side by side.
        let mut runs = JoinSet::new();
        for batch in BATCHES {
            runs.spawn(async move { (batch, run(records, batch, clients).await) });
        }
        let mut found = runs.join_all().await;
        found.sort_by_key(|(batch, _)| *batch);
        for (batch, [new, changed, same]) in found {
            let what = |step: &str| format!("{clients} clients, {batch} a call: {step}");
            report.add(PART, what("new"), records as f64 / new.as_secs_f64(), "records/s");
            report.add(PART, what("changed"), records as f64 / changed.as_secs_f64(), "records/s");
            report.add(PART, what("unchanged"), records as f64 / same.as_secs_f64(), "records/s");
        }
    }
}

/// The time for new records, for the same with another price each, and for the same once more.
async fn run(records: usize, batch: usize, clients: usize) -> [Duration; 3] {
    let settings = OdooSettings {
        version: OdooVersion::V17,
        customers: 0,
        products: 0,
        cost: Some(OdooCost::measured(WORKERS)),
        ..OdooSettings::default()
    };
    let server = OdooSandbox::start(settings).await.unwrap();
    let mut sinks = Vec::new();
    for _ in 0..clients {
        sinks.push(sink(&server, batch).await);
    }
    let mut times = [Duration::ZERO; 3];
    for (at, price) in [(0, 1), (1, 2), (2, 2)] {
        let began = Instant::now();
        let mut working = JoinSet::new();
        for (client, mut sink) in sinks.drain(..).enumerate() {
            working.spawn(async move {
                let jobs: Vec<Job> =
                    (0..records).filter(|n| n % clients == client).map(|n| job(n, price)).collect();
                for jobs in jobs.chunks(batch) {
                    let jobs: Vec<&Job> = jobs.iter().collect();
                    for answer in sink.upsert(&jobs).await.unwrap() {
                        answer.unwrap();
                    }
                }
                sink
            });
        }
        sinks = working.join_all().await;
        times[at] = began.elapsed();
    }
    let counts = server.control().counts();
    let (created, changed) = (counts.rows_created, counts.rows_changed);
    assert_eq!((created, changed), (records as u64, records as u64));
    times
}

async fn sink(server: &OdooSandbox, batch: usize) -> OdooSink {
    let secret = OdooSecret::Password(server.password().into());
    let config = OdooConfig::new(server.url(), server.database(), secret).with_user(server.login());
    let client = OdooClient::connect(config).await.unwrap();
    let settings = OdooSinkSettings { batch, ..OdooSinkSettings::new("product.product", "zoho", "item") };
    OdooSink::open(client, settings, &COLUMNS.map(str::to_owned)).await.unwrap()
}

fn job(number: usize, price: usize) -> Job {
    let values = json!({
        "name": format!("Product {number}"), "default_code": format!("SKU-{number:07}"),
        "list_price": number * 10 + price,
    });
    let version = Version { epoch: 1, sequence: price as u64 };
    records::job((number as u64).into(), version, "ab".repeat(32).parse().unwrap(), (RunId(1), 0), values)
}
