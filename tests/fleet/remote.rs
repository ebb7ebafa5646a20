//! The remote systems on bad days, and people who edit while jobs wait.

use std::time::Instant;

use sandbox::{Fault, FaultRule, ZohoFault, ZohoFaultRule};

use super::catalogue::Size;
use super::processes::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_with_bad_days_gets_every_record_once() {
    let fleet = Fleet::new(Size::small()).await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    let faults: [(&str, Vec<FaultRule>); 5] = [
        ("502s", vec![FaultRule::once(Fault::BadGateway).times(12)]),
        (
            "serialization conflicts",
            vec![FaultRule::once(Fault::SerializationFailure).method("load").times(3)],
        ),
        ("replies lost", vec![FaultRule::once(Fault::LoseReply).method("load").times(3)]),
        ("work done late", vec![FaultRule::once(Fault::WorkLate { millis: 3_000 }).method("load").times(2)]),
        ("429 of a proxy", vec![FaultRule::once(Fault::TooManyRequests { retry_after: 2 }).times(3)]),
    ];
    for (what, rules) in faults {
        let control = fleet.catalogue.shop.control();
        for rule in rules {
            control.fault(rule);
        }
        for number in 0..30 {
            fleet.catalogue.edit_item(number, what);
        }
        let began = Instant::now();
        fleet.in_step().await;
        println!("{what}: in step after {:.1} s", began.elapsed().as_secs_f64());
        fleet.catalogue.shop.late_calls_done().await;
        fleet.settled().await;
        fleet.in_step().await;
        control.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lands_late_over_a_newer_one_is_repaired() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    fleet.reconfigure("timeout = \"20s\"", "timeout = \"2s\"\nlimit_time_real = \"8s\"");
    let _roles = [fleet.producer(), fleet.worker()];
    fleet.in_step().await;
    let control = fleet.catalogue.shop.control();
    control.fault(FaultRule::once(Fault::WorkLate { millis: 6_000 }).method("load"));
    control.fault(FaultRule::once(Fault::WorkLate { millis: 6_000 }).method("write"));
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

/// Odoo has done the work, and says so when nobody listens any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_comes_thirty_seconds_after_the_write_doubles_nothing() {
    let size = Size { images: false, ..Size::small() };
    let fleet = Fleet::new(size).await;
    fleet.reconfigure("timeout = \"20s\"", "timeout = \"2s\"\nlimit_time_real = \"8s\"");
    let control = fleet.catalogue.shop.control();
    // New rows and rows that differ from each other go by the same call.
    let late = || FaultRule::once(Fault::ReplyLate { millis: 30_000 }).method("load");
    control.fault(late());
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    let began = Instant::now();
    fleet.in_step().await;
    println!("reply of a creation 30 s late: in step after {:.1} s", began.elapsed().as_secs_f64());
    control.fault(late());
    for number in 0..30 {
        fleet.catalogue.edit_item(number, "answered late");
    }
    fleet.until("the fault befell", || async { control.pending_faults().is_empty() }).await;
    let began = Instant::now();
    fleet.in_step().await;
    fleet.settled().await;
    println!("reply of a change 30 s late: in step after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(control.counts().rows_created, size.items as u64, "each was created once");
    assert_eq!(fleet.status("items").await["dead_letters"].as_array().map(Vec::len), Some(0));
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
    for mark in ["B", "A", "B", "A"] {
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
