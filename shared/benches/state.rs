//! What a batch of 500 costs in the state's file, over 200,000 records: `cargo bench -p shared --bench state`.

mod records;

use std::path::Path;

use shared::failure::Failure;
use shared::state::State;

use records::{BATCH, Records, Timings, begin, pipeline, print_head, run_over};

const RECORDS: Records = Records { first: 0, count: 200_000, images: false };

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
async fn bench(path: &Path) -> Result<(), Failure> {
    let state = State::open_file(path).await?;
    print_head(RECORDS);
    run_over(&state, RECORDS, 1, "new records").await?;
    run_over(&state, RECORDS, 1, "unchanged records").await?;
    run_over(&state, RECORDS, 2, "changed records").await?;

    let name = pipeline()?;
    let [mut counts, mut runs, mut outstanding] =
        [Timings::default(), Timings::default(), Timings::default()];
    let last = begin(&state).await?;
    for batch in RECORDS.wants(3)? {
        state.want(&last, &batch, false).await?;
    }
    let run = begin(&state).await?;
    let before = shared::record::Version { epoch: run.epoch, sequence: 0 };
    for _ in 0..200 {
        counts.of(state.counts(&name)).await?;
        runs.of(state.runs(Some(&name), 20)).await?;
        outstanding.of(state.outstanding(&name, before, BATCH)).await?;
    }
    counts.print("counts");
    runs.print("runs, 20");
    outstanding.print("outstanding, 500 of all");
    drop(state);
    let mut opening = Timings::default();
    drop(opening.of(State::open_file(path)).await?);
    opening.print("open");
    let bytes =
        std::fs::metadata(path).map_err(|error| Failure::configuration("no file").because(error))?.len();
    println!("{:<34}{:>9}", "bytes per record", bytes / RECORDS.count);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(&folder.path().join("state.db")))?;
    Ok(())
}
