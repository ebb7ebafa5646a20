//! What a bench does to a state, and how long each call took.

use std::time::{Duration, Instant};

use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::record::{ImageReference, Outcome, PipelineName};
use shared::state::{
    Binding, Claim, Claimant, NewRun, Page, Run, RunEnd, RunKind, Settled, State, Want, Wanted, Window,
};

/// Records per call.
pub(crate) const BATCH: usize = 500;

/// The records of a bench.
#[derive(Clone, Copy)]
pub(crate) struct Records {
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// Each has an image.
    pub(crate) images: bool,
}

/// Milliseconds per call.
#[derive(Default)]
pub(crate) struct Timings(Vec<Duration>);

impl Timings {
    pub(crate) async fn of<T>(
        &mut self,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let result = call.await;
        self.0.push(start.elapsed());
        result
    }

    #[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
    pub(crate) fn print(mut self, what: &str) {
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

pub(crate) async fn begin(state: &State) -> Result<Run, Failure> {
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

pub(crate) fn pipeline() -> Result<PipelineName, Failure> {
    "products".parse().map_err(|_| Failure::configuration("no name"))
}

impl Records {
    /// Batch by batch.
    pub(crate) fn wants(self, content: u8) -> Result<Vec<Vec<Want>>, Failure> {
        let want = |id: u64| {
            let reference = format!("{id} / front view.jpg").parse::<ImageReference>();
            let image = reference.ok().filter(|_| self.images);
            Ok(Want { key: id.into(), checksum: checksum(id, content)?, image })
        };
        let wants: Vec<Want> =
            (self.first..self.first + self.count).map(want).collect::<Result<_, Failure>>()?;
        Ok(wants.chunks(BATCH).map(<[Want]>::to_vec).collect())
    }
}

pub(crate) fn claimant() -> Result<Claimant, Failure> {
    let worker = "bench".parse().map_err(|_| Failure::configuration("no name"))?;
    Ok(Claimant { worker, late: Duration::ZERO })
}

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
pub(crate) fn print_head(records: Records) {
    println!("{} records, batches of {BATCH}", records.count);
    println!("{:<34}{:>9}{:>9}{:>9}{:>10}", "", "p50 ms", "p99 ms", "max ms", "total s");
}

/// One run over all records: want, claim and settle per batch, as a one-machine run does.
pub(crate) async fn run_over(
    state: &State,
    records: Records,
    content: u8,
    title: &str,
) -> Result<(), Failure> {
    let (name, claimant) = (pipeline()?, claimant()?);
    let [mut want, mut claim, mut settle] = [Timings::default(), Timings::default(), Timings::default()];
    let run = begin(state).await?;
    for (number, batch) in (1..).zip(records.wants(content)?) {
        let answers = want.of(state.want(&run, &batch, false)).await?;
        let page = Page { number, position: number.to_string(), unchanged: 0, dead: 0 };
        state.advance(&run, &page).await?;
        let (mut claims, mut settled) = (Vec::new(), Vec::new());
        for (Want { key, checksum, image }, answer) in batch.iter().zip(answers) {
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
                worker: claimant.worker.clone(),
                outcome: Outcome::Updated,
                sink_id: Some((key.as_str().len() as u64 * 100_000 + place).to_string()),
                image: image.clone(),
            });
        }
        if !claims.is_empty() {
            claim.of(state.claim(&name, &claims, &claimant)).await?;
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
