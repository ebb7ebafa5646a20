//! What a fleet tells of itself.

use std::time::Duration;

use super::catalogue::Size;
use super::processes::{Fleet, Role};

/// Each process finds a port of its own, and says so in its log.
pub(super) const LISTEN: (&str, &str) = ("CATALOG_SYNC_METRICS_LISTEN", "127.0.0.1:0");

/// One object a line.
pub(super) const JSON: (&str, &str) = ("CATALOG_SYNC_LOG_FORMAT", "json");

/// Where a role tells its metrics, once it does.
pub(super) async fn address(fleet: &Fleet, role: &Role) -> String {
    fleet.until("metrics are served", || async { role.log().contains("metrics are served") }).await;
    let log = role.log();
    let line = log.lines().find(|line| line.contains("metrics are served")).unwrap();
    let told: serde_json::Value = serde_json::from_str(line).unwrap();
    told["address"].as_str().unwrap().to_owned()
}

pub(super) async fn page(address: &str, page: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let answer = client.get(format!("http://{address}/{page}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// Waits until a process tells this value of a series.
async fn wanted(fleet: &Fleet, at: &str, series: &str, expected: f64) {
    fleet.until(series, || async { value(&page(at, "metrics").await.1, series) == Some(expected) }).await;
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
async fn metrics_follow_the_work() {
    let fleet = Fleet::new(Size::small()).await.with([LISTEN, JSON]);
    let (first, worker) = (fleet.producer(), fleet.worker());
    let (active, working) = (address(&fleet, &first).await, address(&fleet, &worker).await);
    fleet.in_step().await;
    fleet.settled().await;
    wanted(&fleet, &active, "catalog_records{pipeline=\"items\",stage=\"applied\"}", 60.0).await;
    wanted(&fleet, &active, "catalog_records{pipeline=\"items\",stage=\"outstanding\"}", 0.0).await;
    wanted(&fleet, &active, "catalog_producer_active", 1.0).await;
    wanted(&fleet, &active, "catalog_workers_alive", 1.0).await;
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
}

async fn tiny_fleet() -> Fleet {
    let size = Size { images: false, items: 10, customers: 10, ..Size::small() };
    Fleet::new(size).await.with([LISTEN, JSON])
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_pause() {
    let fleet = tiny_fleet().await;
    let (first, worker) = (fleet.producer(), fleet.worker());
    let (active, working) = (address(&fleet, &first).await, address(&fleet, &worker).await);
    fleet.in_step().await;
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
    wanted(&fleet, &active, "catalog_paused{by=\"hand\",pipeline=\"items\",scope=\"pipeline\"}", 1.0).await;
    for pipeline in ["items", "customers"] {
        fleet.run(&["resume", pipeline]).await.expect(0, &["goes on"]);
    }
    fleet.until("it is ready again", || async { page(&working, "readyz").await.0 == 200 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_which_schedule_is_enabled() {
    let fleet = tiny_fleet().await;
    let (first, _worker) = (fleet.producer(), fleet.worker());
    let active = address(&fleet, &first).await;
    let enabled = "catalog_schedule_enabled{pipeline=\"customers\"}";
    wanted(&fleet, &active, enabled, 1.0).await;
    fleet.run(&["schedule", "disable", "customers"]).await.expect(0, &[]);
    wanted(&fleet, &active, enabled, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_sets_is_what_lateness_is_measured_by() {
    let fleet = tiny_fleet().await;
    let (first, _worker) = (fleet.producer(), fleet.worker());
    let active = address(&fleet, &first).await;
    let target = "catalog_freshness_target_seconds{pipeline=\"customers\"}";
    wanted(&fleet, &active, target, 3.0).await;
    fleet.run(&["schedule", "set", "customers", "--every", "7s"]).await.expect(0, &[]);
    wanted(&fleet, &active, target, 21.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_sleeps_past_its_lease_no_longer_speaks_for_the_service_once_it_wakes() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await.with([LISTEN, JSON]);
    let (first, _worker) = (fleet.producer(), fleet.worker());
    fleet.in_step().await;
    let second = fleet.producer();
    let (active, next) = (address(&fleet, &first).await, address(&fleet, &second).await);
    let speaks = async |address: &str| page(address, "metrics").await.1.contains("catalog_records{");
    fleet.until("the first speaks", || speaks(&active)).await;
    assert!(!speaks(&next).await);
    first.freeze();
    wanted(&fleet, &next, "catalog_records{pipeline=\"items\",stage=\"applied\"}", 60.0).await;
    first.thaw();
    fleet.until("it is silent", || async { !speaks(&active).await }).await;
}
