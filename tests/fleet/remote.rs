//! The remote systems on bad days, and people who edit while jobs wait.

use std::time::Instant;

use sandbox::{Fault, FaultRule, ZohoFault, ZohoFaultRule};

use super::catalogue::Size;
use super::processes::Fleet;

/// Thirty records are edited while this befalls Odoo: each arrives, once.
async fn every_record_arrives_once(what: &str, rule: FaultRule) {
    let fleet = Fleet::new(Size::small()).await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    let control = fleet.catalogue.shop.control();
    control.fault(rule);
    for number in 0..30 {
        fleet.catalogue.edit_item(number, what);
    }
    let began = Instant::now();
    fleet.in_step().await;
    println!("{what}: in step after {:.1} s", began.elapsed().as_secs_f64());
    fleet.catalogue.shop.late_calls_done().await;
    fleet.settled().await;
    fleet.in_step().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_behind_a_bad_gateway_gets_every_record_once() {
    every_record_arrives_once("502s", FaultRule::once(Fault::BadGateway).times(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_whose_transactions_conflict_gets_every_record_once() {
    every_record_arrives_once(
        "conflicts",
        FaultRule::once(Fault::SerializationFailure).method("load").times(3),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_whose_replies_are_lost_gets_every_record_once() {
    every_record_arrives_once("replies lost", FaultRule::once(Fault::LoseReply).method("load").times(3))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_that_works_on_after_its_connection_ended_gets_every_record_once() {
    every_record_arrives_once(
        "work done late",
        FaultRule::once(Fault::WorkLate { millis: 3_000 }).method("load").times(2),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_whose_proxy_asks_for_patience_gets_every_record_once() {
    every_record_arrives_once(
        "429 of a proxy",
        FaultRule::once(Fault::TooManyRequests { retry_after: 2 }).times(3),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lands_late_over_a_newer_one_is_repaired() {
    let fleet = fleet_of_an_odoo_with_a_time_limit().await;
    let _roles = [fleet.producer(), fleet.worker()];
    fleet.in_step().await;
    let control = fleet.catalogue.shop.control();
    control.fault(FaultRule::once(Fault::WorkLate { millis: 3_000 }).method("load"));
    control.fault(FaultRule::once(Fault::WorkLate { millis: 3_000 }).method("write"));
    fleet.catalogue.edit_item(5, "the late one");
    fleet.until("the fault befell", || async { control.pending_faults().len() < 2 }).await;
    fleet.catalogue.edit_item(5, "the newer one");
    fleet.in_step().await;
    fleet.catalogue.shop.late_calls_done().await;
    let began = Instant::now();
    // Odoo ends a call after its time limit: only then is it known that nothing comes any more.
    fleet.in_step().await;
    println!("in step {:.1} s after the late write", began.elapsed().as_secs_f64());
}

/// Odoo does the work of the next load, and says so when nobody listens any more. New rows and rows that differ from each
/// other go by the same call.
fn reply_late(fleet: &Fleet) {
    let rule = FaultRule::once(Fault::ReplyLate { millis: 30_000 }).method("load");
    fleet.catalogue.shop.control().fault(rule);
}

async fn fleet_of_an_odoo_with_a_time_limit() -> Fleet {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    fleet.reconfigure("timeout = \"20s\"", "timeout = \"2s\"\nlimit_time_real = \"5s\"");
    fleet
}

/// Each was created once, and none was given up.
async fn none_is_doubled(fleet: &Fleet) {
    let created = fleet.catalogue.shop.control().counts().rows_created;
    assert_eq!(created, Size::small().items as u64, "each was created once");
    assert_eq!(fleet.status("items").await["dead_letters"].as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_comes_thirty_seconds_after_the_creation_doubles_nothing() {
    let fleet = fleet_of_an_odoo_with_a_time_limit().await;
    reply_late(&fleet);
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    let began = Instant::now();
    fleet.in_step().await;
    println!("reply of a creation 30 s late: in step after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
    none_is_doubled(&fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_comes_thirty_seconds_after_the_change_doubles_nothing() {
    let fleet = fleet_of_an_odoo_with_a_time_limit().await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    reply_late(&fleet);
    for number in 0..30 {
        fleet.catalogue.edit_item(number, "answered late");
    }
    let control = fleet.catalogue.shop.control();
    fleet.until("the fault befell", || async { control.pending_faults().is_empty() }).await;
    let began = Instant::now();
    fleet.in_step().await;
    fleet.settled().await;
    println!("reply of a change 30 s late: in step after {:.1} s", began.elapsed().as_secs_f64());
    none_is_doubled(&fleet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zoho_that_asks_for_patience_is_given_it() {
    let fleet = Fleet::new(Size::small()).await;
    let _roles = [fleet.producer(), fleet.worker()];
    fleet.in_step().await;
    fleet
        .catalogue
        .shop
        .store()
        .fault(ZohoFaultRule::once(ZohoFault::Throttled { code: 1070, retry_after: Some(3) }));
    let began = Instant::now();
    fleet.flow("after the wait").await;
    println!("429 with Retry-After 3: in step after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_to_b_to_a_while_jobs_wait_ends_as_a() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let producer = fleet.producer();
    let worker = fleet.worker();
    fleet.in_step().await;
    fleet.catalogue.edit(7, "A");
    fleet.in_step().await;
    worker.kill().await;
    for mark in ["B", "A"] {
        fleet.catalogue.edit(7, mark);
        let before = fleet.status("items").await["last_run"]["id"].as_u64().unwrap();
        fleet
            .until("a run", || async {
                fleet.status("items").await["last_run"]["id"].as_u64().unwrap() > before + 1
            })
            .await;
    }
    let _workers = [fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet.settled().await;
    assert_eq!(fleet.catalogue.faults().await, Vec::<String>::new());
    drop(producer);
}
