//! Images from Zoho to Odoo on one machine: peak memory of the program's own process with the largest images that Zoho takes,
//! and the calls that many small ones cost.

use std::time::Duration;

use sandbox::{ZohoChange, ZohoImage};

use crate::fleet::Shop;
use crate::process::{Measured, measure as run};
use crate::report::Report;
use crate::results::Goal;

const PART: &str = "images";
/// What the program may have in use.
const PEAK_MIB: f64 = 256.0;

pub(crate) fn measure(report: &mut Report, runtime: &tokio::runtime::Runtime, items: usize) {
    report.part("Images, Zoho to Odoo on one machine");
    let large = runtime.block_on(Shop::new(16, 60_000, Duration::ZERO));
    for number in 0..16 {
        let change = ZohoChange::ReplaceImage {
            item: large.zoho.control().item_id(number),
            kind: Some(ZohoImage::Large),
            touch: false,
            keep_document: false,
        };
        large.zoho.control().apply(change).unwrap();
    }
    rows(report, "16 items, images of 7 MB", &large);
    drop(large);
    let small = runtime.block_on(Shop::new(items, 2_000, Duration::ZERO));
    rows(report, &format!("{items} items, images of 2 kB"), &small);
}

/// Two syncs: the first brings each image with one call, the second asks whether anything changed.
fn rows(report: &mut Report, title: &str, shop: &Shop) {
    let images = shop.images();
    for (what, expected) in [("first", images), ("nothing changed", 0)] {
        shop.zoho.control().reset_counts();
        shop.odoo.control().reset_counts();
        let Measured { seconds, cpu_seconds, peak_mib, report: said } =
            run(&mut shop.command(&["sync", "--json"]));
        let zoho = shop.zoho.control().counts();
        let written = shop.odoo.control().counts().image_writes;
        let what = format!("{title}, {what}");
        report.add(PART, format!("{what}: time"), seconds, "s");
        report.add(PART, format!("{what}: CPU"), cpu_seconds, "s");
        report.aim(PART, format!("{what}: memory"), peak_mib, "MiB", Goal::AtMost(PEAK_MIB));
        report.add(PART, format!("{what}: list calls"), zoho.list as f64, "calls");
        report.add(PART, format!("{what}: image calls, as many written"), zoho.image as f64, "calls");
        assert_eq!((zoho.image, written), (expected, expected));
        assert!(zoho.images_served.values().all(|times| *times == 1));
        assert_eq!(said["pipelines"][0]["images"]["applied"].as_u64(), Some(images));
    }
}
