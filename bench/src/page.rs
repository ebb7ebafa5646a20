//! The operator's page and the metrics, over a state of many records and dead letters.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use services::{Broker, RedisServer};
use shared::state::State;

use crate::operate::fill;
use crate::process::{Role, program};
use crate::records::Records;
use crate::redis::opened;
use crate::report::{Report, median};

/// Times that each address is asked for.
const TIMES: usize = 11;

/// The page looks at the state once in this time, however many ask.
const FRESH: Duration = Duration::from_millis(950);

/// Nobody listens there: what is measured is ours.
const ODOO: &str = "[odoo.erp]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"erp\"\nuser = \"sync\"\n\
                    [json.files]\nfolder = \"out\"\n\
                    [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n";

/// `count` records in a file and in Redis, of which `letters` were given up.
pub(crate) async fn measure(report: &mut Report, count: u64, letters: u64) {
    let records = Records { first: 4_600_000_000_000_000, count, images: false };
    let dead = Records { first: records.first + count - letters, count: letters, images: false };

    let part = "page over SQLite";
    report.part(&format!("The page over SQLite: {count} records, {letters} dead letters"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("catalog-sync.toml"), ODOO).unwrap();
    let state = State::open_file(&folder.path().join("catalog-sync.db")).await.unwrap();
    fill(report, part, &state, records, dead).await;
    drop(state);
    ask(report, part, program(["schedule", "start"]).current_dir(folder.path()), records).await;

    let part = "page over Redis";
    report.part(&format!("The page over Redis: {count} records, {letters} dead letters"));
    let (broker, redis) = (Broker::start(), RedisServer::start());
    let (user, prefix) = (services::USER, services::prefix());
    let fleet = format!(
        "[fleet]\nbroker = \"{}\"\nbroker_user = \"{user}\"\nredis = \"{}\"\nredis_user = \"{user}\"\nprefix = \"{prefix}\"\n{ODOO}",
        broker.url(),
        redis.url()
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("catalog-sync.toml"), fleet).unwrap();
    let state = opened(&redis, &prefix).await;
    fill(report, part, &state, records, dead).await;
    drop(state);
    ask(report, part, program(["producer"]).current_dir(folder.path()), records).await;
}

/// Starts what serves the page, and asks it.
async fn ask(report: &mut Report, part: &'static str, serving: &mut Command, records: Records) {
    let [page, metrics] = [free_address(), free_address()];
    serving
        .env("CATALOG_SYNC_ODOO_ERP_PASSWORD", "none")
        .env("CATALOG_SYNC_BROKER_PASSWORD", services::PASSWORD)
        .env("CATALOG_SYNC_REDIS_PASSWORD", services::PASSWORD)
        .env("CATALOG_SYNC_PAGE_LISTEN", &page)
        .env("CATALOG_SYNC_METRICS_LISTEN", &metrics)
        .stderr(Stdio::null());
    let _serving = Role::start(serving);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    while client.get(format!("http://{page}/")).send().await.is_err() {
        assert!(began.elapsed() < Duration::from_mins(1), "the page is not served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let record = |key: u64| format!("/records?pipeline=products&key={key}");
    let asked = [
        ("/", "/".to_owned()),
        ("/pipelines/products", "/pipelines/products".to_owned()),
        ("/failures", "/failures".to_owned()),
        ("/failures of a reason", "/failures?pipeline=products&reason=timeout".to_owned()),
        ("/records, of one in step", record(records.first)),
        ("/records, of one given up", record(records.first + records.count - 1)),
        ("/records, the source asked and away", record(records.first) + "&ask=source"),
        ("/runs", "/runs".to_owned()),
        ("/api/v1/status", "/api/v1/status".to_owned()),
    ];
    for (what, path) in asked {
        report.add(part, what, milliseconds(&client, &format!("http://{page}{path}")).await, "ms");
    }
    report.add(part, "/metrics", milliseconds(&client, &format!("http://{metrics}/metrics")).await, "ms");
}

/// Time of the usual answer, each after the state was looked at anew.
async fn milliseconds(client: &reqwest::Client, url: &str) -> f64 {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        tokio::time::sleep(FRESH).await;
        let began = Instant::now();
        let answer = client.get(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{url}");
        assert!(!answer.text().await.unwrap().is_empty());
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    median(times)
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
