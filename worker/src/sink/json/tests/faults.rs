//! Full disks, taken locks, paused processes.

use super::super::meta::Stamp;
use super::super::meter::room;
use super::super::swap::Base;
use super::*;
use shared::failure::{Class, Reason};

#[test]
fn a_full_disk_during_upsert_loses_nothing_and_is_over_when_there_is_space() {
    let mut reached_success = false;
    for space in (0..3000).step_by(89) {
        let site = Site::new(JsonFormat::Array);
        let mut model = Model::new();
        let (mut sink, _) = site.open();
        let first: Vec<Row> = (0..6).map(|id| (id, 1)).collect();
        let second: Vec<Row> = (4..16).map(|id| (id, 2)).collect();
        expected_outcomes(&mut model, &first);
        upsert(&mut sink, &first);

        room::set(Some(space));
        let full = try_upsert(&mut sink, &second);
        room::set(None);
        if let Err(failure) = full {
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::DiskFull));
            assert_eq!(site.crash().settle(), expected_text(&model, JsonFormat::Array), "space {space}");
            assert_eq!(sink.records(), 6);
            let expected = expected_outcomes(&mut model, &second);
            assert_eq!(upsert(&mut sink, &second), expected, "space {space}");
        } else {
            reached_success = true;
            expected_outcomes(&mut model, &second);
        }
        drop(sink);
        assert_eq!(site.settle(), expected_text(&model, JsonFormat::Array), "space {space}");
    }
    assert!(reached_success);
}

#[test]
fn a_full_disk_during_flush_leaves_the_old_file() {
    let mut reached_success = false;
    for space in (0..6000).step_by(211) {
        let site = Site::new(JsonFormat::Array);
        let (mut sink, _) = site.open();
        let mut model: Model = (0..10).map(|id| (id, 1)).collect();
        upsert(&mut sink, &(0..10).map(|id| (id, 1)).collect::<Vec<_>>());
        sink.flush().unwrap();
        let before = site.text();
        let rows: Vec<Row> = (5..20).map(|id| (id, 2)).collect();
        upsert(&mut sink, &rows);
        expected_outcomes(&mut model, &rows);

        room::set(Some(space));
        let full = sink.flush();
        room::set(None);
        match full {
            Ok(_) => reached_success = true,
            Err(failure) => {
                assert_eq!(failure.reason, Reason::DiskFull);
                // The last write of a flush comes after the rename.
                if site.text() != before {
                    assert_eq!(site.text(), expected_text(&model, JsonFormat::Array), "space {space}");
                }
            }
        }
        assert_eq!(site.crash().settle(), expected_text(&model, JsonFormat::Array), "space {space}");
        upsert(&mut sink, &[(30, 1)]);
        model.insert(30, 1);
        assert_eq!(site.crash().settle(), expected_text(&model, JsonFormat::Array), "space {space}");
        sink.flush().unwrap();
        assert_eq!(site.text(), expected_text(&model, JsonFormat::Array), "space {space}");
    }
    assert!(reached_success);
}

#[test]
fn a_full_disk_during_a_take_over_leaves_the_foreign_file() {
    let text = r#"[{"id":2},{"id":1}]"#;
    for space in (0..1200).step_by(61) {
        let site = Site::holding(text);
        room::set(Some(space));
        let opened = JsonSink::open(site.settings()).map(|(sink, _)| drop(sink));
        room::set(None);
        if let Err(failure) = opened {
            assert_eq!(failure.reason, Reason::DiskFull, "space {space}");
            assert!([text, "[\n{\"id\":1},\n{\"id\":2}\n]\n"].contains(&site.text().as_str()));
        }
        assert_eq!(site.settle(), "[\n{\"id\":1},\n{\"id\":2}\n]\n", "space {space}");
    }
}

#[test]
fn a_second_writer_is_refused() {
    let site = Site::new(JsonFormat::Array);
    let (sink, _) = site.open();
    let failure = JsonSink::open(site.settings()).unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Locked));
    drop(sink);
    site.open();
}

#[test]
fn a_paused_writer_whose_lock_was_removed_overwrites_nothing() {
    let site = Site::new(JsonFormat::Array);
    let (mut paused, _) = site.open();
    upsert(&mut paused, &[(1, 1)]);
    std::fs::remove_file(site.sidecar().join("lock")).unwrap();
    let (mut newer, _) = site.open();
    upsert(&mut newer, &[(1, 2)]);
    newer.flush().unwrap();
    let text = site.text();
    assert_eq!(try_upsert(&mut paused, &[(1, 3)]).unwrap_err().reason, Reason::Locked);
    assert_eq!(paused.flush().unwrap_err().reason, Reason::Locked);
    assert_eq!(site.text(), text);
    upsert(&mut newer, &[(2, 2)]);
    newer.flush().unwrap();
}

#[test]
fn generation_and_file_are_checked_right_before_the_rename() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(1, 1)]);
    sink.flush().unwrap();
    upsert(&mut sink, &[(1, 2)]);
    let over = Stamp::of(&site.visible()).unwrap();
    let prepared = sink.prepare(&Base::Ours, over).unwrap();
    sink.announce(&prepared).unwrap();

    std::fs::write(site.visible(), "[{\"id\":7}]").unwrap();
    let failure = sink.swap(&prepared).unwrap_err();
    assert_eq!(failure.class, Class::Transient);
    assert_eq!(site.text(), "[{\"id\":7}]");

    let meta = site.sidecar().join("meta.json");
    let text = std::fs::read_to_string(&meta).unwrap();
    let newer = text
        .replace("\"generation\": 1", "\"generation\": 8")
        .replace("\"generation\": 2", "\"generation\": 9");
    std::fs::write(&meta, newer).unwrap();
    assert_eq!(sink.swap(&prepared).unwrap_err().reason, Reason::Locked);
}

#[test]
fn a_folder_or_an_unusable_path_is_explained() {
    let site = Site::new(JsonFormat::Array);
    let failure = JsonSink::open(JsonSettings::new(site.folder.path())).unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
    std::fs::write(site.folder.path().join("file"), "").unwrap();
    let failure = JsonSink::open(JsonSettings::new(site.folder.path().join("file/a.json"))).unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::File));
}
