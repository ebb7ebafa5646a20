//! What catalog-sync costs on this machine: `cargo run --release -p bench -- all` prints tables, and with `--docs` makes
//! docs/performance.md of them. Parts may be named; `--quick` takes a tenth of each.
//!
//! Processes of the program are this very binary (`bench program ...`), so that they are of the same build. RabbitMQ, Redis
//! and the stand-ins of Odoo and Zoho run beside it on the same cores: read ratios and CPU seconds first.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints figures for people, and stops where anything is wrong"
)]

mod arguments;
mod bare;
mod build;
mod chart;
mod crowd;
mod document;
mod fleet;
mod images;
mod json;
mod machine;
mod main_job;
mod odoo;
mod operate;
mod overhead;
mod page;
mod peer;
mod pictures;
mod process;
mod producer;
mod queue;
mod records;
mod redis;
mod report;
mod results;
mod run;
mod scaling;
mod soak;
mod sqlite;
mod start;
mod sweep;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Part};
use crate::document::Place;
use crate::report::Report;
use crate::results::Results;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let first = words.next().unwrap_or_default();
    if first == "program" {
        let words = std::iter::once("catalog-sync".into()).chain(words);
        return catalog_sync::run(&catalog_sync::Arguments::parse_from(words));
    }
    if let (true, Some(errand)) = (first == "bare", words.next()) {
        runtime().block_on(bare::run(Path::new(&errand)));
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    let chosen = arguments.chosen();
    if let (Some(file), [part]) = (&arguments.into, chosen.as_slice()) {
        let measured = run::here(*part, &arguments);
        std::fs::write(file, serde_json::to_string(&measured).unwrap()).unwrap();
        return ExitCode::SUCCESS;
    }
    for (name, value) in machine::facts() {
        println!("{name}: {value}");
    }
    let is_asked = arguments.docs || arguments.parts.contains(&Part::Docs);
    let place = arguments.out.as_deref().map(Place::folder).or(is_asked.then(Place::project));
    let mut kept = place.as_ref().map(|place| Results::load(&place.figures)).unwrap_or_default();
    let is_well = run::all(&chosen, &arguments, |measured| {
        kept.put(measured.clone());
        // After each part: what comes later may take the machine along.
        if let Some(place) = &place {
            place.write(&kept);
        }
    });
    if let Some(place) = &place {
        place.write(&kept);
        println!("written: {}", place.page.display());
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// Measures one part.
fn measure(part: Part, report: &mut Report, arguments: &Arguments) {
    let share: usize = if arguments.quick { 10 } else { 1 };
    let million = 1_000_000 / share as u64;
    let runtime = runtime();
    let (peer, python): (Option<&Path>, Option<&Path>) =
        (arguments.peer.as_deref(), arguments.python.as_deref());
    match part {
        Part::All | Part::Docs => {}
        Part::Start => runtime.block_on(start::measure(report)),
        Part::Queue => runtime.block_on(queue::measure(report, 20_000 / share)),
        Part::Overhead => runtime.block_on(overhead::measure(report, 6_000 / share, peer)),
        Part::Scaling => runtime.block_on(scaling::measure(report, 16_000 / share)),
        Part::Crowd => runtime.block_on(crowd::measure(report, 20_000 / share)),
        Part::Odoo => odoo::measure(report, &runtime),
        Part::Sweep => runtime.block_on(sweep::measure(report, 1_000 / share)),
        Part::Producer => runtime.block_on(producer::measure(report, 1_000_000 / share)),
        Part::MainJob => main_job::measure(report, &runtime, 200_000 / share),
        Part::Json => json::measure(report, million),
        Part::Sqlite => runtime.block_on(sqlite::measure(report, million)),
        Part::Redis => runtime.block_on(redis::measure(report, million)),
        Part::Page => runtime.block_on(page::measure(report, million, million / 10)),
        Part::Operate => runtime.block_on(operate::measure(report, million / 4, million / 40)),
        Part::Verify => verify::measure(report, &runtime, 100_000 / share),
        Part::Images => images::measure(report, &runtime, 10_000 / share),
        Part::Pictures => pictures::measure(report, python),
        Part::Build => build::measure(report),
        Part::Soak => runtime.block_on(soak::measure(report, arguments.minutes)),
    }
}
