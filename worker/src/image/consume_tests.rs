//! What becomes of image jobs: the worker over a queue in memory, a state in memory, a web server and a shelf.

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
async fn images_reach_the_sink_as_they_are_in_the_source() {
    let bench = Bench::new().await;
    for key in 1..=40 {
        bench.record(key, &format!("image{key}")).await;
        bench.serves_bytes(&format!("image{key}"), &jpeg(u32::try_from(key).unwrap())).await;
    }
    bench.work().await.unwrap();
    assert_eq!(bench.counts().await, [40, 0, 0]);
    bench.shelf.look(|shelf| {
        assert_eq!((shelf.images.len(), shelf.written), (40, 40));
        assert_eq!(shelf.images["s7"], jpeg(7));
    });
    assert!(bench.listed().await.is_empty());
    let cached = std::fs::read_dir(bench.folder.path()).unwrap();
    assert_eq!(cached.count(), 0, "what was written is kept nowhere else");
}

#[tokio::test]
async fn too_large_a_picture_is_made_smaller_once_and_found_again_by_its_hash() {
    let mut bench = Bench::new().await;
    bench.settings.scaling.side = 32;
    bench.serves_bytes("large", &encode(ImageFormat::Jpeg, 64, 48, 1)).await;
    bench.record(1, "large").await;
    bench.work().await.unwrap();
    let stored = bench.shelf.look(|shelf| shelf.images["s1"].clone());
    let seen = inspect(&stored, &ImageLimits::default()).unwrap();
    assert_eq!((seen.width, seen.height), (32, 24));
    // Another reference to the same picture: the state knows the bytes of the source.
    bench.serves_bytes("again", &encode(ImageFormat::Jpeg, 64, 48, 1)).await;
    bench.record(1, "again").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (1, 1)));
    // A state that was wiped: the sink's own hash tells.
    let wiped = Bench { shelf: bench.shelf.clone(), settings: bench.settings, ..Bench::new().await };
    wiped.serves_bytes("large", &encode(ImageFormat::Jpeg, 64, 48, 1)).await;
    wiped.record(1, "large").await;
    wiped.work().await.unwrap();
    wiped.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (2, 1)));
    assert_eq!(wiped.counts().await, [1, 0, 0]);
}

#[tokio::test]
async fn picture_that_only_others_can_decode_is_sent_as_it_is() {
    let mut bench = Bench::new().await;
    bench.settings.scaling.side = 32;
    // Sound in all its parts, and no pixel of it is there.
    let odd = png_header(64, 64);
    bench.serves_bytes("odd", &odd).await;
    bench.record(1, "odd").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!(shelf.images["s1"], odd));
}

#[tokio::test]
async fn same_bytes_under_another_reference_are_not_sent() {
    let bench = Bench::new().await;
    for image in ["first", "second"] {
        bench.serves_bytes(image, &jpeg(1)).await;
        bench.record(1, image).await;
        bench.work().await.unwrap();
    }
    bench.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (1, 1)));
    assert_eq!((bench.counts().await, bench.requests().await), ([1, 0, 0], 2));
    bench.serves_bytes("third", &jpeg(3)).await;
    bench.record(1, "third").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!((shelf.written, &shelf.images["s1"]), (2, &jpeg(3))));
}

#[tokio::test]
async fn image_that_the_sink_has_already_is_not_written() {
    let bench = Bench::new().await;
    bench.shelf.look(|shelf| shelf.images.insert("s1".to_owned(), jpeg(1)));
    bench.serves_bytes("image", &jpeg(1)).await;
    bench.record(1, "image").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (1, 0)));
    assert_eq!(bench.counts().await, [1, 0, 0]);
}

#[tokio::test]
async fn bad_image_is_given_up_with_its_reason_and_hurts_no_other() {
    let mut bench = Bench::new().await;
    bench.settings.limits.bytes = 20_000;
    let whole = jpeg(1);
    bench.serves("1", ResponseTemplate::new(404)).await;
    bench.serves_bytes("2", b"<!DOCTYPE html><title>Sign in</title>").await;
    bench.serves_bytes("3", br#"{"code":57,"message":"You are not authorized"}"#).await;
    bench.serves_bytes("4", &whole[..700]).await;
    bench.serves_bytes("5", &vec![0xff; 20_001]).await;
    bench.serves_bytes("6", &png_header(8_000, 8_000)).await;
    bench.serves_bytes("7", b"<svg/>").await;
    bench.serves_bytes("8", &whole).await;
    for key in 1..=8 {
        bench.record(key, &key.to_string()).await;
    }
    bench.work().await.unwrap();
    assert_eq!(bench.counts().await, [1, 0, 7]);
    assert_eq!(bench.state.counts(&pipeline()).await.unwrap().applied, 8);
    let told = [
        "has no such image (HTTP 404)",
        "this is a web page, not an image",
        "this is a JSON answer, not an image",
        "the image is cut off after 700 bytes",
        "the image is larger than 20 kB",
        "8000 x 8000 pixels are more than Odoo takes (50 million)",
        "images of the kind SVG are not taken",
    ];
    let letters = bench.letters().await;
    for (at, what) in told.iter().enumerate() {
        let (key, attempt) = &letters[at];
        assert_eq!((key, attempt.class), (&(at + 1).to_string(), Class::Permanent));
        assert!(attempt.message.contains(what), "{}", attempt.message);
    }
    bench.shelf.look(|shelf| assert_eq!((shelf.written, &shelf.images["s8"]), (1, &whole)));
}

#[tokio::test]
async fn transient_failure_is_tried_again_and_spends_an_attempt() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    Mock::given(path("/image"))
        .respond_with(ResponseTemplate::new(502))
        .up_to_n_times(1)
        .mount(&bench.server)
        .await;
    bench.serves_bytes("image", &jpeg(1)).await;
    bench.work().await.unwrap();
    assert_eq!((bench.counts().await, bench.listed().await.len()), ([0, 1, 0], 0));
    let due = bench.due().await;
    assert_eq!((due[0].attempt, due[0].failures.len()), (2, 1));
    bench.work().await.unwrap();
    assert_eq!(bench.counts().await, [1, 0, 0]);
}

#[tokio::test]
async fn last_attempt_ends_in_a_dead_letter() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    bench.serves("image", ResponseTemplate::new(500)).await;
    let mut job = bench.due().await.remove(0).into_job(pipeline());
    job.attempt = 6;
    let receipt = bench.queue.publish(job).await.unwrap();
    let (drain, working) = start(bench.worker(&bench.server.uri()));
    receipt.durable().await.unwrap();
    drain.cancel();
    working.await.unwrap().unwrap();
    assert_eq!(bench.counts().await, [0, 0, 1]);
    assert_eq!(bench.letters().await[0].1.reason, Reason::ServerError);
}

#[tokio::test]
async fn throttled_image_waits_as_told_and_spends_no_attempt() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    Mock::given(path("/image"))
        .respond_with(ResponseTemplate::new(429).insert_header("retry-after", "0"))
        .up_to_n_times(1)
        .mount(&bench.server)
        .await;
    bench.serves_bytes("image", &jpeg(1)).await;
    bench.work().await.unwrap();
    assert_eq!(bench.counts().await, [0, 1, 0]);
    assert_eq!(bench.due().await[0].attempt, 1);
    bench.work().await.unwrap();
    assert_eq!((bench.counts().await, bench.requests().await), ([1, 0, 0], 2));
}

#[tokio::test]
async fn long_wait_ends_the_worker_with_its_length() {
    let mut bench = Bench::new().await;
    bench.settings.parallel = 1;
    for key in 1..=5 {
        bench.record(key, "image").await;
    }
    bench.serves("image", ResponseTemplate::new(429).insert_header("retry-after", "3600")).await;
    let failure = bench.work().await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    assert_eq!(failure.retry_after, Some(Duration::from_hours(1)));
    assert_eq!((bench.counts().await, bench.requests().await), ([0, 5, 0], 1));
    assert_eq!(bench.listed().await.len(), 4, "the first is due in an hour");
    let depth = bench.queue.depth(&pipeline(), JobKind::Image).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight), (4, 0));
}

#[tokio::test]
async fn sick_source_stops_the_images_and_gives_no_image_up() {
    let bench = Bench::new().await;
    for key in 1..=5 {
        bench.record(key, "image").await;
    }
    bench.serves("image", ResponseTemplate::new(401)).await;
    let failure = bench.work().await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
    assert_eq!(bench.counts().await, [0, 5, 0]);
    let listed = bench.listed().await;
    assert!(listed.iter().all(|image| image.attempt == 1), "{listed:?}");
    let depth = bench.queue.depth(&pipeline(), JobKind::Image).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight), (5, 0));
    let claims: Vec<ImageClaim> = listed.iter().map(claim_of).collect();
    let unmarked = ClaimedImage::Go { marks: 0, applied: None };
    assert_eq!(
        bench.state.claim_images(&pipeline(), &claims, 0, &dead_worker()).await.unwrap(),
        [unmarked; 5]
    );
}

#[tokio::test]
async fn many_images_that_fail_alike_are_not_given_up() {
    let bench = Bench::new().await;
    for key in 1..=60 {
        bench.record(key, "gone").await;
    }
    bench.serves("gone", ResponseTemplate::new(404)).await;
    let failure = bench.work().await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Missing));
    let [applied, outstanding, dead] = bench.counts().await;
    assert_eq!((applied, outstanding + dead), (0, 60));
    assert!((20..36).contains(&dead), "{dead}: 20, and what was in hand");
}

#[tokio::test]
async fn crash_while_looking_at_an_image_is_its_own() {
    fn crashes(bytes: &[u8], limits: &ImageLimits) -> Result<Inspected, Flaw> {
        assert_ne!(bytes, b"crash", "a mistake of ours");
        inspect(bytes, limits)
    }
    let bench = Bench::new().await;
    bench.serves_bytes("1", b"crash").await;
    bench.serves_bytes("2", &jpeg(2)).await;
    for key in 1..=2 {
        bench.record(key, &key.to_string()).await;
    }
    let mut worker = bench.worker(&bench.server.uri());
    Arc::get_mut(&mut worker.bringer).unwrap().inspect = crashes;
    bench.work_with(worker).await.unwrap();
    assert_eq!(bench.counts().await, [1, 0, 1]);
    assert_eq!(bench.letters().await[0].1.reason, Reason::Crashed);
}

#[tokio::test]
async fn image_that_could_not_be_written_is_not_fetched_again() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    bench.serves_bytes("image", &jpeg(1)).await;
    let late = Failure::new(Class::Throttled, Reason::Throttled, "later").after(Duration::ZERO);
    bench.shelf.look(|shelf| shelf.failures.push_back(late));
    let mut receipts = Vec::new();
    let (drain, working) = start(bench.worker(&bench.server.uri()));
    for _ in 0..2 {
        let job = bench.due().await.remove(0).into_job(pipeline());
        let receipt = bench.queue.publish(job).await.unwrap();
        receipt.durable().await.unwrap();
        receipts.push(bench.counts().await);
    }
    drain.cancel();
    working.await.unwrap().unwrap();
    assert_eq!(receipts, [[0, 1, 0], [1, 0, 0]]);
    assert_eq!(bench.requests().await, 1);
    bench.shelf.look(|shelf| assert_eq!(shelf.images["s1"], jpeg(1)));
}

#[tokio::test]
async fn slow_source_is_left_after_the_time_limit() {
    let mut bench = Bench::new().await;
    bench.settings.limits.time = Duration::from_millis(50);
    bench.record(1, "image").await;
    let gate = Gate::start(Vec::new()).await;
    bench.work_with(bench.worker(&gate.uri)).await.unwrap();
    assert_eq!(bench.counts().await, [0, 1, 0]);
    let due = bench.due().await;
    assert_eq!((due[0].attempt, due[0].failures[0].reason), (2, Reason::Timeout));
}

#[tokio::test]
async fn half_image_of_unknown_length_is_tried_again() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    let gate = Gate::start(response(&jpeg(1)[..300], false)).await;
    gate.open(1);
    bench.work_with(bench.worker(&gate.uri)).await.unwrap();
    assert_eq!(bench.counts().await, [0, 1, 0]);
    let failure = bench.due().await.remove(0).failures.remove(0);
    assert!(failure.message.contains("cut off after 300 bytes"), "{}", failure.message);
}

#[tokio::test]
async fn many_large_images_are_never_in_the_memory_at_once() {
    let mut bench = Bench::new().await;
    bench.settings.limits.bytes = 1_000_000;
    bench.settings.memory = 3_000_000;
    for key in 1..=16 {
        bench.record(key, &format!("image{key}")).await;
    }
    let gate = Gate::start(response(&jpeg(1), true)).await;
    let worker = bench.worker(&gate.uri);
    let budget = worker.bringer.budget.clone();
    let (opened, watched) = (gate.clone(), budget.clone());
    let watching = tokio::spawn(async move {
        opened.waiting(3).await;
        let free = watched.free();
        opened.open(16);
        free
    });
    bench.work_with(worker).await.unwrap();
    assert_eq!(watching.await.unwrap(), 0, "of each image is reserved what it may have at most");
    assert_eq!(gate.most(), 3);
    assert_eq!(bench.counts().await, [16, 0, 0]);
    assert_eq!(budget.free(), 3_000_000, "everything is given back");
}

#[tokio::test]
async fn images_that_a_worker_died_over_run_alone() {
    let bench = Bench::new().await;
    for key in 1..=4 {
        bench.record(key, &format!("image{key}")).await;
    }
    let listed = bench.listed().await;
    for dead_over in [&listed[1], &listed[3]] {
        bench.state.claim_images(&pipeline(), &[claim_of(dead_over)], 0, &dead_worker()).await.unwrap();
    }
    let gate = Gate::start(response(&jpeg(1), true)).await;
    let opened = gate.clone();
    let watching = tokio::spawn(async move {
        let mut seen = Vec::new();
        for together in [2, 1, 1] {
            let mut waiting = opened.waiting(together).await;
            waiting.sort_unstable();
            seen.push(waiting);
            opened.open(together);
            opened.none_waiting().await;
        }
        seen
    });
    bench.work_with(bench.worker(&gate.uri)).await.unwrap();
    let seen = timeout(TEST_MAX, watching).await;
    assert_eq!(seen.unwrap().unwrap(), [vec!["/image1", "/image3"], vec!["/image2"], vec!["/image4"]]);
    assert_eq!(gate.most(), 2, "what somebody died over is under way with nothing else");
    assert_eq!(bench.counts().await, [4, 0, 0]);
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
async fn image_that_many_workers_died_over_is_given_up() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    let image = bench.listed().await.remove(0);
    let claim = claim_of(&image);
    for _ in 0..MARKS_MAX {
        bench.state.claim_images(&pipeline(), std::slice::from_ref(&claim), 0, &dead_worker()).await.unwrap();
    }
    bench.work().await.unwrap();
    assert_eq!((bench.counts().await, bench.requests().await), ([0, 0, 1], 0));
    let letters = bench.letters().await;
    assert_eq!((letters[0].1.class, letters[0].1.reason), (Class::Poison, Reason::Crashed));
}

#[tokio::test]
async fn drain_ends_what_is_in_hand_and_leaves_the_rest() {
    let mut bench = Bench::new().await;
    bench.settings.parallel = 2;
    for key in 1..=5 {
        bench.record(key, &format!("image{key}")).await;
    }
    let gate = Gate::start(response(&jpeg(1), true)).await;
    for image in bench.listed().await {
        drop(bench.queue.publish(image.into_job(pipeline())).await.unwrap());
    }
    let (drain, working) = start(bench.worker(&gate.uri));
    assert_eq!(gate.waiting(2).await.len(), 2);
    drain.cancel();
    gate.open(5);
    working.await.unwrap().unwrap();
    assert_eq!(bench.counts().await, [2, 3, 0]);
    let depth = bench.queue.depth(&pipeline(), JobKind::Image).await.unwrap();
    assert_eq!((depth.ready, depth.in_flight), (3, 0));
}

#[tokio::test]
async fn overtaken_job_fetches_nothing() {
    let bench = Bench::new().await;
    bench.record(1, "old").await;
    let old = bench.listed().await.remove(0).into_job(pipeline());
    bench.record(1, "new").await;
    bench.serves_bytes("new", &jpeg(2)).await;
    let receipt = bench.queue.publish(old).await.unwrap();
    bench.work().await.unwrap();
    receipt.durable().await.unwrap();
    assert_eq!((bench.counts().await, bench.requests().await), ([1, 0, 0], 1));
    bench.shelf.look(|shelf| assert_eq!(sha256(&shelf.images["s1"]), sha256(&jpeg(2))));
}

#[tokio::test]
async fn job_without_an_image_is_dropped_and_its_record_stays_listed() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    bench.serves_bytes("image", &jpeg(1)).await;
    let mut nameless = bench.listed().await.remove(0).into_job(pipeline());
    nameless.image = None;
    nameless.run = RunId(0);
    let receipt = bench.queue.publish(nameless).await.unwrap();
    bench.work().await.unwrap();
    receipt.durable().await.unwrap();
    assert_eq!(bench.counts().await, [1, 0, 0]);
}
