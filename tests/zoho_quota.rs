//! Zoho's limits hold whatever the number of processes that call it, over days, and whoever else does.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sandbox::{ZohoControl, ZohoSandbox, ZohoSettings};
use shared::failure::{Class, Failure};
use shared::state::{RedisSettings, State};
use shared::zoho::{Api, CallClass, Kind, Page, Position, SimulatedTime, ZohoClient, ZohoConfig};

use crate::zoho_source::config;

/// An organisation with the limits that Zoho documents, whose clock goes on when somebody waits.
async fn organisation(items: usize, per_day: u32, now: &str) -> (ZohoSandbox, Arc<SimulatedTime>) {
    let settings = ZohoSettings { items, image_bytes: 2_000, per_day, ..ZohoSettings::default() };
    let sandbox = ZohoSandbox::start(settings).await.unwrap();
    let control: ZohoControl = sandbox.control().clone();
    let now: Timestamp = now.parse().unwrap();
    let time = Arc::new(SimulatedTime::new(now, move |now| control.freeze_clock(now)));
    (sandbox, time)
}

/// One process of a fleet: its own connection to the state that all share.
async fn process(config: &ZohoConfig, redis: &RedisSettings, time: &Arc<SimulatedTime>) -> ZohoClient {
    let state = State::open_redis(redis).await.unwrap();
    ZohoClient::connect_simulated(config.clone(), &state, Arc::clone(time)).await.unwrap()
}

fn redis() -> RedisSettings {
    RedisSettings {
        url: format!("redis://{}/0", services::redis().addr()),
        user: Some(services::USER.to_owned()),
        password: Some(services::PASSWORD.into()),
        prefix: services::prefix(),
        timeout: Duration::from_secs(10),
    }
}

async fn page(client: &ZohoClient) -> Result<Page, Failure> {
    client.page(Api::Inventory, Kind::Items, &Position::first(Api::Inventory, None), 200).await
}

async fn image(client: &ZohoClient, item: String) -> Result<(), Failure> {
    client.image(&item, None, CallClass::Backfill).await.map(drop)
}

/// Ids of items that have an image.
fn with_image(sandbox: &ZohoSandbox) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let items = sandbox.control().items().into_iter();
    items
        .filter(|item| !text(&item["image_document_id"]).is_empty())
        .map(|item| text(&item["item_id"]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_workers_call_at_once_zoho_refuses_none_of_their_calls() {
    for workers in [1_u32, 8] {
        let (sandbox, time) = organisation(50, 10_000, "2026-06-02T12:00:00Z").await;
        let (redis, start) = (redis(), time.now());
        let items = with_image(&sandbox);
        let mut calls = Vec::new();
        for _ in 0..workers {
            let client = process(&config(&sandbox), &redis, &time).await;
            for _ in 0..4 {
                let (client, items) = (client.clone(), items.clone());
                calls.push(tokio::spawn(async move {
                    for item in items.into_iter().take(usize::try_from(160 / workers).unwrap()) {
                        image(&client, item).await.unwrap();
                    }
                }));
            }
        }
        for call in calls {
            call.await.unwrap();
        }
        let counts = sandbox.control().counts();
        let (took, made) = (time.now().duration_since(start).as_secs(), counts.image);
        println!("{workers} workers: {made} calls in {took} simulated seconds");
        assert_eq!(counts.throttled, 0);
        let made = i64::try_from(made).unwrap();
        assert!(took >= (made - 80) / 80 * 60, "{made} calls took {took} s");
        assert!(took <= (made / 80 + 1) * 66, "{made} calls took {took} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_one_process_is_told_to_wait_holds_for_all_and_then_they_go_on() {
    let (sandbox, time) = organisation(5, 10_000, "2026-06-02T12:00:00Z").await;
    let redis = redis();
    let [one, other] =
        [process(&config(&sandbox), &redis, &time).await, process(&config(&sandbox), &redis, &time).await];
    sandbox.control().block();
    for client in [&one, &other, &one] {
        let failure = page(client).await.unwrap_err();
        assert_eq!(failure.class, Class::Throttled);
        assert!(failure.retry_after.unwrap() > Duration::from_mins(59), "{failure}");
    }
    assert_eq!(sandbox.control().counts().list, 1);
    time.advance_to(time.now() + Duration::from_secs(3_601));
    for client in [&one, &other] {
        page(client).await.unwrap();
    }
    assert_eq!(sandbox.control().counts().throttled, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_who_use_the_same_calls_are_left_their_reserve() {
    // 23:50 in New York.
    let (sandbox, time) = organisation(10, 1_000, "2026-06-02T03:50:00Z").await;
    let client = process(&config(&sandbox), &redis(), &time).await;
    let items = with_image(&sandbox);
    page(&client).await.unwrap();
    sandbox.control().set_calls_today(919);
    // It is told that 80 are left with the answer, and images are for those beyond 80.
    image(&client, items[0].clone()).await.unwrap();
    let failure = image(&client, items[1].clone()).await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    assert!(failure.retry_after.unwrap() <= Duration::from_mins(11), "{failure}");
    page(&client).await.unwrap();
    sandbox.control().set_calls_today(990);
    page(&client).await.unwrap();
    page(&client).await.unwrap_err();
    let counts = sandbox.control().counts();
    assert_eq!((counts.list, counts.image, counts.throttled), (3, 1, 0));
    time.advance_to(time.now() + Duration::from_secs(603));
    image(&client, items[1].clone()).await.unwrap();
    assert_eq!(sandbox.control().counts().throttled, 0);
}
