//! What a crash leaves at every moment, by copies of the folder.

use std::fs::File;

use super::super::meta::Stamp;
use super::super::swap::Base;
use super::*;

#[test]
fn a_crash_between_any_two_steps_of_a_flush_loses_nothing() {
    for format in [JsonFormat::Array, JsonFormat::Lines] {
        for first in [false, true] {
            let site = Site::new(format);
            let mut model = Model::new();
            let (mut sink, _) = site.open();
            if !first {
                let rows: Vec<Row> = (0..20).map(|id| (id * 2, 1)).collect();
                expected_outcomes(&mut model, &rows);
                upsert(&mut sink, &rows);
                sink.flush().unwrap();
            }
            let before = model.clone();
            // As many records, and of the same size: only the time tells the files apart.
            let rows = if first { [(1, 7), (3, 7)] } else { [(2, 7), (4, 7)] };
            expected_outcomes(&mut model, &rows);
            upsert(&mut sink, &rows);

            let mut moments = vec![("acknowledged", site.crash())];
            let over = Stamp::of(&site.visible()).unwrap();
            let prepared = sink.prepare(&Base::Ours, over).unwrap();
            moments.push(("prepared", site.crash()));
            sink.announce(&prepared).unwrap();
            moments.push(("announced", site.crash()));
            if !first {
                assert_eq!(site.text(), expected_text(&before, format));
            }
            sink.swap(&prepared).unwrap();
            let swapped = site.crash();
            sink.conclude(prepared).unwrap();
            let concluded = site.crash();
            for name in super::super::place::names(&swapped.sidecar()) {
                let target = concluded.sidecar().join(&name);
                if name.to_string_lossy().starts_with("journal-") {
                    std::fs::copy(swapped.sidecar().join(&name), target).unwrap();
                }
            }
            moments.push(("swapped", swapped));
            moments.push(("concluded, journal not yet removed", concluded));
            moments.push(("done", site.crash()));

            for (moment, copy) in moments {
                let (opened, found) = copy.open();
                assert_eq!(found, Found::Ours, "{moment}");
                assert_eq!(opened.identity(), sink.identity(), "{moment}");
                assert_eq!(opened.records(), model.len() as u64, "{moment}");
                drop(opened);
                assert_eq!(copy.settle(), expected_text(&model, format), "{moment}");
            }
        }
    }
}

/// The models after every single row, and the length of the only segment after every batch.
fn acknowledged(site: &Site) -> (Vec<Model>, Vec<(u64, Model)>) {
    let (mut sink, _) = site.open();
    upsert(&mut sink, &[(1, 0), (5, 0), (9, 0)]);
    sink.flush().unwrap();
    let mut model: Model = [(1, 0), (5, 0), (9, 0)].into();
    let mut rows = vec![model.clone()];
    let mut batches = vec![(0, model.clone())];
    for batch in [vec![(5, 1), (2, 1)], vec![(5, 2)], vec![(9, 1), (1, 1), (7, 1)]] {
        for row in &batch {
            expected_outcomes(&mut model, &[*row]);
            rows.push(model.clone());
        }
        upsert(&mut sink, &batch);
        batches.push((std::fs::metadata(segment(site)).unwrap().len(), model.clone()));
    }
    (rows, batches)
}

fn segment(site: &Site) -> PathBuf {
    let names = super::super::place::names(&site.sidecar());
    let name = names.iter().find(|name| name.to_string_lossy().starts_with("journal-")).unwrap();
    site.sidecar().join(name)
}

#[test]
fn a_journal_cut_anywhere_recovers_everything_acknowledged_before_the_cut() {
    let site = Site::new(JsonFormat::Array);
    let (rows, batches) = acknowledged(&site);
    let length = batches.last().unwrap().0;
    let mut reached = 0;
    // Every fifth byte (each try costs a dozen fsyncs), and around the ends of batches.
    let ends = batches.iter().flat_map(|(end, _)| [end.saturating_sub(1), *end, *end + 1]);
    let mut cuts: Vec<u64> = (0..length).step_by(5).chain(ends).collect();
    cuts.sort_unstable();
    for cut in cuts.into_iter().filter(|cut| *cut <= length) {
        let copy = site.crash();
        let file = File::options().write(true).open(segment(&copy)).unwrap();
        file.set_len(cut).unwrap();
        let text = copy.settle();
        let state = rows.iter().position(|model| expected_text(model, JsonFormat::Array) == text);
        let state = state.unwrap_or_else(|| panic!("cut at {cut}: {text}"));
        assert!(state >= reached, "cut at {cut}");
        reached = state;
        let (_, owed) = batches.iter().rfind(|(end, _)| *end <= cut).unwrap();
        let owed = rows.iter().position(|model| model == owed).unwrap();
        assert!(state >= owed, "cut at {cut}");
    }
    assert_eq!(reached, rows.len() - 1);
}

#[test]
fn a_torn_tail_of_zeros_or_noise_is_cut_and_writing_goes_on() {
    let site = Site::new(JsonFormat::Array);
    let (_, batches) = acknowledged(&site);
    let model = &batches.last().unwrap().1;
    for tail in [&[0_u8; 100][..], &[0xff; 7], &[40, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9]] {
        let copy = site.crash();
        let mut bytes = std::fs::read(segment(&copy)).unwrap();
        bytes.extend(tail);
        std::fs::write(segment(&copy), bytes).unwrap();
        let (mut sink, found) = copy.open();
        assert_eq!(found, Found::Ours);
        upsert(&mut sink, &[(100, 1)]);
        drop(sink);
        let mut model = model.clone();
        model.insert(100, 1);
        assert_eq!(copy.settle(), expected_text(&model, JsonFormat::Array));
    }
}

#[test]
fn a_damaged_older_segment_changes_the_identity() {
    let site = Site::new(JsonFormat::Array);
    let (mut sink, _) = site.open();
    for id in 0..30 {
        upsert(&mut sink, &[(id, 1)]);
    }
    let identity = sink.identity().to_owned();
    drop(sink);
    let first = segment(&site).with_file_name("journal-0");
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let (sink, found) = site.open();
    assert_eq!(found, Found::Ours);
    assert_ne!(sink.identity(), identity);
    let renewed = sink.identity().to_owned();
    drop(sink);
    assert_eq!(site.open().0.identity(), renewed, "the new identity is kept");
}
