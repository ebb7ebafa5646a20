//! What catalog-sync costs on this machine: `cargo run --release -p bench -- all` prints tables, and with `--out FOLDER`
//! writes them there as `bench.json` and a chart, `bench.svg`. Parts may be named; `--quick` takes a tenth of each.
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
mod queue;
mod records;
mod redis;
mod report;
mod scaling;
mod sqlite;
mod start;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::report::Report;

/// One kind of work that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Everything.
    All,
    /// Publish, consume, claim, record and ack, beside a bare loop over the same broker.
    Queue,
    /// A worker's CPU for records with images; with `--peer` beside another worker doing that work.
    Overhead,
    /// One, two and four workers on an Odoo that takes 50 ms a call.
    Scaling,
    /// Calls and bytes per 1,000 records of Zoho into Odoo.
    Odoo,
    /// Odoo into JSON files: the main job on one machine.
    MainJob,
    /// The JSON sink alone.
    Json,
    /// The state in a file.
    Sqlite,
    /// The state in Redis.
    Redis,
    /// Images from Zoho into Odoo: memory and calls.
    Images,
    /// Pictures made as large as Odoo keeps them; with `--python` beside Pillow.
    Pictures,
    /// The operator's page and /metrics over a million records and 100,000 dead letters.
    Page,
    /// What is asked on the command line over a million records and 100,000 dead letters, in a file and in Redis.
    Operate,
    /// Plan and verify of a file: memory, calls, and one changed field among all.
    Verify,
    /// Start-up times.
    Start,
}

#[derive(Debug, Parser)]
#[command(name = "bench", about)]
struct Arguments {
    /// What is measured.
    #[arg(value_enum, default_value = "all")]
    parts: Vec<Part>,
    /// A tenth of the work: for a first look.
    #[arg(long)]
    quick: bool,
    /// Where bench.json and bench.svg go.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The folder of another worker's runner, `run.sh JOBS PROCESSES`, which prints its CPU seconds per 1,000 jobs.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// A Python that has Pillow.
    #[arg(long)]
    python: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "program") {
        let arguments = std::iter::once("catalog-sync".into()).chain(arguments);
        return catalog_sync::run(&catalog_sync::Arguments::parse_from(arguments));
    }
    measure(&Arguments::parse());
    ExitCode::SUCCESS
}

fn measure(arguments: &Arguments) {
    let share = if arguments.quick { 10 } else { 1 };
    let wants = |part| arguments.parts.contains(&Part::All) || arguments.parts.contains(&part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut report = Report::new();
    if wants(Part::Start) {
        start::measure(&mut report);
    }
    if wants(Part::Queue) {
        runtime.block_on(queue::measure(&mut report, 20_000 / share));
    }
    if wants(Part::Overhead) {
        runtime.block_on(overhead::measure(&mut report, 3_000 / share, arguments.peer.as_deref()));
    }
    if wants(Part::Scaling) {
        runtime.block_on(scaling::measure(&mut report, 4_000 / share));
    }
    if wants(Part::Odoo) {
        odoo::measure(&mut report, &runtime);
    }
    if wants(Part::MainJob) {
        main_job::measure(&mut report, &runtime, 200_000 / share);
    }
    if wants(Part::Json) {
        json::measure(&mut report, 1_000_000 / share as u64);
    }
    if wants(Part::Sqlite) {
        runtime.block_on(sqlite::measure(&mut report, 1_000_000 / share as u64));
    }
    if wants(Part::Page) {
        let (records, letters) = (1_000_000 / share as u64, 100_000 / share as u64);
        runtime.block_on(page::measure(&mut report, records, letters));
    }
    if wants(Part::Redis) {
        runtime.block_on(redis::measure(&mut report, 1_000_000 / share as u64));
    }
    if wants(Part::Operate) {
        let (records, letters) = (1_000_000 / share as u64, 100_000 / share as u64);
        runtime.block_on(operate::measure(&mut report, records, letters));
    }
    if wants(Part::Verify) {
        verify::measure(&mut report, &runtime, 100_000 / share);
    }
    if wants(Part::Images) {
        images::measure(&mut report, &runtime, 10_000 / share);
    }
    if wants(Part::Pictures) {
        pictures::measure(&mut report, arguments.python.as_deref());
    }
    report.end(arguments.out.as_deref());
}
