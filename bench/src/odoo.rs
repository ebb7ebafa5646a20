//! What Odoo is asked for: calls and bytes per 1,000 records of Zoho that are new, changed, and the same.

use std::time::Duration;

use sandbox::ZohoChange;
use serde_json::json;

use crate::fleet::Shop;
use crate::process::{Measured, measure as run};
use crate::report::Report;

const PART: &str = "Odoo upserts";
const ITEMS: u32 = 1_000;

pub(crate) fn measure(report: &mut Report, runtime: &tokio::runtime::Runtime) {
    report.part("Odoo: per 1,000 records of Zoho");
    let shop = runtime.block_on(Shop::new(ITEMS as usize, 0, Duration::ZERO));
    row(report, &shop, "new", &["sync", "--json"], u64::from(ITEMS));
    let store = shop.zoho.control();
    store.advance_clock(Duration::from_secs(5));
    for number in 0..ITEMS {
        let fields = json!({ "rate": 1_000 + number });
        let fields = fields.as_object().unwrap().clone();
        store.apply(ZohoChange::EditItem { item: store.item_id(number), fields, touch: true }).unwrap();
    }
    row(report, &shop, "changed in one column, each to another value", &["sync", "--json"], u64::from(ITEMS));
    row(report, &shop, "compared with Odoo (--full), all equal", &["sync", "--full", "--json"], 0);
    row(report, &shop, "nothing changed", &["sync", "--json"], 0);
}

fn row(report: &mut Report, shop: &Shop, what: &str, arguments: &[&str], written: u64) {
    let control = shop.odoo.control();
    control.reset_counts();
    let Measured { cpu_seconds, .. } = run(&mut shop.command(arguments));
    let counts = control.counts();
    // New ones may be archived right after.
    assert!((written..=written * 2).contains(&(counts.rows_created + counts.rows_changed)), "{what}");
    report.add(PART, format!("{what}: calls"), counts.model_calls as f64, "calls");
    report.add(PART, format!("{what}: sent"), counts.bytes_in as f64 / 1_000.0, "kB");
    report.add(PART, format!("{what}: received"), counts.bytes_out as f64 / 1_000.0, "kB");
    report.add(PART, format!("{what}: CPU of the whole sync"), cpu_seconds, "s");
}
