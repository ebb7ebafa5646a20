//! What a fleet tells of itself, and what it must never tell.

use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::{Connection, ConnectionProperties};
use sandbox::{Fault, FaultRule};

use super::catalogue::Size;
use super::processes::{Fleet, Role};

/// Each process finds a port of its own, and says so in its log.
const LISTEN: (&str, &str) = ("CATALOG_SYNC_METRICS_LISTEN", "127.0.0.1:0");

/// One object a line.
const JSON: (&str, &str) = ("CATALOG_SYNC_LOG_FORMAT", "json");

/// Where a role tells its metrics, once it does.
async fn address(fleet: &Fleet, role: &Role) -> String {
    fleet.until("metrics are served", || async { role.log().contains("metrics are served") }).await;
    let log = role.log();
    let line = log.lines().find(|line| line.contains("metrics are served")).unwrap();
    let told: serde_json::Value = serde_json::from_str(line).unwrap();
    told["address"].as_str().unwrap().to_owned()
}

async fn page(address: &str, page: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let answer = client.get(format!("http://{address}/{page}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// Beside what the producer did: all bytes of images that the worker has written.
async fn history_tells_what_the_worker_spent(fleet: &Fleet, working: &str) {
    let counted = "catalog_image_bytes_total{direction=\"written\",pipeline=\"items\"}";
    let told = value(&page(working, "metrics").await.1, counted).unwrap();
    assert!(told > 0.0);
    fleet
        .until("the history tells what the worker spent", || async {
            let runs = fleet.run(&["runs", "items", "--json"]).await.json();
            let mut written = 0;
            for run in runs["runs"].as_array().unwrap() {
                let shown = fleet.run(&["runs", "show", &run["id"].to_string(), "--json"]).await.json();
                written += shown["spent"]["image_bytes"]["written"].as_u64().unwrap_or(0);
            }
            written.to_string() == told.to_string()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_follow_the_work_and_the_lease_and_readiness_the_pause() {
    let fleet = Fleet::new(Size::small()).await.with([LISTEN, JSON]);
    let (first, worker) = (fleet.producer(), fleet.worker());
    let (active, working) = (address(&fleet, &first).await, address(&fleet, &worker).await);
    fleet.in_step().await;
    fleet.settled().await;
    let wanted = |series: &'static str, expected: f64, at: String| {
        let fleet = &fleet;
        async move {
            fleet
                .until(series, || async { value(&page(&at, "metrics").await.1, series) == Some(expected) })
                .await;
        }
    };
    wanted("catalog_records{pipeline=\"items\",stage=\"applied\"}", 60.0, active.clone()).await;
    wanted("catalog_records{pipeline=\"items\",stage=\"outstanding\"}", 0.0, active.clone()).await;
    wanted("catalog_producer_active", 1.0, active.clone()).await;
    wanted("catalog_workers_alive", 1.0, active.clone()).await;
    let (_, told) = page(&working, "metrics").await;
    let created = "catalog_jobs_settled_total{kind=\"record\",outcome=\"created\",pipeline=\"items\"}";
    assert_eq!(value(&told, created), Some(60.0), "{told}");
    assert!(
        value(&told, "catalog_calls_total{name=\"shop\",result=\"ok\",system=\"odoo\"}") > Some(0.0),
        "{told}"
    );
    assert!(
        value(&told, "catalog_image_bytes_total{direction=\"written\",pipeline=\"items\"}") > Some(0.0),
        "{told}"
    );
    assert!(value(&told, "catalog_zoho_calls_left{account=\"store\"}") > Some(0.0), "{told}");
    assert_eq!(
        value(&told, "catalog_jobs_in_flight{kind=\"record\",pipeline=\"items\"}"),
        Some(0.0),
        "{told}"
    );
    assert!(!told.contains("catalog_records"), "a worker says nothing of the service: {told}");
    history_tells_what_the_worker_spent(&fleet, &working).await;
    let check = [("CATALOG_SYNC_METRICS_LISTEN", working.as_str())];
    fleet.run_with(&["healthcheck"], &check).await.expect(0, &[]);
    fleet.run_with(&["healthcheck", "--ready"], &check).await.expect(0, &[]);
    // Both lanes of items and the one of customers: a worker that may do nothing is not ready, and lives.
    for pipeline in ["items", "customers"] {
        fleet.run(&["pause", pipeline]).await.expect(0, &["paused"]);
    }
    fleet.until("it is not ready", || async { page(&working, "readyz").await.0 == 503 }).await;
    assert_eq!(page(&working, "livez").await, (200, "ok\n".to_owned()));
    fleet.run_with(&["healthcheck", "--ready"], &check).await.expect(3, &["not working: customers.record"]);
    wanted("catalog_paused{by=\"hand\",pipeline=\"items\",scope=\"pipeline\"}", 1.0, active.clone()).await;
    for pipeline in ["items", "customers"] {
        fleet.run(&["resume", pipeline]).await.expect(0, &["goes on"]);
    }
    fleet.until("it is ready again", || async { page(&working, "readyz").await.0 == 200 }).await;
    let enabled = "catalog_schedule_enabled{pipeline=\"customers\"}";
    for (command, expected) in [("disable", 0.0), ("enable", 1.0)] {
        fleet.run(&["schedule", command, "customers"]).await.expect(0, &[]);
        wanted(enabled, expected, active.clone()).await;
    }
    // One that sleeps past its lease no longer speaks for the service once it wakes.
    let second = fleet.producer();
    let next = address(&fleet, &second).await;
    assert!(!page(&next, "metrics").await.1.contains("catalog_records"));
    first.freeze();
    wanted("catalog_records{pipeline=\"items\",stage=\"applied\"}", 60.0, next).await;
    first.thaw();
    fleet
        .until("it is silent", || async { !page(&active, "metrics").await.1.contains("catalog_records") })
        .await;
}

/// All values of a fleet's keys in Redis, as one text.
async fn kept(fleet: &Fleet) -> String {
    let mut url: reqwest::Url = format!("redis://{}/0", services::redis().addr()).parse().unwrap();
    url.set_username(services::USER).unwrap();
    url.set_password(Some(services::PASSWORD)).unwrap();
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("{}*", fleet.prefix)).query_async(&mut connection).await.unwrap();
    assert!(!keys.is_empty());
    let mut text = String::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.unwrap();
        let mut read = match kind.as_str() {
            "hash" => redis::cmd("HGETALL"),
            "set" => redis::cmd("SMEMBERS"),
            "string" => redis::cmd("GET"),
            "zset" | "list" => redis::cmd(if kind == "zset" { "ZRANGE" } else { "LRANGE" }),
            "none" => continue,
            other => panic!("nobody looks into {key}, a {other}"),
        };
        read.arg(&key);
        if matches!(kind.as_str(), "zset" | "list") {
            read.arg(0).arg(-1);
        }
        let value: redis::Value = read.query_async(&mut connection).await.unwrap();
        text += &format!("{key} {}\n", flat(&value));
    }
    text
}

fn flat(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            values.iter().map(flat).collect::<Vec<_>>().join(" ")
        }
        redis::Value::Map(pairs) => {
            pairs.iter().map(|(key, value)| flat(key) + " " + &flat(value) + " ").collect()
        }
        other => format!("{other:?}"),
    }
}

/// Payloads and headers of everything that waits in the queue of the items; they stay there.
async fn waiting(fleet: &Fleet) -> String {
    let (user, password, broker) = (services::USER, services::PASSWORD, services::broker().addr());
    let address = format!("amqp://{user}:{password}@{broker}/%2f");
    let connection = Connection::connect(&address, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = format!("{}.items.record", fleet.prefix);
    let mut text = String::new();
    let mut taken = Vec::new();
    // Until the producer has declared it, there is no such queue.
    while let Ok(Some(message)) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await {
        text += &format!(
            "{} {:?}\n",
            String::from_utf8_lossy(&message.delivery.data),
            message.delivery.properties
        );
        taken.push(message);
    }
    for message in taken {
        message
            .delivery
            .nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() })
            .await
            .unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_a_fleet_says_sends_or_keeps() {
    let fleet = Fleet::new(Size { items: 40, customers: 40, ..Size::small() }).await.with([
        LISTEN,
        JSON,
        ("CATALOG_SYNC_LOG", "trace,lapin=debug,hyper=debug"),
    ]);
    let mut secrets: Vec<String> = fleet.catalogue.secrets().into_iter().map(|(_, secret)| secret).collect();
    secrets.push(services::PASSWORD.to_owned());
    let mut said = String::new();
    let producer = fleet.producer();
    fleet.until("jobs wait", || async { waiting(&fleet).await.lines().count() >= 10 }).await;
    said += &waiting(&fleet).await;
    // One failure of each class: transient, throttled, permanent (values that Odoo refuses), systemic.
    let control = fleet.catalogue.shop.control();
    for fault in [
        Fault::BadGateway,
        Fault::InvalidJson,
        Fault::CutAnswer,
        Fault::SerializationFailure,
        Fault::TooManyRequests { retry_after: 1 },
        Fault::AccessError,
    ] {
        control.fault(FaultRule::once(fault).method("load").times(2));
    }
    let worker = fleet.worker();
    fleet.in_step().await;
    fleet.settled().await;
    let wrong = [("CATALOG_SYNC_ODOO_SHOP_PASSWORD", "marker-of-a-wrong-password")];
    secrets.push(wrong[0].1.to_owned());
    said += &format!("{:?}", fleet.run_with(&["-vv", "check"], &wrong).await);
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["counts", "--json"],
        &["check"],
        &["--help"],
        &["producer", "--help"],
        &["worker", "--help"],
    ] {
        said += &format!("{:?}", fleet.run(arguments).await);
    }
    for role in [&producer, &worker] {
        said += &page(&address(&fleet, role).await, "metrics").await.1;
        said += &role.log();
    }
    said += &kept(&fleet).await;
    for (path, bytes) in crate::secrets::files_below(&fleet.path("")) {
        if path.extension().is_none_or(|extension| extension != "log") {
            said += &String::from_utf8_lossy(&bytes);
        }
    }
    assert!(said.contains("502"), "the faults were met");
    assert!(said.contains("list_price"), "the jobs that waited are in what was looked at");
    for secret in secrets {
        assert!(secret.len() > 4);
        let at = said.find(&secret);
        let near =
            at.map(|at| String::from_utf8_lossy(&said.as_bytes()[at.saturating_sub(300)..at]).into_owned());
        assert_eq!(near, None, "a secret is told behind this");
    }
}
