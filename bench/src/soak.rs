//! A fleet at work that loses its connections every 20 seconds: the memory of its processes must not grow.

use std::time::{Duration, Instant};

use sandbox::{ZohoChange, ZohoImage};
use serde_json::json;
use services::Proxy;

use crate::fleet::{Services, Shop, role, until};
use crate::process::resident_mb;
use crate::report::{Report, median};
use crate::results::Goal;

const PART: &str = "memory over time";
const ITEMS: u32 = 2_000;

/// Connections to RabbitMQ and Redis are cut this often.
const CUT: Duration = Duration::from_secs(20);

/// A change of the shop, and a look at the memory.
const STEP: Duration = Duration::from_millis(500);

/// Items edited in each step, of which one gets another picture.
const EDITED: u32 = 5;

/// What a process may have grown by, from its second to its last third, in MB.
const GROWTH: f64 = 1.0;

pub(crate) async fn measure(report: &mut Report, minutes: u64) {
    report.part(&format!("A fleet at work for {minutes} minutes, reconnecting every {} s", CUT.as_secs()));
    let services = Services::start();
    let ways = [Proxy::to(services.broker.addr()), Proxy::to(services.redis.addr())];
    let [broker, redis] = &ways;
    let shop = Shop::new(ITEMS as usize, 20_000, Duration::ZERO).await;
    services.join(&shop, "", Some((broker.addr(), redis.addr())));
    let control = shop.odoo.control();
    let roles = ["producer", "worker", "worker"];
    let processes = roles.map(|name| role(&shop, name));
    let images = shop.images();
    until(|| {
        let counts = control.counts();
        counts.rows_created == u64::from(ITEMS) && counts.image_writes >= images
    })
    .await;
    control.reset_counts();
    let (began, mut cut, mut step) = (Instant::now(), Instant::now(), 0_u32);
    let mut seen: Vec<[f64; 3]> = Vec::new();
    while began.elapsed() < Duration::from_mins(minutes) {
        edit(&shop, step);
        step += 1;
        if cut.elapsed() >= CUT {
            cut = Instant::now();
            ways.iter().for_each(Proxy::cut);
        }
        tokio::time::sleep(STEP).await;
        seen.push([0, 1, 2].map(|at: usize| resident_mb(processes[at].id())));
    }
    let cuts = began.elapsed().as_secs() / CUT.as_secs();
    report.add(PART, "times that all connections were cut", cuts as f64, "times");
    let counts = control.counts();
    report.add(PART, "records changed", counts.rows_changed as f64, "records");
    report.add(PART, "images written", counts.image_writes as f64, "images");
    tell(report, &roles, &seen);
    // Still at work: what is edited now arrives.
    control.reset_counts();
    edit(&shop, step);
    until(|| control.counts().rows_changed >= u64::from(EDITED)).await;
}

fn edit(shop: &Shop, step: u32) {
    let store = shop.zoho.control();
    for number in 0..EDITED {
        let item = store.item_id((step * EDITED + number) % ITEMS);
        let fields = json!({ "rate": step + 1 }).as_object().unwrap().clone();
        store.apply(ZohoChange::EditItem { item, fields, touch: true }).unwrap();
    }
    let item = store.item_id(step * EDITED % ITEMS);
    let change =
        ZohoChange::ReplaceImage { item, kind: Some(ZohoImage::Jpeg), touch: true, keep_document: false };
    store.apply(change).unwrap();
}

/// The usual memory of each third, and by how much the last one is above the second.
fn tell(report: &mut Report, roles: &[&str; 3], seen: &[[f64; 3]]) {
    for (at, name) in roles.iter().enumerate() {
        let thirds: Vec<f64> = seen
            .chunks(seen.len().div_ceil(3))
            .map(|third| median(third.iter().map(|all| all[at]).collect()))
            .collect();
        let [first, second, last] = thirds.as_slice() else { panic!("too short to say") };
        let what = format!("{name} {at}");
        for (third, value) in [("first", first), ("second", second), ("last", last)] {
            report.add(PART, format!("{what}: resident, {third} third"), *value, "MB");
        }
        let most = seen.iter().map(|all| all[at]).fold(0.0, f64::max);
        report.add(PART, format!("{what}: most"), most, "MB");
        let growth = Goal::AtMost(GROWTH);
        report.aim(PART, format!("{what}: growth, second to last third"), last - second, "MB", growth);
    }
}
