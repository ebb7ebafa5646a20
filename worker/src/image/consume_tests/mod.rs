//! What becomes of image jobs: the worker over a queue in memory, a state in memory, a web server and a shelf.

mod brought;
mod crowd;
mod failed;

use ::image::ImageFormat;
use serde_json::json;
use shared::checksum::Checksum;
use shared::job::Attempt;
use shared::record::{ImageReference, RecordKey, RunId};
use shared::state::{Binding, NewRun, OutstandingImage, Run, RunKind, Settled, Want, Wanted, Window};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::fetch::HttpImages;
use super::super::flaw::Flaw;
use super::super::gate::{Gate, response};
use super::super::inspect::{ImageLimits, Inspected, inspect, sha256};
use super::super::samples::{encode, jpeg, png_header};
use super::super::shelf::Shelf;
use super::*;

/// A worker that waits for ever fails its test instead of hanging it.
const TEST_MAX: Duration = Duration::from_mins(1);

struct Bench {
    state: State,
    queue: Queue,
    run: Run,
    shelf: Shelf,
    server: MockServer,
    folder: TempDir,
    settings: ImageSettings,
}

fn pipeline() -> PipelineName {
    "products".parse().unwrap()
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

impl Bench {
    async fn new() -> Self {
        let state = State::open_memory().await.unwrap();
        let binding = Binding {
            source: "source".to_owned(),
            sink: "sink".to_owned(),
            mapping: Checksum::of_value(&json!("mapping")),
        };
        let new = NewRun {
            pipeline: pipeline(),
            kind: RunKind::Full,
            window: Window { start: None, end: "2026-11-22T00:00:00Z".parse().unwrap() },
            binding,
            force: false,
            reset: false,
        };
        let run = state.begin_run(&new).await.unwrap();
        Self {
            state,
            queue: Queue::memory(1_000),
            run,
            shelf: Shelf::default(),
            server: MockServer::start().await,
            folder: tempfile::tempdir().unwrap(),
            settings: ImageSettings::default(),
        }
    }

    /// The record stands in the sink under the id `s<key>`, and has this image in the source.
    async fn record(&self, key: u64, image: &str) {
        let (key, image) = (RecordKey::from(key), Some(reference(image)));
        let checksum = Checksum::of_value(&json!([key.as_str(), image]));
        let want = Want { key: key.clone(), checksum, image: image.clone() };
        let wanted = self.state.want(&self.run, &[want], false).await.unwrap();
        let Wanted::Enqueue { version, place } = wanted[0] else { panic!("{wanted:?}") };
        let settled = Settled {
            run: self.run.id,
            place,
            sink_id: Some(format!("s{}", key.as_str())),
            key,
            version,
            checksum,
            image,
            worker: WorkerId::of_process(),
            outcome: Outcome::Created,
        };
        self.state.settle(&pipeline(), &[settled]).await.unwrap();
    }

    async fn serves(&self, image: &str, answer: ResponseTemplate) {
        Mock::given(path(format!("/{image}"))).respond_with(answer).mount(&self.server).await;
    }

    async fn serves_bytes(&self, image: &str, bytes: &[u8]) {
        self.serves(image, ResponseTemplate::new(200).set_body_bytes(bytes)).await;
    }

    async fn listed(&self) -> Vec<OutstandingImage> {
        self.state.outstanding_images(&pipeline(), None, 1_000).await.unwrap()
    }

    /// Images that are due, as soon as there are any.
    async fn due(&self) -> Vec<OutstandingImage> {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            let listed = self.listed().await;
            if !listed.is_empty() {
                return listed;
            }
            tick.tick().await;
        }
    }

    fn worker(&self, uri: &str) -> ImageWorker<Shelf> {
        let source = HttpImages::new(&format!("{uri}/{{reference}}"), []).unwrap();
        let cache = ImageCache::open(self.folder.path(), 10_000_000).unwrap();
        ImageWorker::new(
            pipeline(),
            self.state.clone(),
            self.queue.clone(),
            ImageSource::Http(source),
            self.shelf.clone(),
            Some(Arc::new(cache)),
            self.settings,
        )
    }

    /// Publishes what is listed and lets a worker work until all of it is settled or it stops by itself.
    async fn work(&self) -> Result<(), Failure> {
        let worker = self.worker(&self.server.uri());
        self.work_with(worker).await
    }

    async fn work_with(&self, worker: ImageWorker<Shelf>) -> Result<(), Failure> {
        let mut receipts = Vec::new();
        for image in self.due().await {
            receipts.push(self.queue.publish(image.into_job(pipeline())).await.unwrap());
        }
        let (drain, working) = start(worker);
        let all = async {
            for receipt in receipts {
                receipt.durable().await.unwrap();
            }
        };
        let mut working = working;
        let ended = async {
            tokio::select! {
                ended = &mut working => ended.unwrap(),
                () = all => {
                    drain.cancel();
                    working.await.unwrap()
                }
            }
        };
        timeout(TEST_MAX, ended).await.expect("the worker ends by itself")
    }

    async fn counts(&self) -> [u64; 3] {
        let images = self.state.counts(&pipeline()).await.unwrap().images;
        [images.applied, images.outstanding, images.dead]
    }

    async fn letters(&self) -> Vec<(String, Attempt)> {
        let letters = self.state.dead_letters(&pipeline(), 1_000).await.unwrap();
        let mut letters: Vec<(String, Attempt)> =
            letters.into_iter().map(|letter| (letter.job.key.to_string(), letter.failure)).collect();
        letters.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        letters
    }

    async fn requests(&self) -> usize {
        self.server.received_requests().await.unwrap().len()
    }
}

fn start(worker: ImageWorker<Shelf>) -> (CancellationToken, JoinHandle<Result<(), Failure>>) {
    let drain = CancellationToken::new();
    let working = tokio::spawn(worker.run(drain.clone()));
    (drain, working)
}

/// One that shows no sign of life.
fn dead_worker() -> Claimant {
    Claimant { worker: "dead".parse().unwrap(), late: Duration::ZERO }
}

fn claim_of(image: &OutstandingImage) -> ImageClaim {
    let OutstandingImage { key, version, reference, .. } = image;
    ImageClaim { key: key.clone(), version: *version, reference: reference.clone() }
}

#[tokio::test]
async fn a_death_counts_for_the_image_that_ran_alone_and_for_none_that_waited() {
    let bench = Bench::new().await;
    for key in 1..=4 {
        bench.record(key, &format!("image{key}")).await;
    }
    let claims: Vec<ImageClaim> = bench.listed().await.iter().map(claim_of).collect();
    bench.state.claim_images(&pipeline(), &claims, 0, &dead_worker()).await.unwrap();
    let gate = Gate::start(response(&jpeg(1), true)).await;
    let killed = {
        let work = bench.work_with(bench.worker(&gate.uri));
        let in_hand = timeout(TEST_MAX, gate.waiting(1));
        tokio::select! {
            ended = work => panic!("{ended:?}"),
            waiting = in_hand => waiting.unwrap(),
        }
    };
    let mut died_over = Vec::new();
    for claim in &claims {
        let claim = std::slice::from_ref(claim);
        let answers = bench.state.claim_images(&pipeline(), claim, 0, &dead_worker()).await.unwrap();
        died_over.push(answers[0]);
    }
    assert_eq!(killed, ["/image1"]);
    let marked = |marks| ClaimedImage::Go { marks, applied: None };
    assert_eq!(died_over, [marked(2), marked(1), marked(1), marked(1)]);
}

#[tokio::test]
async fn a_suspect_that_has_come_to_its_end_meanwhile_holds_up_none_behind_it() {
    let bench = Bench::new().await;
    for key in 1..=2 {
        bench.serves_bytes(&format!("image{key}"), &jpeg(1)).await;
        bench.record(key, &format!("image{key}")).await;
    }
    let listed = bench.listed().await;
    let claims: Vec<ImageClaim> = listed.iter().map(claim_of).collect();
    bench.state.claim_images(&pipeline(), &claims, 0, &dead_worker()).await.unwrap();
    // The first one's job comes twice: the second time it is found applied, and nothing runs.
    drop(bench.queue.publish(listed[0].clone().into_job(pipeline())).await.unwrap());
    bench.work().await.unwrap();
    assert_eq!((bench.counts().await, bench.requests().await), ([2, 0, 0], 2));
}
