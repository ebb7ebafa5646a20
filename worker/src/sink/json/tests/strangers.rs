//! Files that somebody else wrote, edited, broke or removed.

use super::super::count_records;
use super::*;
use shared::failure::Reason;

fn taken_over(text: &str, format: JsonFormat) -> (Found, String) {
    let site = Site { format, ..Site::holding(text) };
    let (sink, found) = site.open();
    drop(sink);
    let (sink, again) = site.open();
    assert_eq!(again, Found::Ours);
    drop(sink);
    (found, site.text())
}

#[test]
fn every_known_form_is_taken_over() {
    let sorted = "[\n{\"id\": 1, \"n\": 1.0},\n{\"id\":\"2\",\"t\":\"\\u00e9\"}\n]\n";
    for text in [
        r#"[{"id": 1, "n": 1.0},{"id":"2","t":"\u00e9"}]"#,
        "\u{feff}  [ {\"id\":\"2\",\"t\":\"\\u00e9\"} ,\n\n {\"id\": 1, \"n\": 1.0}]\n\n",
        r#"[{"id":2,"old":true},{"id": 1, "n": 1.0},{"id":"2","t":"\u00e9"}]"#,
        r#"{"count": 2, "more": {"a": [1]}, "records": [{"id": 1, "n": 1.0},{"id":"2","t":"\u00e9"}], "x": "y", "z": null, "b": false}"#,
        "{\"id\":\"2\",\"t\":\"\\u00e9\"}\r\n\n{\"id\": 1, \"n\": 1.0}",
    ] {
        let (found, written) = taken_over(text, JsonFormat::Array);
        assert_eq!(found, Found::TakenOver { records: 2 }, "{text}");
        assert_eq!(written, sorted, "{text}");
        let site = Site::holding(text);
        assert!(count_records(&site.visible()).unwrap() >= 2, "{text}");
    }
    let (found, written) = taken_over("{\"id\":2,\"tags\":[1,2]}\n{\"id\":1}\n", JsonFormat::Lines);
    assert_eq!(found, Found::TakenOver { records: 2 });
    assert_eq!(written, "{\"id\":1}\n{\"id\":2,\"tags\":[1,2]}\n");
    for empty in ["", " \n", "[]", "\u{feff}", "{\"records\":[]}"] {
        let (found, written) = taken_over(empty, JsonFormat::Array);
        assert_eq!(found, Found::TakenOver { records: 0 }, "{empty:?}");
        assert_eq!(written, "[\n]\n");
    }
}

#[test]
fn a_pretty_printed_file_of_many_records_is_taken_over() {
    let model: Model = (0..100).map(|id| (id, 3)).collect();
    let records: Vec<Values> = model.iter().rev().map(|(id, n)| values((*id, *n))).collect();
    let (found, written) = taken_over(&serde_json::to_string_pretty(&records).unwrap(), JsonFormat::Array);
    assert_eq!(found, Found::TakenOver { records: 100 });
    assert_eq!(written, expected_text(&model, JsonFormat::Array));
}

#[test]
fn records_that_are_not_sent_stay_byte_for_byte() {
    let site = Site::holding(r#"[{ "id" : 1, "x":1.500 },{"id":2}]"#);
    let (mut sink, _) = site.open();
    assert_eq!(upsert(&mut sink, &[(2, 1)]), [Outcome::Updated]);
    sink.flush().unwrap();
    let second = serde_json::to_string(&values((2, 1))).unwrap();
    assert_eq!(site.text(), format!("[\n{{ \"id\" : 1, \"x\":1.500 }},\n{second}\n]\n"));
}

#[test]
fn a_broken_file_is_set_aside_with_the_place_of_the_fault() {
    let long = format!(r#"[{{"id":1}},{{"id":2,"t":"{}"}}]"#, "x".repeat(500_000));
    for (text, place) in [
        ("[{\"id\":1},\n{\"id\":2]", "line 2 column"),
        ("[{\"id\":1},\n{\"name\":\"x\"}]", "line 2 column"),
        ("[{\"id\":1},\n{\"id\":-2}]", "line 2 column"),
        ("[{\"id\":1},\n{\"id\":2}", "line 2 column"),
        ("[{\"id\":1},\n7]", "line 2 column"),
        ("[{\"id\":1}]\n[{\"id\":1}]", "line 2 column"),
        ("{\"id\":1}\n{\"id\":}", "line 2, column 7"),
        ("{\"id\":1}\n{\"nr\":1}", "line 2, column 1"),
        ("{\"a\":[],\"b\":[]}", "line 1, column 1"),
        ("{\"a\":[{\"id\":1}", "line 1 column"),
        ("\"text\"", "line 1 column"),
        ("PK\u{3}\u{4}", "line 1 column"),
        (&long, "record 2 is longer"),
    ] {
        check_set_aside(text.as_bytes(), place);
    }
    check_set_aside(b"[{\"id\":1},\n{\"id\":2,\"t\":\"\xe9\"}]", "line 2 column");
    check_set_aside(b"{\"id\":1}\n{\"id\":2,\"t\":\"\xe9\"}", "line 2, column 14");
}

fn check_set_aside(text: &[u8], place: &str) {
    let shown = String::from_utf8_lossy(text.get(..40).unwrap_or(text)).into_owned();
    let site = Site::new(JsonFormat::Array);
    std::fs::write(site.visible(), text).unwrap();
    // Counting does not look at ids.
    if let Err(failure) = count_records(&site.visible()) {
        assert!(failure.what().contains(place), "{shown}: {failure}");
    }
    let (mut sink, found) = site.open();
    let Found::SetAside { to, why } = found else {
        panic!("{shown}: {found:?}");
    };
    assert!(why.contains(place), "{shown}: {why}");
    assert_eq!(std::fs::read(&to).unwrap(), text);
    let name = to.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("odoo_customers.json.broken-20"), "{name}");
    assert_eq!(sink.records(), 0);
    upsert(&mut sink, &[(1, 1)]);
    drop(sink);
    assert_eq!(site.settle(), expected_text(&[(1, 1)].into(), JsonFormat::Array));
}

fn with_three_records() -> (Site, String) {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(1, 1), (2, 1), (3, 1)]);
    sink.flush().unwrap();
    (site, sink.identity().to_owned())
}

#[test]
fn a_file_edited_by_hand_is_kept_under_a_new_identity() {
    let (site, identity) = with_three_records();
    let edited = site.text().replace("\"número \\\"1\\\"\"", "\"by hand\"");
    std::fs::write(site.visible(), &edited).unwrap();
    let (sink, found) = site.open();
    assert_eq!(found, Found::TakenOver { records: 3 });
    assert_ne!(sink.identity(), identity);
    assert_eq!(site.text(), edited);
}

#[test]
fn what_was_acknowledged_before_an_edit_is_newer_than_the_edit() {
    let (site, _) = with_three_records();
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(2, 9), (4, 9)]);
    drop(sink);
    std::fs::write(site.visible(), r#"[{"id":1,"hand":1},{"id":2,"hand":1}]"#).unwrap();
    let (mut sink, found) = site.open();
    assert_eq!(found, Found::TakenOver { records: 2 });
    assert_eq!(sink.records(), 3);
    assert_eq!(
        upsert(&mut sink, &[(2, 9), (4, 9), (1, 1)]),
        [Outcome::Unchanged, Outcome::Unchanged, Outcome::Updated]
    );
}

#[test]
fn a_removed_file_starts_anew() {
    let (site, identity) = with_three_records();
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(4, 1)]);
    drop(sink);
    std::fs::remove_file(site.visible()).unwrap();
    let (mut sink, found) = site.open();
    assert_eq!(found, Found::Nothing);
    assert_ne!(sink.identity(), identity);
    assert_eq!(sink.records(), 0);
    assert_eq!(upsert(&mut sink, &[(4, 1)]), [Outcome::Created]);
    let identity = sink.identity().to_owned();
    drop(sink);
    let (sink, found) = site.open();
    assert_eq!((found, sink.identity()), (Found::Ours, identity.as_str()));
}

#[test]
fn a_removed_sidecar_a_damaged_index_or_meta_and_another_format_read_the_file_again() {
    for harm in ["sidecar", "index", "meta", "format"] {
        let (mut site, identity) = with_three_records();
        match harm {
            "sidecar" => std::fs::remove_dir_all(site.sidecar()).unwrap(),
            "index" => std::fs::write(site.sidecar().join("index-1"), "x").unwrap(),
            "meta" => std::fs::write(site.sidecar().join("meta.json"), "x").unwrap(),
            _ => site.format = JsonFormat::Lines,
        }
        let (sink, found) = site.open();
        assert_eq!(found, Found::TakenOver { records: 3 }, "{harm}");
        assert_ne!(sink.identity(), identity, "{harm}");
        drop(sink);
        let model = [(1, 1), (2, 1), (3, 1)].into();
        assert_eq!(site.settle(), expected_text(&model, site.format), "{harm}");
    }
}

#[test]
fn an_edit_or_a_removal_during_a_run_is_noticed_by_the_flush() {
    let hand = r#"{"id":1,"hand":1}"#;
    let third = serde_json::to_string(&values((3, 5))).unwrap();
    for (change, expected) in [
        (Some(format!("[{hand}]")), format!("[\n{hand},\n{third}\n]\n")),
        (Some("[{".to_owned()), format!("[\n{third}\n]\n")),
        (None, format!("[\n{third}\n]\n")),
    ] {
        let (site, identity) = with_three_records();
        let (mut sink, _) = site.open();
        upsert(&mut sink, &[(3, 5)]);
        match &change {
            Some(text) => std::fs::write(site.visible(), text).unwrap(),
            None => std::fs::remove_file(site.visible()).unwrap(),
        }
        sink.flush().unwrap();
        assert_ne!(sink.identity(), identity, "{change:?}");
        assert_eq!(site.text(), expected, "{change:?}");
        upsert(&mut sink, &[(8, 1)]);
        drop(sink);
        assert_eq!(site.open().1, Found::Ours, "{change:?}");
    }
}

#[test]
fn a_sink_that_stays_open_notices_changes_between_runs() {
    let (site, identity) = with_three_records();
    let (mut sink, _) = site.open();
    assert_eq!((sink.refresh().unwrap(), sink.identity()), (Found::Ours, identity.as_str()));
    std::fs::write(site.visible(), "[{\"id\":5}]").unwrap();
    assert_eq!(sink.refresh().unwrap(), Found::TakenOver { records: 1 });
    assert_ne!(sink.identity(), identity);
    std::fs::write(site.visible(), "[{\"id\":5}").unwrap();
    assert!(matches!(sink.refresh().unwrap(), Found::SetAside { .. }));
    upsert(&mut sink, &[(1, 1)]);
    sink.flush().unwrap();
    let identity = sink.identity().to_owned();
    std::fs::remove_file(site.visible()).unwrap();
    assert_eq!(sink.refresh().unwrap(), Found::Nothing);
    assert_ne!(sink.identity(), identity);
    assert_eq!(sink.refresh().unwrap(), Found::Ours, "nothing was written since");
    assert_eq!(upsert(&mut sink, &[(1, 1)]), [Outcome::Created]);
    drop(sink);
    assert_eq!(site.settle(), expected_text(&[(1, 1)].into(), JsonFormat::Array));
}

#[test]
fn a_sink_may_move_to_another_thread() {
    fn check<T: Send>() {}
    check::<JsonSink>();
}

#[test]
fn nothing_is_counted_where_nothing_is() {
    let site = Site::new(JsonFormat::Array);
    assert_eq!(count_records(&site.visible()).unwrap(), 0);
    std::fs::write(site.visible(), "[{\"id\":1},{},7]").unwrap();
    let failure = count_records(&site.visible()).unwrap_err();
    assert!(failure.what().contains("record 3"), "{failure}");
    let failure = count_records(site.folder.path()).unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration, "{failure}");
}

#[test]
fn files_that_only_look_like_segments_of_the_journal_are_left_alone() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(1, 1)]);
    sink.flush().unwrap();
    drop(sink);
    let names = ["journal-+7", "journal-007", "journal-18446744073709551615", "journal-7.old"];
    for name in names {
        std::fs::write(site.sidecar().join(name), "not ours").unwrap();
    }
    let (mut sink, found) = site.open();
    assert_eq!(found, Found::Ours);
    upsert(&mut sink, &[(2, 1)]);
    assert_eq!(sink.flush().unwrap().records_total, 2);
    for name in names {
        assert_eq!(std::fs::read_to_string(site.sidecar().join(name)).unwrap(), "not ours");
    }
}
