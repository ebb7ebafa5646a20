//! Zoho's limits hold whatever the number of processes that call it, over days, and whoever else does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sandbox::{ZohoControl, ZohoImage, ZohoSandbox, ZohoSettings};
use shared::failure::{Class, Failure};
use shared::state::{RedisSettings, State};
use shared::zoho::{Api, CallClass, Kind, Page, Position, SimulatedTime, ZohoClient, ZohoConfig};

use crate::shop::Shop;
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
async fn however_many_workers_call_at_once_zoho_refuses_none_of_their_calls_and_makes_one_token() {
    for workers in [1_u32, 8, 50] {
        let (sandbox, time) = organisation(50, 10_000, "2026-06-02T12:00:00Z").await;
        let (redis, start) = (redis(), time.now());
        let items = with_image(&sandbox);
        let each = usize::try_from(400 / workers / 2).unwrap();
        let mut calls = Vec::new();
        for _ in 0..workers {
            let client = process(&config(&sandbox), &redis, &time).await;
            for _ in 0..2 {
                let items: Vec<String> = items.iter().cycle().take(each).cloned().collect();
                let client = client.clone();
                calls.push(tokio::spawn(async move {
                    for item in items {
                        image(&client, item).await.unwrap();
                    }
                }));
            }
        }
        for call in calls {
            call.await.unwrap();
        }
        let counts = sandbox.control().counts();
        let took = time.now().duration_since(start).as_secs();
        println!("{workers} workers: {} calls in {took} simulated seconds", counts.image);
        assert_eq!((counts.image, counts.throttled, counts.unauthorized, counts.token), (400, 0, 0, 1));
        // 80 at once, and four times 80 more a minute later.
        assert!((4 * 61..=4 * 66).contains(&took), "{took}");
    }
}

/// A tenth of 20,000 items on a plan of 5,000 calls; the same with all of them is in the budget's own tests.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_with_images_is_there_on_day_five_and_no_call_is_wasted() {
    // 01:00 in New York.
    let (sandbox, time) = organisation(2_400, 500, "2026-06-02T05:00:00Z").await;
    let (redis, start, control) = (redis(), time.now(), sandbox.control());
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(process(&config(&sandbox), &redis, &time).await);
    }
    let (mut items, mut at) = (0, Some(Position::first(Api::Inventory, None)));
    while let Some(position) = at {
        let page = clients[0].page(Api::Inventory, Kind::Items, &position, 200).await.unwrap();
        items += page.rows.len();
        at = page.next().cloned();
    }
    // By the organisation's days: the first one is an hour old.
    let day = |now: Timestamp| (now.duration_since(start).as_hours() + 1).div_euclid(24) + 1;
    assert_eq!(day(time.now()), 1, "all fields are there on day one");
    let images = with_image(&sandbox);
    assert!(items >= 2_400 && images.len() > 1_840, "{items} items, {} images", images.len());
    let todo = Arc::new(std::sync::Mutex::new(images.clone()));
    while !todo.lock().unwrap().is_empty() {
        // Until Zoho's calls of the day are used up, for all of them.
        let work = clients.iter().flat_map(|client| [client.clone(), client.clone()]).map(|client| {
            let todo = Arc::clone(&todo);
            tokio::spawn(async move {
                loop {
                    let item = todo.lock().unwrap().pop()?;
                    if let Err(failure) = image(&client, item.clone()).await {
                        assert_eq!(failure.class, Class::Throttled, "{failure}");
                        todo.lock().unwrap().push(item);
                        return failure.retry_after;
                    }
                }
            })
        });
        let mut wait = None;
        for work in work.collect::<Vec<_>>() {
            wait = work.await.unwrap().or(wait);
        }
        if let Some(wait) = wait {
            time.advance_to(time.now() + wait);
        }
    }
    let counts = control.counts();
    println!("{items} items, {} images, {} lists, day {}", images.len(), counts.list, day(time.now()));
    assert_eq!(day(time.now()), 5);
    assert_eq!((counts.image, counts.throttled, counts.unauthorized), (images.len() as u64, 0, 0));
    assert!(counts.images_served.values().all(|times| *times == 1));
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

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_changes_does_not_wait_behind_those_that_were_never_there() {
    let shop = Shop::new(60).await;
    shop.place.sync().await;
    let control = shop.zoho.control();
    let pictured = shop.served().await;
    let is_pictured = |number: &u32| pictured.contains_key(&shop.id(*number));
    let (with, without): (Vec<u32>, Vec<u32>) = (0..60).partition(is_pictured);
    assert!(without.len() > 5, "{without:?}");
    // New images for those that have none, and after all of them another one for one that has.
    for number in &without {
        shop.upload(*number, ZohoImage::Jpeg);
    }
    shop.upload(with[0], ZohoImage::Png);
    let item = shop.id(with[0]);
    let before = shop.picture(&item).unwrap();
    // What is left of the day is for lists and changed images, and not for a backlog: 75 of 1,000.
    control.set_limits(1_000_000, 10, 1_000);
    control.set_calls_today(1_000 - 77);
    control.reset_counts();
    shop.place.run(&["sync"]).await.expect(0, &[]);
    let counts = control.counts();
    assert_eq!((counts.image, counts.throttled), (1, 0), "{counts:?}");
    assert_ne!(shop.picture(&item).unwrap(), before);
    assert!(without.iter().all(|number| shop.picture(&shop.id(*number)).is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_by_hand_on_a_day_whose_calls_are_used_up_says_so_and_makes_none() {
    let shop = Shop::new(30).await;
    let control = shop.zoho.control();
    // An hour before midnight in New York, on a plan of 20 calls a day.
    control.set_limits(1_000_000, 10, 20);
    control.set_clock("2027-01-05T04:00:00Z".parse().unwrap());
    shop.place.run(&["sync"]).await.expect(0, &["waiting"]);
    let told = ["zoho.shop: 1 of 20 calls left until 2", " left, about 2 days at this plan"];
    shop.place.run(&["status"]).await.expect(0, &told);
    let before = control.counts();
    shop.place.run(&["sync"]).await.expect(3, &["NOT synced", "they come back at"]);
    let counts = control.counts();
    assert_eq!((counts.list, counts.image, counts.throttled), (1, before.image, 0), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_a_day_does_not_suffice_for_go_on_after_midnight_by_themselves() {
    let shop = Shop::new(30).await;
    let control = shop.zoho.control();
    shop.place.reconfigure("[json.files]", "[notify]\nlog = \"told.log\"\n[json.files]");
    control.set_limits(1_000_000, 10, 20);
    // The program goes by the end of the day that Zoho tells with each answer: ten seconds after the last one. Within these
    // somebody looks whether anything is to be told, which is done every five.
    control.freeze_clock("2027-01-05T04:59:50Z".parse().unwrap());
    let _daemon = shop.place.start(&["schedule", "start"]);
    let is_told = async |what: &str| {
        let (log, began) = (shop.place.path("told.log"), Instant::now());
        loop {
            let told = std::fs::read_to_string(&log).unwrap_or_default();
            if told.contains(what) {
                return told;
            }
            assert!(began.elapsed() < Duration::from_mins(2), "in vain: {what}: {told}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    is_told("BEGUN items quota: zoho.shop: ").await;
    let on_day_one = control.counts();
    assert!(on_day_one.image < with_image(&shop.zoho).len() as u64, "{on_day_one:?}");
    control.set_clock("2027-01-05T05:00:00Z".parse().unwrap());
    let told = is_told("RECOVERED items quota").await;
    assert_eq!(told.lines().count(), 2, "{told}");
    let (began, mut status) = (Instant::now(), serde_json::Value::Null);
    while status["pipelines"][0]["records"]["images"]["outstanding"] != 0 {
        assert!(began.elapsed() < Duration::from_mins(2), "the others do not arrive: {status:#}");
        status = shop.place.run(&["status", "--json"]).await.json();
    }
    let counts = control.counts();
    assert_eq!((counts.throttled, counts.token), (0, 1));
    assert!(counts.images_served.values().all(|times| *times == 1), "{counts:?}");
    let schedule = shop.place.run(&["schedule", "status", "--json"]).await.json();
    let known = &schedule["pipelines"][0];
    assert_eq!((&known["failed"], &known["failure"]), (&serde_json::json!(0), &serde_json::Value::Null));
    shop.assert_in_step();
}
