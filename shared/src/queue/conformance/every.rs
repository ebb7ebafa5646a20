//! What is true of every queue.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::failure::Class;
use crate::trace::Trace;

pub(super) async fn jobs_are_delivered_in_the_order_of_publishing(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(300).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    publish(&queue, 0..200).await;
    for expected in 0..200 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.job, Ok(job(expected)));
        assert!(!delivery.redelivered);
        assert!(delivery.ack().await.unwrap());
    }
    assert!(consumer.try_next().is_none());
    until(&queue, 0, 0).await;
}

pub(super) async fn the_trace_of_a_job_comes_with_each_of_its_attempts(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    let job = job(7);
    let trace = Trace::of(&job.pipeline, &job.key, job.version);
    queue.publish(Job { trace: Some(trace), ..job }).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.job.as_ref().unwrap().trace, Some(trace));
    let again = next_attempt(&delivery);
    delivery.retry(again, crate::queue::TIERS[0]).await.unwrap();
    let delivery = next(&mut consumer).await;
    let Job { trace: kept, attempt, .. } = delivery.job.as_ref().unwrap();
    assert_eq!((*kept, *attempt), (Some(trace), 2));
    delivery.ack().await.unwrap();
}

pub(super) async fn pipelines_and_kinds_are_delivered_apart(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, [0]).await;
    queue.publish(job_of(customers(), 7)).await.unwrap();
    let image = Job { kind: JobKind::Image, image: Some("front.jpg".parse().unwrap()), ..job(8) };
    queue.publish(image).await.unwrap();
    let mut records = queue.consume(&customers(), KIND, 10);
    let mut images = queue.consume(&products(), JobKind::Image, 10);
    for (consumer, expected) in [(&mut records, 7), (&mut images, 8)] {
        let delivery = next(consumer).await;
        assert_eq!(id(&delivery), expected);
        delivery.ack().await.unwrap();
    }
    until(&queue, 1, 0).await;
    assert!(records.try_next().is_none() && images.try_next().is_none());
}

pub(super) async fn publishing_waits_while_the_queue_is_full(open: impl AsyncFn(usize) -> Queue) {
    const JOBS: usize = 1_000;
    let queue = open(5).await;
    let publishing = queue.clone();
    let mut publisher = tokio::spawn(async move { publish(&publishing, 0..JOBS as u64).await });
    let full = async {
        while depth(&queue).await.0 < 5 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, full).await.unwrap();
    assert!(timeout(Duration::from_millis(500), &mut publisher).await.is_err(), "all were published");
    assert!(depth(&queue).await.0 < JOBS / 2);
    let mut consumer = queue.consume(&products(), KIND, 10);
    let mut seen = HashSet::new();
    while seen.len() < JOBS {
        let delivery = next(&mut consumer).await;
        seen.insert(id(&delivery));
        delivery.ack().await.unwrap();
    }
    for receipt in publisher.await.unwrap() {
        receipt.durable().await.unwrap();
    }
    until(&queue, 0, 0).await;
}

pub(super) async fn a_job_given_back_comes_first_and_is_marked(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, 0..3).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    next(&mut consumer).await.give_back().await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut consumer).await;
        seen.push((id(&delivery), delivery.redelivered));
        delivery.ack().await.unwrap();
    }
    assert_eq!(seen, [(0, true), (1, false), (2, false)]);
}

pub(super) async fn a_dropped_delivery_comes_again(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, [0]).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    drop(next(&mut consumer).await);
    let mut delivery = next(&mut consumer).await;
    assert!(delivery.redelivered);
    // A worker that took the job out of the delivery and died.
    assert_eq!(delivery.take_job(), Ok(job(0)));
    drop(delivery);
    assert_eq!(next(&mut consumer).await.job, Ok(job(0)));
}

pub(super) async fn a_refused_job_comes_no_more(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, [0, 1]).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    next(&mut consumer).await.refuse();
    let delivery = next(&mut consumer).await;
    assert_eq!(id(&delivery), 1);
    delivery.ack().await.unwrap();
    until(&queue, 0, 0).await;
}

pub(super) async fn prefetch_bounds_the_unsettled_deliveries_of_a_consumer(
    open: impl AsyncFn(usize) -> Queue,
) {
    let queue = open(10).await;
    publish(&queue, 0..5).await;
    let mut consumer = queue.consume(&products(), KIND, 2);
    let mut held = take(&mut consumer, 2).await;
    until(&queue, 3, 0).await;
    assert!(consumer.try_next().is_none());
    held.remove(0).ack().await.unwrap();
    assert_eq!(id(&next(&mut consumer).await), 2, "dropped, it is given back");
    let mut other = queue.consume(&products(), KIND, 0);
    let delivery = next(&mut other).await;
    assert!(other.try_next().is_none(), "no prefetch is a prefetch of one");
    drop(delivery);
}

pub(super) async fn dropping_a_consumer_gives_its_deliveries_back(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, 0..5).await;
    let mut consumer = queue.consume(&products(), KIND, 4);
    let held = take(&mut consumer, 3).await;
    drop(consumer);
    until(&queue, 5, 0).await;
    let mut other = queue.consume(&products(), KIND, 10);
    let mut seen: Vec<(u64, bool)> =
        take(&mut other, 5).await.iter().map(|delivery| (id(delivery), delivery.redelivered)).collect();
    seen.sort_unstable();
    // Whether the fourth was sent ahead is the queue's business.
    seen.remove(3);
    assert_eq!(seen, [(0, true), (1, true), (2, true), (4, false)]);
    drop(held);
}

pub(super) async fn an_acknowledgement_after_that_comes_too_late(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, 0..3).await;
    let mut consumer = queue.consume(&products(), KIND, 3);
    let mut held = take(&mut consumer, 3).await;
    drop(consumer);
    until(&queue, 3, 0).await;
    assert!(!held.remove(0).ack().await.unwrap());
    let delivery = held.remove(0);
    let again = next_attempt(&delivery);
    delivery.retry(again, TIERS[4]).await.unwrap();
    held.remove(0).give_back().await.unwrap();
    let mut other = queue.consume(&products(), KIND, 10);
    let mut seen = Vec::new();
    for delivery in take(&mut other, 3).await {
        seen.push(id(&delivery));
        assert!(delivery.ack().await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2], "each is there once");
    until(&queue, 0, 0).await;
}

pub(super) async fn a_wait_that_was_cancelled_loses_no_job(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(100).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    let mut seen = Vec::new();
    publish(&queue, 0..50).await;
    while seen.len() < 50 {
        // Cut off at every possible moment.
        if let Ok(delivery) = timeout(Duration::from_micros(50), consumer.next()).await {
            let delivery = delivery.unwrap();
            seen.push(id(&delivery));
            delivery.ack().await.unwrap();
        }
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

pub(super) async fn closing_ends_publishers_and_consumers(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(2).await;
    let publishing = queue.clone();
    let publisher = tokio::spawn(async move {
        let mut receipts = Vec::new();
        loop {
            match publishing.publish(job(0)).await {
                Ok(receipt) => receipts.push(receipt),
                Err(failure) => return (receipts, failure),
            }
        }
    });
    let mut consumer = queue.consume(&products(), KIND, 1);
    let held = next(&mut consumer).await;
    let mut waiting = queue.consume(&customers(), KIND, 1);
    let waiting = tokio::spawn(async move { waiting.next().await.is_none() });
    let full = async {
        while depth(&queue).await.0 < 1 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, full).await.unwrap();
    queue.close();
    let (receipts, failure) = publisher.await.unwrap();
    assert_eq!(failure.class, Class::Interrupted);
    let last = receipts.into_iter().next_back().unwrap();
    assert_eq!(last.durable().await.unwrap_err().class, Class::Interrupted);
    assert!(waiting.await.unwrap(), "a consumer that waits ends");
    assert!(consumer.next().await.is_none() && consumer.try_next().is_none());
    assert!(!held.ack().await.unwrap(), "it was given up with the queue");
    queue.closed().await;
}

pub(super) async fn a_closed_queue_stays_closed(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(1).await;
    let mut waiting = queue.consume(&products(), KIND, 1);
    queue.close();
    assert!(waiting.next().await.is_none());
    queue.close();
    queue.closed().await;
    let unheard_of: PipelineName = "unheard-of".parse().unwrap();
    for pipeline in [products(), unheard_of] {
        assert_eq!(queue.publish(job_of(pipeline.clone(), 0)).await.unwrap_err().class, Class::Interrupted);
        assert!(queue.consume(&pipeline, KIND, 1).next().await.is_none());
    }
}

/// Consumers that retry, give back, drop and stop; at the end every job was acked.
pub(super) async fn every_job_arrives_under_many_publishers_and_consumers(
    open: impl AsyncFn(usize) -> Queue,
) {
    const PUBLISHERS: u64 = 8;
    const CONSUMERS: usize = 6;
    const JOBS_EACH: u64 = 500;
    let queue = open(50).await;
    let acked = Arc::new(Mutex::new(HashMap::<u64, u32>::new()));
    let deliveries = Arc::new(AtomicUsize::new(0));
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|number| {
            let (queue, acked, deliveries) = (queue.clone(), Arc::clone(&acked), Arc::clone(&deliveries));
            tokio::spawn(async move {
                let mut consumer = queue.consume(&products(), KIND, 1 + number);
                while let Some(delivery) = consumer.next().await {
                    let count = deliveries.fetch_add(1, Ordering::Relaxed);
                    let job = delivery.job.clone().unwrap();
                    match count % 13 {
                        1 if job.attempt < 3 && count % 5 == 0 => {
                            let again = next_attempt(&delivery);
                            delivery.retry(again, Duration::from_millis(1)).await.unwrap();
                        }
                        2 => delivery.give_back().await.unwrap(),
                        3 => drop(delivery),
                        4 if count % 11 == 0 => {
                            consumer = queue.consume(&products(), KIND, 1 + number);
                            assert!(!delivery.ack().await.unwrap(), "its consumer is gone");
                        }
                        _ => {
                            if delivery.ack().await.unwrap() {
                                *acked.lock().unwrap().entry(job.place).or_default() += 1;
                            }
                        }
                    }
                }
            })
        })
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let ids = publisher * JOBS_EACH..(publisher + 1) * JOBS_EACH;
                for receipt in publish(&queue, ids).await {
                    receipt.durable().await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        timeout(PATIENCE * 2, publisher).await.expect("a wake-up was lost").unwrap();
    }
    let all = async {
        while acked.lock().unwrap().len() as u64 != PUBLISHERS * JOBS_EACH {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came = timeout(PATIENCE, all).await.is_ok();
    let acks = acked.lock().unwrap().clone();
    let missing: Vec<u64> = (0..PUBLISHERS * JOBS_EACH).filter(|id| !acks.contains_key(id)).collect();
    assert!(came, "these never came: {missing:?}; {:?}, {:?}", depth(&queue).await, queue.health());
    until(&queue, 0, 0).await;
    queue.close();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let acked = acked.lock().unwrap();
    assert!(acked.values().all(|count| *count == 1), "nothing was lost on the way, so nothing came twice");
}
