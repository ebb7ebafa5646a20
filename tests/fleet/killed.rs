//! kill -9 at each step, and at any time: nothing is lost, nothing doubled, and work goes on.

use std::time::{Duration, Instant};

use services::Broker;

use super::catalogue::Size;
use super::processes::{Fleet, Role};
use crate::dice::{Dice, kills};

/// A worker dies between two steps; the one that is started then goes on with what it had in hand.
async fn a_worker_dies_at(points: &[&str]) {
    let fleet = Fleet::new(Size::small()).await;
    let _producer = fleet.producer();
    for (round, point) in points.iter().enumerate() {
        let doomed = fleet.doomed("worker", point, 1);
        for number in 0..40 {
            fleet.catalogue.edit_item(number, &format!("{point} {round}"));
        }
        if point.starts_with("image") {
            fleet.catalogue.replace_images(0..20);
        }
        doomed.died().await;
        let began = Instant::now();
        let worker = fleet.worker();
        fleet.in_step().await;
        println!("killed when {point}: in step again after {:.1} s", began.elapsed().as_secs_f64());
        fleet.settled().await;
        worker.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_between_claim_and_record() {
    a_worker_dies_at(&["claimed", "upserted"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_between_record_and_ack() {
    a_worker_dies_at(&["recorded", "images_published", "acked"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_over_an_image() {
    a_worker_dies_at(&["image_claimed", "image_written"]).await;
}

/// A producer dies between two steps; the one that is started then takes over once the dead one's lease has run out.
async fn a_producer_dies_at(points: &[&str]) {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _workers = [fleet.worker(), fleet.worker()];
    for (round, point) in points.iter().enumerate() {
        for number in 0..30 {
            fleet.catalogue.edit(number, &format!("{point} {round}"));
        }
        fleet.doomed("producer", point, 1).died().await;
        let began = Instant::now();
        let producer = fleet.producer();
        fleet.in_step().await;
        println!("killed when {point}: in step again after {:.1} s", began.elapsed().as_secs_f64());
        fleet.settled().await;
        // It gives its lease back, and the next one need not wait for it.
        assert_eq!(producer.terminate().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_dies_between_want_and_publish() {
    a_producer_dies_at(&["wanted", "published"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_dies_between_confirm_and_cursor() {
    a_producer_dies_at(&["confirmed", "advanced"]).await;
}

/// `KILLS=... RECORDS=20000` for the closing figure of a release.
#[tokio::test(flavor = "multi_thread")]
async fn three_workers_bring_every_record_once_while_one_is_killed_every_two_seconds() {
    let records = std::env::var("RECORDS").ok().and_then(|records| records.parse().ok()).unwrap_or(2_000);
    let fleet =
        Fleet::new(Size { items: records, images: false, customers: 300, call: Duration::ZERO }).await;
    let mut dice = Dice::new();
    let _producer = fleet.producer();
    let mut workers: Vec<Role> = (0..3).map(|_| fleet.worker()).collect();
    let (began, mut killed) = (Instant::now(), 0);
    while killed < kills(4) || !fleet.catalogue.all_items_arrived() {
        tokio::time::sleep(Duration::from_millis(1_500 + dice.roll(1_000))).await;
        let victim = usize::try_from(dice.roll(3)).unwrap();
        std::mem::replace(&mut workers[victim], fleet.worker()).kill().await;
        killed += 1;
        assert!(began.elapsed() < Duration::from_mins(10), "it does not come to its end");
    }
    let fed = began.elapsed();
    fleet.in_step().await;
    fleet.settled().await;
    let created = fleet.catalogue.shop.control().counts().rows_created;
    println!(
        "{records} records, {killed} kills: all there after {:.1} s, in step after {:.1} s, {created} rows created",
        fed.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    assert_eq!(created, records as u64, "each was created once");
    drop(workers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_from_a_producer_that_was_killed() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _worker = fleet.worker();
    let first = fleet.producer();
    fleet.in_step().await;
    let second = fleet.producer();
    fleet.until("standing by", || async { second.log().contains("standing by for") }).await;
    first.kill().await;
    let flow = fleet.flow("after the first producer").await;
    println!(
        "a change after the active producer was killed is in both sinks after {:.1} s",
        flow.as_secs_f64()
    );
    assert!(second.log().contains("this producer is the active one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_what_is_in_hand_and_gives_the_rest_back() {
    let size = Size { items: 400, images: false, customers: 300, call: Duration::from_millis(100) };
    let fleet = Fleet::new(size).await;
    let _producer = fleet.producer();
    let worker = fleet.worker();
    let shop = &fleet.catalogue.shop;
    fleet.until("under load", || async { shop.control().counts().rows_created > 0 }).await;
    let began = Instant::now();
    assert_eq!(worker.terminate().await, Some(0));
    println!("drained after {:.1} s", began.elapsed().as_secs_f64());
    let _next = fleet.worker();
    fleet.in_step().await;
    assert_eq!(shop.control().counts().rows_created, 400, "none was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_past_its_lease_harms_nothing_when_it_wakes() {
    let fleet = Fleet::new(Size::small()).await;
    fleet.notices_soon();
    let _producer = fleet.producer();
    let sleeper = fleet.worker();
    fleet.in_step().await;
    for number in 0..40 {
        fleet.catalogue.edit(number, "before the sleep");
    }
    sleeper.freeze();
    let helper = fleet.worker();
    fleet.catalogue.edit_item(1, "during the sleep");
    // The file has one writer: while that sleeps with the file in its hand, nobody else may take it.
    fleet.until("the items in step", || async { fleet.catalogue.faults_of_items().await.is_empty() }).await;
    fleet.catalogue.edit_item(2, "before it wakes");
    sleeper.thaw();
    let began = Instant::now();
    fleet.in_step().await;
    println!("in step {:.1} s after the sleeper woke", began.elapsed().as_secs_f64());
    fleet.settled().await;
    assert_eq!(fleet.catalogue.faults().await, Vec::<String>::new());
    drop(helper);
}

/// The broker gives its queue to the next one; the file stays its own until it is dead.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_writer_that_sleeps_is_waited_for_and_one_that_is_killed_is_replaced() {
    let broker = Broker::start();
    let size = Size { images: false, ..Size::small() };
    let fleet = Fleet::at(size, broker.addr(), services::redis().addr()).await;
    fleet.notices_soon();
    let (_producer, _other) = (fleet.producer(), fleet.worker_of("items"));
    let writer = fleet.worker_of("customers");
    fleet.in_step().await;
    let standby = fleet.worker_of("customers");
    for number in 0..40 {
        fleet.catalogue.edit_customer(number, "before the sleep");
    }
    writer.freeze();
    fleet.catalogue.edit(41, "during the sleep");
    fleet.until("the items in step", || async { fleet.catalogue.faults_of_items().await.is_empty() }).await;
    fleet
        .until("the sleeper given up by the broker", || async {
            let consumers = broker.rabbitmqctl(&["list_consumers", "consumer_tag"]);
            !consumers.contains(&writer.id().to_string())
        })
        .await;
    let during = fleet.catalogue.wrong_in_file().unwrap();
    assert_eq!((during.doubled, during.missing, during.extra), (0, 0, 0));
    writer.thaw();
    let began = Instant::now();
    fleet.in_step().await;
    println!("in step {:.1} s after the writer woke", began.elapsed().as_secs_f64());
    writer.kill().await;
    let flow = fleet.flow("after the writer was killed").await;
    println!("in step {:.1} s after the writer was killed", flow.as_secs_f64());
    fleet.settled().await;
    drop(standby);
}
