//! Images that fail, and sources that do.

use super::*;

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
