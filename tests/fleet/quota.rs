//! Zoho's calls of the day in a fleet: used up, and there again at midnight.

use std::time::Duration;

use serde_json::Value;

use super::catalogue::Size;
use super::port_of;
use super::processes::Fleet;

/// Calls of a day.
const PLAN: u32 = 50_000;

/// The images of the items that wait.
fn waiting(status: &Value) -> u64 {
    status["records"]["images"]["outstanding"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn code_45_pauses_the_images_until_midnight_and_nobody_has_to_do_anything() {
    let fleet = Fleet::new(Size { items: 40, images: true, customers: 3, call: Duration::ZERO }).await;
    let fleet =
        fleet.with([("CATALOG_SYNC_METRICS_LISTEN", "127.0.0.1:0"), ("CATALOG_SYNC_LOG_FORMAT", "json")]);
    let zoho = fleet.catalogue.shop.store();
    zoho.set_limits(1_000_000, 10, PLAN);
    // 75 seconds before midnight in New York: what says no more than code 45 is waited out until then.
    zoho.set_clock("2027-01-05T04:58:45Z".parse().unwrap());
    fleet.run(&["pause", "items", "--images", "--why", "until the evening"]).await.expect(0, &[]);
    let (producer, _workers) = (fleet.producer(), [fleet.worker(), fleet.worker()]);
    fleet
        .until("all items are products, and no image is there", || async {
            let status = fleet.status("items").await;
            status["records"]["applied"] == 40 && waiting(&status) > 20
        })
        .await;
    let images = waiting(&fleet.status("items").await);

    // Somebody else has made the last call.
    zoho.set_calls_today(PLAN);
    fleet.run(&["resume", "items", "--images"]).await.expect(0, &[]);
    fleet
        .until("the images are paused by the system", || async {
            let paused = fleet.status("items").await["paused"].clone();
            let by_system = |pause: &Value| pause["what"] == "images" && pause["by"] == "system";
            paused.as_array().is_some_and(|paused| paused.iter().any(by_system))
        })
        .await;
    let status = fleet.run(&["status", "--json"]).await.json();
    let account = &status["zoho"][0];
    assert_eq!((&account["is_spent"], &account["forecast"]["days"]), (&true.into(), &2.into()), "{account}");
    let client = reqwest::Client::new();
    let address = format!("http://127.0.0.1:{}/metrics", port_of(&producer.log()));
    fleet
        .until("the forecast is a metric", || async {
            let told = client.get(&address).send().await.unwrap().text().await.unwrap();
            let images = format!("catalog_zoho_images_left{{account=\"store\"}} {images}\n");
            told.contains(&images) && told.contains("catalog_zoho_days_left{account=\"store\"} 2\n")
        })
        .await;
    // Fields of Odoo, which asks nobody for calls, go on.
    let refused = zoho.counts().throttled;
    assert!((1..=10).contains(&refused), "{refused} calls were refused before all had stopped");

    fleet.until("the images arrive", || async { waiting(&fleet.status("items").await) == 0 }).await;
    let counts = zoho.counts();
    assert_eq!(counts.throttled, refused, "nobody has called in the meantime");
    assert!(counts.images_served.values().all(|times| *times == 1), "{:?}", counts.images_served);
    assert_eq!(fleet.status("items").await["paused"], serde_json::json!([]));
    fleet.in_step().await;
    // No run has failed, and no record or image was given up for it.
    let schedule = fleet.run(&["schedule", "status", "--json"]).await.json();
    let known =
        schedule["pipelines"].as_array().unwrap().iter().find(|known| known["pipeline"] == "items").unwrap();
    assert_eq!((&known["failed"], &known["failure"]), (&0.into(), &Value::Null), "{known}");
    let records = fleet.status("items").await["records"].clone();
    assert_eq!((&records["dead"], &records["images"]["dead"]), (&0.into(), &0.into()), "{records}");
}
