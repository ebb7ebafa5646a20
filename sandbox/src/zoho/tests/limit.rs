use std::time::Duration;

use jiff::Timestamp;

use super::client::{Client, until};
use crate::zoho::fault::{ZohoFault, ZohoFaultRule};
use crate::zoho::settings::ZohoSettings;

async fn limited(per_minute: u32, concurrent: u32, per_day: u32) -> Client {
    let settings =
        ZohoSettings { items: 5, contacts: 1, per_minute, concurrent, per_day, ..ZohoSettings::default() };
    let mut client = Client::start(settings).await;
    // 23:00 in New York, summer.
    client.control.freeze_clock("2026-06-02T03:00:00Z".parse::<Timestamp>().unwrap());
    client.refresh().await;
    client
}

#[tokio::test]
async fn one_call_too_many_a_minute_blocks_every_endpoint_and_product_for_an_hour() {
    let mut client = limited(4, 10, 100).await;
    for target in ["items", "contacts", "units", "organizations"] {
        assert_eq!(client.get(target).await.verdict(), (200, 0));
    }
    let refused = client.get("items").await;
    assert_eq!((refused.verdict(), refused.header("retry-after")), ((429, 43), "3600"));
    client.control.set_block_code(44);
    client.control.advance_clock(Duration::from_mins(50));
    let still = client.books("contacts").await;
    assert_eq!((still.verdict(), still.header("retry-after")), ((429, 44), "600"));
    client.control.advance_clock(Duration::from_mins(10));
    client.refresh().await;
    assert_eq!(client.get("items").await.verdict(), (200, 0));
    assert_eq!(client.control.counts().throttled, 2);
}

#[tokio::test]
async fn a_block_that_others_earned_meets_the_first_call() {
    let client = limited(100, 10, 100).await;
    client.control.block();
    assert_eq!(client.get("items").await.verdict(), (429, 43));
    client.control.lift_block();
    assert_eq!(client.get("items").await.verdict(), (200, 0));
}

#[tokio::test]
async fn quota_headers_count_down_to_midnight_and_are_absent_on_organizations() {
    let client = limited(100, 10, 7500).await;
    let remaining = |answer: &super::client::Answer| answer.header("x-rate-limit-remaining").to_owned();
    let first = client.get("items").await;
    assert_eq!((first.header("x-rate-limit-limit"), first.header("x-rate-limit-reset")), ("7500", "3600"));
    assert_eq!(remaining(&first), "7499");
    let organizations = client.get("organizations").await;
    assert!(organizations.headers.keys().all(|name| !name.as_str().starts_with("x-rate")));
    assert_eq!(remaining(&client.books("items").await), "7497", "one pool, and every call costs");
}

#[tokio::test]
async fn the_day_is_over_with_code_45_until_midnight_of_the_organisation() {
    let client = limited(100, 10, 1000).await;
    client.control.set_calls_today(999);
    assert_eq!(client.get("items").await.header("x-rate-limit-remaining"), "0");
    let refused = client.get("items").await;
    assert_eq!((refused.verdict(), refused.header("retry-after")), ((429, 45), ""));
    assert!(refused.json()["message"].as_str().unwrap().ends_with("rate limit of 1000."));
    client.control.advance_clock(Duration::from_mins(59));
    assert_eq!(client.get("items").await.verdict(), (429, 45));
    client.control.advance_clock(Duration::from_secs(59));
    assert_eq!(client.get("items").await.verdict(), (429, 45));
    client.control.advance_clock(Duration::from_secs(1));
    client.control.set_revoked(false);
    let mut client = client;
    client.refresh().await;
    assert_eq!(client.get("items").await.header("x-rate-limit-remaining"), "999");
}

#[tokio::test]
async fn more_calls_at_once_than_allowed_get_code_1070_until_one_ends() {
    let client = limited(100, 2, 100).await;
    client.control.fault(ZohoFaultRule::once(ZohoFault::Hang).times(2));
    let hanging: Vec<_> = (0..2)
        .map(|_| tokio::spawn(client.request(&client.sandbox.inventory_url(), "items").send()))
        .collect();
    until(|| client.control.counts().faults == 2).await;
    assert_eq!(client.get("items").await.verdict(), (429, 1070));
    for call in hanging {
        call.abort();
    }
    // The server learns of the end when the connections close.
    while client.get("items").await.verdict() == (429, 1070) {}
    assert_eq!(client.get("items").await.verdict(), (200, 0));
}
