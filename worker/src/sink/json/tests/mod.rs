//! The sink as a whole, on real files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shared::config::Gone;
use shared::record::{Outcome, RecordKey, Values};

use super::{Found, JsonFormat, JsonRow, JsonSettings, JsonSink};

mod crash;
mod faults;
mod model;
mod strangers;
mod work;

/// Id and a number that stands for the content.
type Row = (u64, u32);
type Model = BTreeMap<u64, u32>;

/// Added to the content of a record that is marked as deleted.
const MARKED: u32 = 1_000;

fn values((id, content): Row) -> Values {
    let (content, mark) =
        if content < MARKED { (content, "") } else { (content - MARKED, r#","_deleted":true"#) };
    let text = format!(
        r#"{{"id":{id},"name":"número \"{content}\"","list_price":{content}.50,"parent_id":null{mark}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn expected_text(model: &Model, format: JsonFormat) -> String {
    let records: Vec<String> =
        model.iter().map(|(id, content)| serde_json::to_string(&values((*id, *content))).unwrap()).collect();
    match format {
        JsonFormat::Lines if records.is_empty() => String::new(),
        JsonFormat::Lines => records.join("\n") + "\n",
        JsonFormat::Array if records.is_empty() => "[\n]\n".to_owned(),
        JsonFormat::Array => format!("[\n{}\n]\n", records.join(",\n")),
    }
}

/// A folder with one sink's files; copied, it is what a crash at this moment leaves.
struct Site {
    folder: tempfile::TempDir,
    format: JsonFormat,
}

impl Site {
    fn new(format: JsonFormat) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), format }
    }

    fn holding(text: &str) -> Self {
        let site = Self::new(JsonFormat::Array);
        std::fs::write(site.visible(), text).unwrap();
        site
    }

    fn visible(&self) -> PathBuf {
        self.folder.path().join("odoo_customers.json")
    }

    fn sidecar(&self) -> PathBuf {
        self.folder.path().join(".odoo_customers.json.sync")
    }

    fn settings(&self) -> JsonSettings {
        JsonSettings { format: self.format, ..JsonSettings::new(self.visible()) }
    }

    fn open(&self) -> (JsonSink, Found) {
        JsonSink::open(self.settings()).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.visible()).unwrap()
    }

    fn crash(&self) -> Self {
        let copy = Self::new(self.format);
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    /// What a reader sees after the next start and flush.
    fn settle(&self) -> String {
        let (mut sink, _) = self.open();
        let records = sink.flush().unwrap().records_total;
        assert_eq!(super::count_records(&self.visible()).unwrap(), records);
        drop(sink);
        let names: Vec<_> = super::place::names(&self.sidecar());
        let leftovers = names.iter().filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("journal-") || name.starts_with("import-") || name.ends_with(".new")
        });
        assert_eq!(leftovers.count(), 0, "{names:?}");
        self.text()
    }
}

/// Copies files with their times.
fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
            let time = entry.metadata().unwrap().modified().unwrap();
            let copy = std::fs::File::options().write(true).open(&target).unwrap();
            copy.set_modified(time).unwrap();
        }
    }
}

fn try_upsert(sink: &mut JsonSink, rows: &[Row]) -> Result<Vec<Outcome>, shared::failure::Failure> {
    let owned: Vec<(RecordKey, Values)> = rows.iter().map(|row| (row.0.into(), values(*row))).collect();
    let rows: Vec<JsonRow<'_>> = owned.iter().map(|(key, values)| JsonRow { key, values }).collect();
    Ok(sink.upsert(&rows)?.into_iter().map(Result::unwrap).collect())
}

fn upsert(sink: &mut JsonSink, rows: &[Row]) -> Vec<Outcome> {
    try_upsert(sink, rows).unwrap()
}

/// Whether something was done about each.
fn gone(sink: &mut JsonSink, ids: &[u64], how: Gone) -> Vec<bool> {
    let keys: Vec<RecordKey> = ids.iter().map(|id| (*id).into()).collect();
    let outcomes = sink.gone(&keys.iter().collect::<Vec<_>>(), how).unwrap();
    outcomes.into_iter().map(|outcome| outcome == Outcome::Gone).collect()
}

fn expected_outcomes(model: &mut Model, rows: &[Row]) -> Vec<Outcome> {
    rows.iter()
        .map(|(id, content)| match model.insert(*id, *content) {
            None => Outcome::Created,
            Some(old) if old == *content => Outcome::Unchanged,
            Some(_) => Outcome::Updated,
        })
        .collect()
}
