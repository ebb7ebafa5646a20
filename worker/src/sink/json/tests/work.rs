//! What is written, and how much of it.

use super::*;
use shared::failure::{Class, Reason};

#[test]
fn an_empty_file_is_an_empty_list() {
    for (format, text) in [(JsonFormat::Array, "[\n]\n"), (JsonFormat::Lines, "")] {
        let site = Site::new(format);
        let (mut sink, _) = site.open();
        assert!(sink.flush().unwrap().changed);
        assert_eq!(site.text(), text);
        assert!(!sink.flush().unwrap().changed);
    }
}

#[test]
fn the_file_is_sorted_by_number_one_record_a_line() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(10, 1), (9, 1), (100, 1)]);
    sink.flush().unwrap();
    upsert(&mut sink, &[(9, 2), (11, 1)]);
    sink.flush().unwrap();
    assert_eq!(
        site.text(),
        concat!(
            "[\n",
            "{\"id\":9,\"name\":\"número \\\"2\\\"\",\"list_price\":2.50,\"parent_id\":null},\n",
            "{\"id\":10,\"name\":\"número \\\"1\\\"\",\"list_price\":1.50,\"parent_id\":null},\n",
            "{\"id\":11,\"name\":\"número \\\"1\\\"\",\"list_price\":1.50,\"parent_id\":null},\n",
            "{\"id\":100,\"name\":\"número \\\"1\\\"\",\"list_price\":1.50,\"parent_id\":null}\n",
            "]\n"
        )
    );
}

#[test]
fn a_row_without_a_usable_id_fails_alone() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    let keys: Vec<RecordKey> = [1_u64, 2, 3].map(RecordKey::from).to_vec();
    let rows: Vec<Values> = [r#"{"id":1}"#, r#"{"name":"x"}"#, r#"{"id":"3"}"#]
        .map(|text| serde_json::from_str(text).unwrap())
        .to_vec();
    let rows: Vec<JsonRow<'_>> =
        keys.iter().zip(&rows).map(|(key, values)| JsonRow { key, values }).collect();
    let outcomes = sink.upsert(&rows).unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap(), &Outcome::Created);
    let failure = outcomes[1].as_ref().unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
    assert_eq!(outcomes[2].as_ref().unwrap(), &Outcome::Created);
    sink.flush().unwrap();
    assert_eq!(site.text(), "[\n{\"id\":1},\n{\"id\":\"3\"}\n]\n");
}

#[test]
fn unchanged_rows_write_nothing() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    let rows: Vec<Row> = (0..50).map(|id| (id, 1)).collect();
    upsert(&mut sink, &rows);
    sink.flush().unwrap();
    drop(sink);
    let before = std::fs::metadata(site.visible()).unwrap().modified().unwrap();
    let (mut sink, found) = site.open();
    assert_eq!(found, Found::Ours);
    assert!(upsert(&mut sink, &rows).iter().all(|outcome| *outcome == Outcome::Unchanged));
    sink.flush().unwrap();
    assert_eq!(sink.bytes_written(), 0);
    assert_eq!(std::fs::metadata(site.visible()).unwrap().modified().unwrap(), before);
}

#[test]
fn bytes_written_are_linear() {
    let site = Site::new(JsonFormat::Array);
    let row = |id: u64, letter: &str| -> (RecordKey, Values) {
        let text = format!(r#"{{"id":{id},"comment":"{}"}}"#, letter.repeat(1000));
        (id.into(), serde_json::from_str(&text).unwrap())
    };
    let write = |sink: &mut JsonSink, rows: &[(RecordKey, Values)]| {
        // Large batches: the number of segments, tiny in tests, must not force a merge.
        for batch in rows.chunks(500) {
            let batch: Vec<_> = batch.iter().map(|(key, values)| JsonRow { key, values }).collect();
            sink.upsert(&batch).unwrap();
        }
    };
    let (mut sink, _) = site.open();
    write(&mut sink, &(0..2000).map(|id| row(id, "a")).collect::<Vec<_>>());
    sink.flush().unwrap();
    let size = std::fs::metadata(site.visible()).unwrap().len();
    let loaded = sink.bytes_written();
    assert!(loaded < size * 3, "{loaded} for {size}");
    write(&mut sink, &(0..20).map(|id| row(id * 100, "b")).collect::<Vec<_>>());
    sink.flush().unwrap();
    let updated = sink.bytes_written() - loaded;
    assert!(updated < size * 11 / 10, "{updated} for {size}");
}

#[test]
fn a_journal_that_outgrows_the_file_is_merged_in_mid_run() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = JsonSink::open(JsonSettings { merge_after_bytes: 500, ..site.settings() }).unwrap();
    for id in 0..20 {
        upsert(&mut sink, &[(id, 1)]);
    }
    let merged = super::super::count_records(&site.visible()).unwrap();
    assert!((5..20).contains(&merged), "{merged}");
    assert_eq!(sink.records(), 20);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_are_kept() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let site = Site::new(JsonFormat::Array);
    let real = site.folder.path().join("real.json");
    std::fs::write(&real, "[]").unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    let inode = std::fs::metadata(&real).unwrap().ino();
    symlink("real.json", site.visible()).unwrap();
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(1, 1)]);
    sink.flush().unwrap();
    assert!(site.visible().is_symlink());
    assert_eq!(site.text(), expected_text(&[(1, 1)].into(), JsonFormat::Array));
    let about = std::fs::metadata(&real).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o640);
    assert_ne!(about.ino(), inode, "replaced, not rewritten in place");
}
