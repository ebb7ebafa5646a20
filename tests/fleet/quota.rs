//! Zoho's calls of the day in a fleet: used up, and there again at midnight.

use std::time::Duration;

use sandbox::ZohoControl;
use serde_json::Value;

use super::catalogue::Size;
use super::port_of;
use super::processes::{Fleet, Role};

/// Calls of a day.
const PLAN: u32 = 50_000;

/// The images of the items that wait.
fn waiting(status: &Value) -> u64 {
    status["records"]["images"]["outstanding"].as_u64().unwrap()
}

/// Two workers have made products of 40 items whose images wait. Then somebody else makes the last call of Zoho's day.
async fn fleet_without_calls(set_clock: impl FnOnce(&ZohoControl)) -> (Fleet, Role, [Role; 2]) {
    let fleet = Fleet::new(Size { items: 40, images: true, customers: 3, call: Duration::ZERO }).await;
    let fleet =
        fleet.with([("CATALOG_SYNC_METRICS_LISTEN", "127.0.0.1:0"), ("CATALOG_SYNC_LOG_FORMAT", "json")]);
    let zoho = fleet.catalogue.shop.store();
    set_clock(&zoho);
    zoho.set_limits(1_000_000, 10, PLAN);
    fleet.run(&["pause", "items", "--images", "--why", "until the evening"]).await.expect(0, &[]);
    let (producer, workers) = (fleet.producer(), [fleet.worker(), fleet.worker()]);
    fleet
        .until("all items are products, and no image is there", || async {
            let status = fleet.status("items").await;
            status["records"]["applied"] == 40 && waiting(&status) > 20
        })
        .await;
    zoho.set_calls_today(PLAN);
    (fleet, producer, workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn code_45_pauses_the_images_and_tells_how_many_days_they_take() {
    // Noon in New York: the day does not end meanwhile, whenever this runs.
    let noon = |zoho: &ZohoControl| zoho.set_clock("2027-01-05T17:00:00Z".parse().unwrap());
    let (fleet, producer, _workers) = fleet_without_calls(noon).await;
    let zoho = fleet.catalogue.shop.store();
    let images = waiting(&fleet.status("items").await);
    fleet.run(&["resume", "items", "--images"]).await.expect(0, &[]);
    fleet
        .until("the images are paused by the system", || async {
            let paused = fleet.status("items").await["paused"].clone();
            let by_system = |pause: &Value| pause["what"] == "images" && pause["by"] == "system";
            paused.as_array().is_some_and(|paused| paused.iter().any(by_system))
        })
        .await;
    let refused = zoho.counts().throttled;
    assert!((1..=10).contains(&refused), "{refused} calls were refused before all had stopped");
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
    assert_eq!(zoho.counts().throttled, refused, "nobody has called in the meantime");
    assert_eq!(waiting(&fleet.status("items").await), images);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_code_45_the_images_arrive_at_midnight_and_nobody_has_to_do_anything() {
    // Four seconds before midnight in New York: what says no more than code 45 is waited out until then. The clock stands still
    // until somebody was told so, and has passed midnight before they think that it has.
    let before = |zoho: &ZohoControl| zoho.freeze_clock("2027-01-05T04:59:56Z".parse().unwrap());
    let (fleet, _producer, _workers) = fleet_without_calls(before).await;
    let zoho = fleet.catalogue.shop.store();
    fleet.run(&["resume", "items", "--images"]).await.expect(0, &[]);
    fleet.until("a call is refused", || async { zoho.counts().throttled > 0 }).await;
    zoho.set_clock("2027-01-05T05:00:00Z".parse().unwrap());
    fleet.until("the images arrive", || async { waiting(&fleet.status("items").await) == 0 }).await;
    let counts = zoho.counts();
    assert!(counts.throttled <= 10, "{} calls were refused before all had stopped", counts.throttled);
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
