//! More workers on an Odoo that takes 50 ms for every call and works on as many as come: how much of the time of one they need.

use std::time::Duration;

use crate::fleet::{Services, Shop, role, until};
use crate::machine::CoreTime;
use crate::process::Role;
use crate::report::Report;
use crate::results::Goal;

const PART: &str = "scaling";
const CALL: Duration = Duration::from_millis(50);

/// What of the ideal is aimed at, until the wall.
const LINEAR: f64 = 0.9;

/// The machine's cores are the wall where broker, Redis, stand-in and workers together use so much of them.
const WALL: f64 = 0.9;

pub(crate) async fn measure(report: &mut Report, items: usize) {
    report.part(&format!("Scaling: {items} new records, Odoo takes 50 ms a call"));
    let services = Services::start();
    let mut one = None;
    for count in [1, 2, 4, 8, 16] {
        let shop = Shop::new(items, 0, CALL).await;
        drop(services.enqueue(&shop, items).await);
        let workers: Vec<Role> = (0..count).map(|_| role(&shop, "worker")).collect();
        let control = shop.odoo.control();
        // From the first record on: processes start as long as they like.
        until(|| control.counts().rows_created > 0).await;
        let before = control.counts().rows_created;
        let cores = CoreTime::now();
        let took = until(|| control.counts().rows_created == items as u64).await.as_secs_f64();
        let used = cores.used_since();
        drop(workers);
        let rate = (items as u64 - before) as f64 / took;
        match one {
            None => {
                report.add(PART, "1 worker", rate, "records/s");
                one = Some(rate);
            }
            Some(one) => {
                let linear = one * f64::from(count);
                let (rate, linear) = ((rate, "records/s"), ("as many times one", linear));
                if used < WALL {
                    let goal = Goal::AtLeast(LINEAR);
                    report.aim_beside(PART, format!("{count} workers"), rate, linear, goal);
                } else {
                    let what = format!("{count} workers, at the wall: no core is free");
                    report.beside(PART, what, rate.0, rate.1, linear);
                }
            }
        }
        report.add(PART, format!("cores in use by all, {count} at work"), used * 100.0, "% of them");
    }
}
