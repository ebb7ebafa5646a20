//! Many images at once, those that somebody died over, and the drain.

use super::super::super::bring::Brought;
use super::*;

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
async fn what_ends_is_settled_with_what_ends_soon_after_unless_it_went_wrong() {
    let bench = Bench::new().await;
    let worker = bench.worker(&bench.server.uri());
    let mut receipts = Vec::new();
    for key in 1..=5 {
        bench.record(key, &format!("image{key}")).await;
    }
    for image in bench.due().await {
        receipts.push(bench.queue.publish(image.into_job(pipeline())).await.unwrap());
    }
    let mut consumer = bench.queue.consume(&pipeline(), JobKind::Image, 5);
    let mut work = async || worker.unpack(consumer.next().await.unwrap()).await.unwrap().unwrap();
    let good = Brought { outcome: Outcome::Created, hash: None, written: None };
    let is_due = |line: &Line| line.settle_at(16).is_some_and(|due| due <= Instant::now());

    let mut line = Line::default();
    assert_eq!(line.settle_at(16), None);
    line.running.spawn(std::future::pending());
    line.end(Ok((work().await, Ok(good))));
    let first = line.settle_at(16);
    line.end(Ok((work().await, Ok(good))));
    assert!(!is_due(&line) && first.is_some() && line.settle_at(16) == first, "from the first one on");
    assert_eq!((line.under_way(), line.room(16)), (3, 13), "what is not settled takes its place");
    line.end(Ok((work().await, Ok(good))));
    line.end(Ok((work().await, Ok(good))));
    assert!(is_due(&line), "four of sixteen are enough");
    assert_eq!((line.take_ended().len(), line.settle_at(16)), (4, None));
    line.end(Ok((work().await, Err(Failure::interrupted("stopped")))));
    assert!(is_due(&line), "what went wrong is told at once");
    line.take_ended();
    line.running.abort_all();
    let aborted = line.running.join_next().await.unwrap();
    line.end(aborted);
    assert!(is_due(&line), "nothing else is waited for");
}
