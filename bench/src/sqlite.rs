//! The state in a file.

use shared::record::Version;
use shared::state::State;

use crate::records::{BATCH, Records, Timings, begin, pipeline, run_over};
use crate::report::Report;

const PART: &str = "state in SQLite";

pub(crate) async fn measure(report: &mut Report, count: u64) {
    report.part(&format!("State in SQLite, {count} records"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let records = Records { first: 4_600_000_000_000_000, count, images: false };
    let state = State::open_file(&path).await.unwrap();
    for (content, title) in [(1, "new"), (1, "unchanged"), (2, "changed")] {
        run_over(report, PART, &state, records, (content, title)).await;
    }
    questions(report, PART, &state, records).await;
    drop(state);
    let mut opening = Timings::default();
    drop(opening.of(State::open_file(&path)).await);
    opening.tell(report, PART, "open");
    let bytes = std::fs::metadata(&path).unwrap().len();
    report.add(PART, "a record", bytes as f64 / count as f64, "bytes");
}

/// What `status` and a producer ask while everything is outstanding.
pub(crate) async fn questions(report: &mut Report, part: &'static str, state: &State, records: Records) {
    let name = pipeline();
    let [mut counts, mut runs, mut outstanding] =
        [Timings::default(), Timings::default(), Timings::default()];
    let last = begin(state).await;
    for batch in records.wants(3) {
        state.want(&last, &batch, false).await.unwrap();
    }
    let run = begin(state).await;
    for _ in 0..200 {
        counts.of(state.counts(&name)).await;
        runs.of(state.runs(Some(&name), 20)).await;
        outstanding.of(state.outstanding(&name, Version { epoch: run.epoch, sequence: 0 }, BATCH)).await;
    }
    counts.tell(report, part, "counts");
    runs.tell(report, part, "the last 20 runs");
    outstanding.tell(report, part, &format!("{BATCH} outstanding of all"));
}
