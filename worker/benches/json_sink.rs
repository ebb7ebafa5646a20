//! How long the JSON sink takes, how much it writes and how much memory it needs: `cargo bench -p worker`. The sizes
//! may be given: `cargo bench -p worker -- 20000`. The folder is that of `TMPDIR`.
#![expect(clippy::print_stdout, reason = "a table is what it is for")]
#![expect(clippy::unwrap_used, reason = "a failure ends the measurement")]

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use shared::record::{RecordKey, Values};
use worker::sink::json::{Found, JsonRow, JsonSettings, JsonSink, count_records};

const BATCH: usize = 500;

fn main() {
    let mut sizes: Vec<u64> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    if sizes.is_empty() {
        // `cargo test --all-targets` runs this too, without `--bench`.
        let measured = std::env::args().any(|argument| argument == "--bench");
        sizes = if measured { vec![20_000, 200_000, 1_000_000] } else { vec![1_000] };
    }
    println!("| records | step | seconds | records/s | written MB | written / file | peak MiB |");
    println!("|--:|---|--:|--:|--:|--:|--:|");
    for size in sizes {
        measure(size);
    }
}

fn measure(records: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odoo_products.json");
    let ascending = 1..=records;
    let one_percent = (1..=records).step_by(100);
    run(&path, records, "first load", |sink| {
        upsert(sink, ascending.clone(), 0);
    });
    run(&path, records, "1 % changed", |sink| upsert(sink, one_percent, 1));
    run(&path, records, "nothing changed", |sink| {
        upsert(sink, ascending.clone().skip(1).step_by(100), 0);
    });
    run(&path, records, "all again, unchanged but 1 %", |sink| {
        upsert(sink, ascending, 0);
    });

    let step = 7919;
    let scattered = (0..records).map(|n| n.wrapping_mul(step) % records + 1);
    let other = folder.path().join("scattered.json");
    run(&other, records, "first load, scattered ids", |sink| {
        upsert(sink, scattered, 0);
    });

    // Our own form indented, by hand: what `json.dump(indent=2)` leaves.
    let foreign = folder.path().join("foreign.json");
    let text = std::fs::File::open(&other).unwrap();
    let mut out = BufWriter::new(std::fs::File::create(&foreign).unwrap());
    for line in std::io::BufRead::lines(std::io::BufReader::new(text)) {
        writeln!(out, "{}", line.unwrap().replace("\",\"", "\",\n    \"")).unwrap();
    }
    out.into_inner().unwrap();
    run(&foreign, records, "take-over of a foreign file", |_| {});
    let start = Instant::now();
    assert_eq!(count_records(&foreign).unwrap(), records);
    row(records, "count", start, 0, 1);
}

fn run(path: &Path, records: u64, step: &str, work: impl FnOnce(&mut JsonSink)) {
    reset_peak();
    let start = Instant::now();
    let (mut sink, found) = JsonSink::open(JsonSettings::new(path)).unwrap();
    assert!(!matches!(found, Found::SetAside { .. }), "{found:?}");
    work(&mut sink);
    assert_eq!(sink.flush().unwrap().records_total, records);
    let size = std::fs::metadata(path).unwrap().len();
    row(records, step, start, sink.bytes_written(), size);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn row(records: u64, step: &str, start: Instant, written: u64, size: u64) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "| {records} | {step} | {seconds:.2} | {:.0} | {:.1} | {:.2} | {:.1} |",
        records as f64 / seconds,
        written as f64 / 1e6,
        written as f64 / size as f64,
        peak_kib() as f64 / 1024.0,
    );
}

fn upsert(sink: &mut JsonSink, ids: impl Iterator<Item = u64>, salt: u64) {
    let mut ids = ids.peekable();
    while ids.peek().is_some() {
        let batch: Vec<(RecordKey, Values)> =
            ids.by_ref().take(BATCH).map(|id| (id.into(), values(id, salt))).collect();
        let rows: Vec<JsonRow<'_>> = batch.iter().map(|(key, values)| JsonRow { key, values }).collect();
        for outcome in sink.upsert(&rows).unwrap() {
            outcome.unwrap();
        }
    }
}

/// A record of about 1 kB.
fn values(id: u64, salt: u64) -> Values {
    let text = |field: &str| format!("{field} of record {id}, {}", "lorem ipsum dolor ".repeat(4));
    let mut values = Values::new();
    values.insert("id".to_owned(), id.into());
    for field in ["name", "street", "street2", "city", "email", "phone", "vat", "ref", "comment"] {
        values.insert(field.to_owned(), text(field).into());
    }
    values.insert("salt".to_owned(), salt.into());
    values
}

/// The highest resident memory since `reset_peak`; 0 where the system does not tell.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn reset_peak() {
    // Where that is not possible the peak is that of all steps so far.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}
