//! Any sequence of calls, restarts and crashes against a map in memory.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Upsert(Vec<Row>),
    Remove(Vec<u64>),
    Mark(Vec<u64>),
    Flush,
    Restart,
    /// The process dies here; goes on with a copy of the folder.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..40_u64, 0..4_u32);
    prop_oneof![
        6 => proptest::collection::vec(row, 0..12).prop_map(Step::Upsert),
        2 => proptest::collection::vec(0..40_u64, 0..8).prop_map(Step::Remove),
        2 => proptest::collection::vec(0..40_u64, 0..8).prop_map(Step::Mark),
        2 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

fn run(format: JsonFormat, merge_after_bytes: u64, steps: Vec<Step>) {
    let mut site = Site::new(format);
    let mut model = Model::new();
    let open = |site: &Site| JsonSink::open(JsonSettings { merge_after_bytes, ..site.settings() }).unwrap();
    let (mut sink, found) = open(&site);
    assert_eq!(found, Found::Nothing);
    let identity = sink.identity().to_owned();
    for step in steps {
        match step {
            Step::Upsert(rows) => {
                let expected = expected_outcomes(&mut model, &rows);
                assert_eq!(upsert(&mut sink, &rows), expected);
            }
            Step::Remove(ids) => {
                let was_there = |id: &u64| model.remove(id).is_some();
                let expected: Vec<_> = ids.iter().map(was_there).collect();
                assert_eq!(gone(&mut sink, &ids, Gone::Remove), expected);
            }
            Step::Mark(ids) => {
                let mark = |id: &u64| {
                    let unmarked = model.get_mut(id).filter(|content| **content < MARKED);
                    unmarked.map(|content| *content += MARKED).is_some()
                };
                let expected: Vec<_> = ids.iter().map(mark).collect();
                assert_eq!(gone(&mut sink, &ids, Gone::Mark), expected);
            }
            Step::Flush => {
                let flushed = sink.flush().unwrap();
                assert_eq!(flushed.records_total, model.len() as u64);
                assert_eq!(site.text(), expected_text(&model, format));
                let again = sink.flush().unwrap();
                assert_eq!((again.changed, again.bytes_written), (false, 0));
            }
            Step::Restart => {
                drop(sink);
                sink = open(&site).0;
            }
            Step::Crash => {
                let copy = site.crash();
                drop(sink);
                site = copy;
                let (opened, found) = open(&site);
                assert_eq!(found, Found::Ours);
                sink = opened;
            }
        }
        assert_eq!(sink.records(), model.len() as u64);
        assert_eq!(sink.identity(), identity);
        for id in 0..40 {
            assert_eq!(sink.contains(&id.into()).unwrap(), model.contains_key(&id));
        }
    }
    sink.flush().unwrap();
    assert_eq!(site.text(), expected_text(&model, format));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_sink_is_a_map(
        lines: bool,
        merge_after in prop_oneof![Just(JsonSettings::MERGE_AFTER_BYTES), Just(0)],
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let format = if lines { JsonFormat::Lines } else { JsonFormat::Array };
        run(format, merge_after, steps);
    }
}
