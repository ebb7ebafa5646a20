//! What a batch of 500 costs in the state's file, over 200,000 records: `cargo bench -p shared --bench state`.

use std::path::Path;
use std::time::{Duration, Instant};

use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::record::{Outcome, PipelineName};
use shared::state::{
    Binding, Claim, NewRun, Page, Run, RunEnd, RunKind, Settled, State, Want, Wanted, Window,
};

const RECORDS: u64 = 200_000;
const BATCH: usize = 500;

/// Milliseconds per call.
#[derive(Default)]
struct Timings(Vec<Duration>);

impl Timings {
    async fn of<T>(&mut self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let start = Instant::now();
        let result = call.await;
        self.0.push(start.elapsed());
        result
    }

    #[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
    fn print(mut self, what: &str) {
        self.0.sort_unstable();
        let at = |share: usize| self.0.get(self.0.len() * share / 100).or(self.0.last()).map_or(0.0, millis);
        let total: Duration = self.0.iter().sum();
        println!("{what:<34}{:>9.2}{:>9.2}{:>9.2}{:>10.2}", at(50), at(99), at(100), total.as_secs_f64());
    }
}

fn millis(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn checksum(id: u64, content: u8) -> Result<Checksum, Failure> {
    let mut bytes = [content; 32];
    for (byte, part) in bytes.iter_mut().zip(id.to_be_bytes()) {
        *byte = part;
    }
    Checksum::try_from(bytes.as_slice()).map_err(|error| Failure::configuration(error.to_string()))
}

async fn begin(state: &State) -> Result<Run, Failure> {
    let run = NewRun {
        pipeline: pipeline()?,
        kind: RunKind::Full,
        window: Window { start: None, end: jiff::Timestamp::now() },
        binding: Binding { source: "source".to_owned(), sink: "sink".to_owned(), mapping: checksum(0, 0)? },
        force: false,
        reset: false,
    };
    state.begin_run(&run).await
}

fn pipeline() -> Result<PipelineName, Failure> {
    "products".parse().map_err(|_| Failure::configuration("no name"))
}

fn wants(content: u8) -> Result<Vec<Want>, Failure> {
    (0..RECORDS)
        .map(|id| Ok(Want { key: id.into(), checksum: checksum(id, content)?, image: None }))
        .collect()
}

/// One run over all records: want, claim and settle per batch, as a one-machine run does.
async fn run_over(state: &State, content: u8, title: &str) -> Result<(), Failure> {
    let name = pipeline()?;
    let [mut want, mut claim, mut settle] = [Timings::default(), Timings::default(), Timings::default()];
    let run = begin(state).await?;
    for (number, batch) in (1..).zip(wants(content)?.chunks(BATCH)) {
        let answers = want.of(state.want(&run, batch, false)).await?;
        let page = Page { number, position: number.to_string(), unchanged: 0, dead: 0 };
        state.advance(&run, &page).await?;
        let (mut claims, mut settled) = (Vec::new(), Vec::new());
        for (Want { key, checksum, .. }, answer) in batch.iter().zip(answers) {
            let Wanted::Enqueue { version, place } = answer else {
                continue;
            };
            claims.push(Claim { key: key.clone(), version });
            settled.push(Settled {
                run: run.id,
                place,
                key: key.clone(),
                version,
                checksum: *checksum,
                outcome: Outcome::Updated,
                sink_id: Some(key.to_string()),
                image: None,
            });
        }
        if !claims.is_empty() {
            claim.of(state.claim(&name, &claims)).await?;
            settle.of(state.settle(&name, &settled)).await?;
        }
    }
    state.finish_run(&run, &RunEnd::Complete).await?;
    want.print(&format!("want, {title}"));
    if !claim.0.is_empty() {
        claim.print(&format!("claim, {title}"));
        settle.print(&format!("settle, {title}"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
async fn bench(path: &Path) -> Result<(), Failure> {
    let state = State::open_file(path).await?;
    println!("{RECORDS} records, batches of {BATCH}");
    println!("{:<34}{:>9}{:>9}{:>9}{:>10}", "", "p50 ms", "p99 ms", "max ms", "total s");
    run_over(&state, 1, "new records").await?;
    run_over(&state, 1, "unchanged records").await?;
    run_over(&state, 2, "changed records").await?;

    let name = pipeline()?;
    let [mut counts, mut runs, mut outstanding] =
        [Timings::default(), Timings::default(), Timings::default()];
    let last = begin(&state).await?;
    for batch in wants(3)?.chunks(BATCH) {
        state.want(&last, batch, false).await?;
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
    println!("{:<34}{:>9}", "bytes per record", bytes / RECORDS);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(&folder.path().join("state.db")))?;
    Ok(())
}
