//! Metrics of one process, told and taken back.

use std::time::Duration;

use super::*;
use crate::failure::{Failure, Reason};
use crate::fleet::{Pause, Scope};
use crate::job::JobKind;
use crate::record::Outcome;
use crate::state::State;
use tokio_util::sync::CancellationToken;

fn items() -> PipelineName {
    "items".parse().unwrap()
}

#[test]
fn every_metric_of_the_table_is_registered_and_no_other() {
    let telemetry = Telemetry::new("worker");
    let registered = Families::register(&telemetry.0.registry);
    assert!(registered.is_err(), "each is registered once");
    let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), METRICS.len());
    for metric in METRICS {
        assert!(metric.name.starts_with("catalog_"), "{}", metric.name);
        assert_eq!(metric.kind == "counter", metric.name.ends_with("_total"), "{}", metric.name);
        assert!(metric.help.ends_with('.') || metric.help.ends_with(')'), "{}", metric.help);
    }
}

#[test]
fn what_is_counted_is_told() {
    let telemetry = Telemetry::new("worker");
    let meter = telemetry.meter(&items());
    meter.enqueued(JobKind::Record, 3);
    meter.settled(JobKind::Record, Outcome::Created, 2);
    meter.buried(JobKind::Image, 1);
    meter.failed(JobKind::Image, &Failure::permanent(Reason::BadRecord, "no"), 1);
    meter.failed(JobKind::Image, &Failure::interrupted("stop"), 1);
    let in_flight = meter.batch(JobKind::Record, 7);
    let step = meter.stage(Stage::Upsert);
    let text = telemetry.text();
    for line in [
        "catalog_jobs_enqueued_total{kind=\"record\",pipeline=\"items\"} 3",
        "catalog_jobs_settled_total{kind=\"record\",outcome=\"created\",pipeline=\"items\"} 2",
        "catalog_jobs_settled_total{kind=\"image\",outcome=\"dead\",pipeline=\"items\"} 1",
        "catalog_failures_total{class=\"permanent\",kind=\"image\",pipeline=\"items\",reason=\"bad_record\"} 1",
        "catalog_jobs_in_flight{kind=\"record\",pipeline=\"items\"} 7",
        "catalog_steps_under_way 1",
        "catalog_producer_active 0",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("interrupted"), "{text}");
    drop(in_flight);
    drop(step);
    let text = telemetry.text();
    assert!(text.contains("catalog_jobs_in_flight{kind=\"record\",pipeline=\"items\"} 0"), "{text}");
    assert!(text.contains("catalog_steps_under_way 0"), "{text}");
}

#[tokio::test]
async fn what_is_said_of_the_service_goes_with_the_lease() {
    let config = crate::config::Config::of_text(
        crate::config::EXAMPLE,
        std::path::Path::new("catalog-sync.toml"),
        &|_| None,
    )
    .unwrap();
    let state = State::open_memory().await.unwrap();
    let telemetry = Telemetry::new("producer");
    let accounts = config.zoho.into_values().collect();
    let service = Service { state: state.clone(), queue: None, pipelines: config.pipelines, accounts };
    let customers = "customers".parse().unwrap();
    Pause::by_hand(&state, &customers, Scope::Pipeline, "stock-taking").await.unwrap();
    service.look(&telemetry).await.unwrap();
    let told = telemetry.text();
    assert!(
        told.contains("catalog_paused{by=\"hand\",pipeline=\"customers\",scope=\"pipeline\"} 1"),
        "{told}"
    );
    assert!(
        told.contains("catalog_paused{by=\"hand\",pipeline=\"products\",scope=\"pipeline\"} 0"),
        "{told}"
    );
    assert!(told.contains("catalog_dead_letters{pipeline=\"customers\"} 0"), "{told}");
    let lost = CancellationToken::new();
    lost.cancel();
    service.tell(telemetry.clone(), lost).await;
    let told = telemetry.text();
    for metric in METRICS.iter().filter(|metric| metric.teller == Teller::Service) {
        assert!(!told.contains(&format!("\n{}", metric.name)), "{} is still told:\n{told}", metric.name);
    }
}

#[tokio::test]
async fn images_and_days_are_told_by_account() {
    let text = "[odoo.shop]\nurl = \"http://127.0.0.1\"\ndatabase = \"d\"\nuser = \"u\"\n[zoho.shop]\ndata_center = \"com\"\n\
                organization_id = \"1\"\nclient_id = \"c\"\n[pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n";
    let config =
        crate::config::Config::of_text(text, std::path::Path::new("catalog-sync.toml"), &|_| None).unwrap();
    let state = State::open_memory().await.unwrap();
    let telemetry = Telemetry::new("producer");
    let accounts = config.zoho.into_values().collect();
    let service = Service { state, queue: None, pipelines: config.pipelines, accounts };
    service.look(&telemetry).await.unwrap();
    let told = telemetry.text();
    assert!(told.contains("catalog_zoho_images_left{account=\"shop\"} 0\n"), "{told}");
    assert!(told.contains("catalog_zoho_days_left{account=\"shop\"} 0\n"), "{told}");
}

#[tokio::test]
async fn the_three_pages_answer() {
    let telemetry = Telemetry::new("worker");
    let serving = telemetry.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = serving.address();
    healthy(address, false).await.unwrap();
    let starting = healthy(address, true).await.unwrap_err();
    assert_eq!(starting.what(), "starting");
    telemetry.meter(&items()).works("record", true);
    healthy(address, true).await.unwrap();
    let taken = telemetry.serve(address).await.unwrap_err();
    assert!(taken.to_string().contains("CATALOG_SYNC_METRICS_LISTEN"), "{taken}");
    drop(serving);
    let gone = tokio::time::timeout(Duration::from_secs(10), async {
        while healthy(address, false).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    gone.await.unwrap();
}

#[test]
fn the_page_of_metrics_is_the_table() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    let table = documentation();
    if written != table && std::env::var_os("CATALOG_SYNC_WRITE_DOCS").is_some() {
        std::fs::write(&page, &table).unwrap();
        return;
    }
    assert_eq!(written, table, "run this test with CATALOG_SYNC_WRITE_DOCS=1 to write docs/metrics.md anew");
}
