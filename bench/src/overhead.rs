//! A worker's own cost: items of Zoho with an image of 60 kB each into Odoo, jobs waiting in RabbitMQ, state in Redis. Where a
//! runner of another worker is named, it does its work of the same kind on this machine right after. Beside both stands the least
//! that any worker on these libraries costs ([`bare`]).

use std::path::Path;

use crate::bare;
use crate::fleet::{Services, Shop, role, until};
use crate::peer;
use crate::process::{cpu_seconds, peak_mib};
use crate::report::Report;
use crate::results::Goal;

const PART: &str = "worker overhead";
const CPU: &str = "CPU";
const UNIT: &str = "s per 1,000 records with image";
const LEAST: &str = "a bare loop";
const LEAST_CPU: &str = "a bare loop: CPU";

/// What of the other worker's CPU is aimed at.
const SHARE: f64 = 0.1;

pub(crate) async fn measure(report: &mut Report, items: usize, peer: Option<&Path>) {
    report.part("Worker overhead: records with an image of 60 kB, Zoho to Odoo");
    let services = Services::start();
    // Its server keeps connections and leaves the cores to the worker, as the other worker's does.
    let shop = Shop::with_plain_odoo(items, 60_000).await;
    let images = shop.images();
    // The backlog of a first load's images stays in the state: the producer publishes it bit by bit, and its cost is not ours.
    let producer = services.enqueue(&shop, items).await;
    let control = shop.odoo.control();
    let worker = role(&shop, "worker");
    let took = until(|| {
        let counts = control.counts();
        counts.rows_created == items as u64 && counts.image_writes >= images
    })
    .await;
    let (cpu, peak) = (cpu_seconds(worker.id()), peak_mib(worker.id()));
    drop((worker, producer));
    let least = bare::measure(&services, &shop).await;
    let images = images as f64;
    report.add(PART, "records, of which with an image", items as f64, "records");
    report.add(PART, "images fetched, compared and written", images, "images");
    let (rate, cost) = (images / took.as_secs_f64(), cpu * 1_000.0 / images);
    let least_cost = least.cpu_seconds * 1_000.0 / images;
    let figures =
        [("records with image", rate, "per s"), (CPU, cost, UNIT), ("largest process", peak, "MiB")];
    let theirs = peer.map(|folder| peer::run(folder, &services.broker, items));
    for ((what, value, unit), at) in figures.into_iter().zip(0..) {
        match &theirs {
            Some(theirs) if what == CPU => {
                let other = (peer::NAME, theirs[at]);
                report.aim_beside(PART, what, (value, unit), other, Goal::AtMost(SHARE));
            }
            Some(theirs) => report.beside(PART, what, value, unit, (peer::NAME, theirs[at])),
            None => report.add(PART, what, value, unit),
        }
    }
    let least_rate = images / least.seconds;
    report.beside(PART, "CPU, beside the least", cost, UNIT, (LEAST, least_cost));
    match &theirs {
        Some(theirs) => report.beside(PART, LEAST_CPU, least_cost, UNIT, (peer::NAME, theirs[1])),
        None => report.add(PART, LEAST_CPU, least_cost, UNIT),
    }
    report.add(PART, "a bare loop: records with image", least_rate, "per s");
    report.add(PART, "a bare loop: largest process", least.peak_mib, "MiB");
}
