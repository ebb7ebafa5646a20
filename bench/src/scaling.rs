//! More workers on an Odoo that takes 50 ms for every call: how much of the time of one they need.

use std::time::Duration;

use crate::fleet::{Services, Shop, role, until};
use crate::process::Role;
use crate::report::Report;

const PART: &str = "scaling";
const CALL: Duration = Duration::from_millis(50);

pub(crate) async fn measure(report: &mut Report, items: usize) {
    Report::part("Scaling: Odoo takes 50 ms a call");
    let services = Services::start();
    let mut one = None;
    for count in [1, 2, 4] {
        let shop = Shop::new(items, 0, CALL).await;
        services.enqueue(&shop, items).await;
        let workers: Vec<Role> = (0..count).map(|_| role(&shop, "worker")).collect();
        let control = shop.odoo.control();
        // From the first record on: processes start as long as they like.
        until(|| control.counts().rows_created > 0).await;
        let took = until(|| control.counts().rows_created == items as u64).await.as_secs_f64();
        drop(workers);
        let what = format!("{items} records, {count} workers");
        let one = *one.get_or_insert(took);
        report.beside(PART, what, took, "s", ("one worker", one));
    }
}
