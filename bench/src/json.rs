//! The JSON sink alone: how long it takes, how much it writes and how much memory it needs, with records of 1 kB. The folder
//! is that of `TMPDIR`.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use shared::record::{RecordKey, Values};
use worker::sink::json::{Found, JsonRow, JsonSettings, JsonSink, count_records};

use crate::process::{peak_mib, reset_peak};
use crate::report::Report;
use crate::results::Goal;

const PART: &str = "JSON sink";
const BATCH: usize = 500;

pub(crate) fn measure(report: &mut Report, records: u64) {
    report.part(&format!("JSON sink, {records} records of 1 kB"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odoo_products.json");
    let ascending = 1..=records;
    let one_percent = (1..=records).step_by(100);
    run(report, &path, records, "first load", |sink| upsert(sink, ascending.clone(), 0));
    run(report, &path, records / 100, "1 % changed", |sink| upsert(sink, one_percent, 1));
    run(report, &path, records, "all again, 99 % unchanged", |sink| upsert(sink, ascending, 0));

    // The order is what counts here: fewer of them tell as much.
    let records = records / 5;
    report.part(&format!("JSON sink, {records} records of 1 kB that are not ours or in no order"));
    let step = 7919;
    let scattered = (0..records).map(|n| n.wrapping_mul(step) % records + 1);
    let other = folder.path().join("scattered.json");
    run(report, &other, records, "first load, ids in any order", |sink| upsert(sink, scattered, 0));

    // Our own form indented, by hand: what `json.dump(indent=2)` leaves.
    let foreign = folder.path().join("foreign.json");
    let text = std::fs::File::open(&other).unwrap();
    let mut out = BufWriter::new(std::fs::File::create(&foreign).unwrap());
    for line in BufReader::new(text).lines() {
        writeln!(out, "{}", line.unwrap().replace("\",\"", "\",\n    \"")).unwrap();
    }
    out.into_inner().unwrap();
    run(report, &foreign, records, "take-over of a foreign file", |_| {});
    let began = Instant::now();
    assert_eq!(count_records(&foreign).unwrap(), records);
    report.add(PART, "count the records of a file", began.elapsed().as_secs_f64(), "s");
}

fn run(report: &mut Report, path: &Path, records: u64, step: &str, work: impl FnOnce(&mut JsonSink)) {
    reset_peak();
    let began = Instant::now();
    let (mut sink, found) = JsonSink::open(JsonSettings::new(path)).unwrap();
    assert!(!matches!(found, Found::SetAside { .. }), "{found:?}");
    work(&mut sink);
    sink.flush().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let size = std::fs::metadata(path).unwrap().len();
    report.add(PART, format!("{step}: records"), records as f64 / seconds, "per s");
    let written = sink.bytes_written() as f64 / size as f64;
    match step {
        "first load" => report.aim(PART, "first load: written", written, "x the file", Goal::AtMost(3.0)),
        "1 % changed" => report.aim(PART, "1 % changed: written", written, "x the file", Goal::AtMost(1.1)),
        _ => report.add(PART, format!("{step}: written"), written, "x the file"),
    }
    report.add(PART, format!("{step}: memory"), peak_mib(std::process::id()), "MiB");
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
