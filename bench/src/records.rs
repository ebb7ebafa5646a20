//! What is done to a state, and how long each call takes.

use std::time::{Duration, Instant};

use serde_json::Value;
use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::job::{FORMAT, Job, JobKind};
use shared::record::{ImageReference, Outcome, PipelineName, RecordKey, RunId, Version};
use shared::state::{
    Binding, Claim, Claimant, NewRun, Page, Run, RunEnd, RunKind, Settled, State, Want, Wanted, Window,
};

use crate::report::Report;

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

/// How long each call took.
#[derive(Default)]
pub(crate) struct Timings(Vec<Duration>);

impl Timings {
    pub(crate) async fn of<T>(&mut self, call: impl Future<Output = Result<T, Failure>>) -> T {
        let start = Instant::now();
        let result = call.await;
        self.0.push(start.elapsed());
        result.unwrap()
    }

    /// The usual call, and the slowest but one in a hundred.
    pub(crate) fn tell(mut self, report: &mut Report, part: &'static str, what: &str) {
        self.0.sort_unstable();
        let at = |share: usize| {
            let call = self.0.get(self.0.len() * share / 100).or(self.0.last());
            call.map_or(0.0, |call| call.as_secs_f64() * 1_000.0)
        };
        report.add(part, format!("{what}: median"), at(50), "ms per call");
        report.add(part, format!("{what}: 99 of 100 within"), at(99), "ms per call");
    }
}

fn checksum(id: u64, content: u8) -> Checksum {
    let mut bytes = [content; 32];
    for (byte, part) in bytes.iter_mut().zip(id.to_be_bytes()) {
        *byte = part;
    }
    Checksum::try_from(bytes.as_slice()).unwrap()
}

/// The job of a record with these values.
pub(crate) fn job(
    key: RecordKey,
    version: Version,
    checksum: Checksum,
    run: (RunId, u64),
    values: Value,
) -> Job {
    let Value::Object(values) = values else { panic!("the values of a record are an object: {values}") };
    Job {
        format: FORMAT,
        kind: JobKind::Record,
        pipeline: pipeline(),
        key,
        version,
        checksum,
        run: run.0,
        place: run.1,
        attempt: 1,
        values,
        image: None,
        sink_id: None,
        source_time: None,
        trace: None,
        failures: Vec::new(),
    }
}

pub(crate) async fn begin(state: &State) -> Run {
    let run = NewRun {
        pipeline: pipeline(),
        kind: RunKind::Full,
        window: Window { start: None, end: jiff::Timestamp::now() },
        binding: Binding { source: "source".to_owned(), sink: "sink".to_owned(), mapping: checksum(0, 0) },
        force: false,
        reset: false,
    };
    state.begin_run(&run).await.unwrap()
}

pub(crate) fn pipeline() -> PipelineName {
    "products".parse().unwrap()
}

impl Records {
    /// Batch by batch.
    pub(crate) fn wants(self, content: u8) -> Vec<Vec<Want>> {
        let want = |id: u64| {
            let reference = format!("{id} / front view.jpg").parse::<ImageReference>();
            let image = reference.ok().filter(|_| self.images);
            Want { key: id.into(), checksum: checksum(id, content), image }
        };
        let wants: Vec<Want> = (self.first..self.first + self.count).map(want).collect();
        wants.chunks(BATCH).map(<[Want]>::to_vec).collect()
    }
}

pub(crate) fn claimant() -> Claimant {
    Claimant { worker: "bench".parse().unwrap(), late: Duration::ZERO }
}

/// How long the calls of a run took.
#[derive(Default)]
struct Calls {
    want: Timings,
    claim: Timings,
    settle: Timings,
}

/// One run over all records, told.
pub(crate) async fn run_over(
    report: &mut Report,
    part: &'static str,
    state: &State,
    records: Records,
    (content, title): (u8, &str),
) {
    let Calls { want, claim, settle } = run(state, records, content).await;
    want.tell(report, part, &format!("want {BATCH} {title}"));
    if !claim.0.is_empty() {
        claim.tell(report, part, &format!("claim {BATCH} {title}"));
        settle.tell(report, part, &format!("settle {BATCH} {title}"));
    }
}

/// A first run over all records, of which nothing is told.
pub(crate) async fn run_quietly(state: &State, records: Records) {
    run(state, records, 1).await;
}

/// One run over all records: want, claim and settle per batch, as a one-machine run does.
async fn run(state: &State, records: Records, content: u8) -> Calls {
    let (name, claimant) = (pipeline(), claimant());
    let Calls { mut want, mut claim, mut settle } = Calls::default();
    let run = begin(state).await;
    for (number, batch) in (1..).zip(records.wants(content)) {
        let answers = want.of(state.want(&run, &batch, false)).await;
        let page = Page { number, position: number.to_string(), unchanged: 0, dead: 0 };
        state.advance(&run, &page).await.unwrap();
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
            claim.of(state.claim(&name, &claims, &claimant)).await;
            settle.of(state.settle(&name, &settled)).await;
        }
    }
    state.finish_run(&run, &RunEnd::Complete).await.unwrap();
    Calls { want, claim, settle }
}
