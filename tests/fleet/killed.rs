//! kill -9 at each step, and at any time: nothing is lost, nothing doubled, and work goes on.

use std::time::{Duration, Instant};

use super::catalogue::Size;
use super::processes::{Fleet, Role};
use super::stranger::Stranger;
use crate::dice::{Dice, kills};

/// What dies over it is a worker of items; the customers are there for the producer.
fn few_customers() -> Size {
    Size { items: 45, customers: 30, ..Size::small() }
}

/// A worker dies over records that are new, when it passes a point; the one that is started then goes on with what it had
/// in hand.
async fn a_worker_dies_over_new_records(point: &str) {
    let fleet = Fleet::new(few_customers()).await;
    let _producer = fleet.producer();
    a_worker_dies(&fleet, point).await;
}

/// The same over records, or images, that have changed.
async fn a_worker_dies_over_changes(point: &str) {
    let fleet = Fleet::new(few_customers()).await;
    let (_producer, worker) = (fleet.producer(), fleet.worker());
    fleet.in_step().await;
    worker.kill().await;
    for number in 0..40 {
        fleet.catalogue.edit_item(number, point);
    }
    fleet.catalogue.replace_images(0..20);
    a_worker_dies(&fleet, point).await;
}

async fn a_worker_dies(fleet: &Fleet, point: &str) {
    fleet.doomed("worker", point, 1).died().await;
    let began = Instant::now();
    let _worker = fleet.worker();
    fleet.in_step().await;
    println!("killed when {point}: in step again after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_with_claims() {
    a_worker_dies_over_new_records("claimed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_between_upsert_and_record() {
    a_worker_dies_over_changes("upserted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_between_record_and_image_jobs() {
    a_worker_dies_over_new_records("recorded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_between_image_jobs_and_ack() {
    a_worker_dies_over_changes("images_published").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_after_its_ack() {
    a_worker_dies_over_changes("acked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_with_claims_of_images() {
    a_worker_dies_over_new_records("image_claimed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_dies_between_an_image_and_its_record() {
    a_worker_dies_over_changes("image_written").await;
}

/// A producer dies over records that are new, when it passes a point; the one that is started then takes over once the dead
/// one's lease has run out.
async fn a_producer_dies_over_new_records(point: &str) {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _workers = [fleet.worker(), fleet.worker()];
    a_producer_dies(&fleet, point).await;
}

/// The same over records that have changed.
async fn a_producer_dies_over_changes(point: &str) {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let (_workers, producer) = ([fleet.worker(), fleet.worker()], fleet.producer());
    fleet.in_step().await;
    // It gives its lease back, and the next one need not wait for it.
    assert_eq!(producer.terminate().await, Some(0));
    for number in 0..30 {
        fleet.catalogue.edit(number, point);
    }
    a_producer_dies(&fleet, point).await;
}

async fn a_producer_dies(fleet: &Fleet, point: &str) {
    fleet.doomed("producer", point, 1).died().await;
    let began = Instant::now();
    let _producer = fleet.producer();
    fleet.in_step().await;
    println!("killed when {point}: in step again after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_dies_between_want_and_publish() {
    a_producer_dies_over_new_records("wanted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_dies_between_publish_and_confirm() {
    a_producer_dies_over_changes("published").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_dies_between_confirm_and_cursor() {
    a_producer_dies_over_new_records("confirmed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_dies_after_its_cursor() {
    a_producer_dies_over_changes("advanced").await;
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
    while killed < kills(3) || !fleet.catalogue.all_items_arrived() {
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
async fn a_file_writer_that_sleeps_is_waited_for() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    fleet.notices_soon();
    let stranger = Stranger::new(&fleet).await;
    let (_producer, _other) = (fleet.producer(), fleet.worker_of("items"));
    let writer = fleet.worker_of("customers");
    fleet.in_step().await;
    let _standby = fleet.worker_of("customers");
    for number in 0..40 {
        fleet.catalogue.edit_customer(number, "before the sleep");
    }
    let consumers = async || stranger.consumers("customers.record.single").await;
    // The one who has the file: the other does not consume until it has.
    fleet.until("the writer consumes", || async { consumers().await == 1 }).await;
    writer.freeze();
    fleet.catalogue.edit(41, "during the sleep");
    fleet.until("the items in step", || async { fleet.catalogue.faults_of_items().await.is_empty() }).await;
    fleet.until("the sleeper given up by the broker", || async { consumers().await == 0 }).await;
    let during = fleet.catalogue.wrong_in_file().unwrap();
    assert_eq!((during.doubled, during.missing, during.extra), (0, 0, 0));
    writer.thaw();
    let began = Instant::now();
    fleet.in_step().await;
    println!("in step {:.1} s after the writer woke", began.elapsed().as_secs_f64());
    fleet.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_writer_that_was_killed_is_replaced() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let (_producer, _other) = (fleet.producer(), fleet.worker_of("items"));
    let writer = fleet.worker_of("customers");
    fleet.in_step().await;
    let standby = fleet.worker_of("customers");
    fleet
        .until("the other waits for the file", || async { standby.log().contains("is being written by") })
        .await;
    fleet.flows_after("kill of the file's writer", async || writer.kill().await).await;
}
