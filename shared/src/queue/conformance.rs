//! What every queue must do, as one suite. A new queue adds one line `conformance!(name, opener)`, where the opener makes
//! an empty queue of a capacity.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::checksum::Checksum;
use crate::failure::Class;
use crate::job::FORMAT;
use crate::record::{RunId, Version};

macro_rules! conformance {
    ($queue:ident, $open:expr) => {
        mod $queue {
            use super::*;
            conformance!(@tests $open;
                jobs_are_delivered_in_the_order_of_publishing,
                a_receipt_is_durable_once_the_job_is_acked,
                publishing_waits_while_the_queue_is_full_and_in_order,
                a_publisher_that_gives_up_takes_no_place,
                pipelines_are_bounded_and_delivered_apart,
                a_job_given_back_comes_first_and_is_marked,
                a_job_given_back_reaches_a_consumer_that_waits,
                a_dropped_delivery_comes_again,
                a_retry_comes_after_its_delay_and_not_before,
                retries_come_in_the_order_of_their_delays,
                a_waiting_consumer_learns_of_an_earlier_retry,
                a_retry_reaches_another_consumer_when_the_first_one_stops_waiting,
                a_full_queue_takes_retries_and_jobs_given_back,
                prefetch_bounds_the_unsettled_deliveries_of_a_consumer,
                a_consumer_at_its_prefetch_takes_no_wake_up_from_another,
                dropping_a_consumer_gives_its_deliveries_back_in_order,
                an_acknowledgement_after_that_comes_too_late,
                a_wait_that_was_cancelled_loses_no_job,
                closing_ends_publishers_consumers_and_receipts,
                a_closed_queue_stays_closed,
                depth_counts_each_job_once,
            );
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn every_job_arrives_under_many_publishers_and_consumers() {
                super::every_job_arrives_under_many_publishers_and_consumers($open).await;
            }
        }
    };
    (@tests $open:expr; $($rule:ident,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $rule() {
                // By the paused clock: a lost wake-up fails at once instead of hanging.
                let rule = super::$rule($open);
                tokio::time::timeout(Duration::from_hours(48), rule).await.expect("a wake-up was lost");
            }
        )*
    };
}

conformance!(memory, Queue::memory);

const KIND: JobKind = JobKind::Record;

fn products() -> PipelineName {
    "products".parse().unwrap()
}

fn job_of(pipeline: PipelineName, id: u64) -> Job {
    Job {
        format: FORMAT,
        kind: KIND,
        pipeline,
        key: id.into(),
        version: Version { epoch: 1, sequence: id },
        checksum: Checksum::try_from([1; 32].as_slice()).unwrap(),
        run: RunId(1),
        place: id,
        attempt: 1,
        values: serde_json::from_str(r#"{"list_price":10.50}"#).unwrap(),
        image: None,
        sink_id: None,
        source_time: None,
        failures: Vec::new(),
    }
}

fn job(id: u64) -> Job {
    job_of(products(), id)
}

fn next_attempt(delivery: &Delivery) -> Job {
    let job = delivery.job.clone().unwrap();
    Job { attempt: job.attempt + 1, ..job }
}

fn id(delivery: &Delivery) -> u64 {
    delivery.job.as_ref().unwrap().place
}

async fn publish(queue: &Queue, ids: impl IntoIterator<Item = u64>) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for id in ids {
        receipts.push(queue.publish(job(id)).await.unwrap());
    }
    receipts
}

/// Takes and acks what is there without waiting.
fn drain(consumer: &mut Consumer) -> Vec<Delivery> {
    std::iter::from_fn(|| consumer.try_next()).collect()
}

async fn depth(queue: &Queue) -> (usize, usize, usize) {
    let Depth { ready, in_flight, delayed } = queue.depth(&products(), KIND).await.unwrap();
    (ready, in_flight, delayed)
}

/// Whether a future waits when it is polled.
async fn waits<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

async fn jobs_are_delivered_in_the_order_of_publishing(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    let mut consumer = queue.consume(&products(), KIND, 10);
    publish(&queue, 0..5).await;
    for expected in 0..5 {
        let delivery = consumer.next().await.unwrap();
        assert_eq!(delivery.job, Ok(job(expected)));
        assert!(!delivery.redelivered);
        assert!(delivery.ack().await.unwrap());
    }
    assert!(consumer.try_next().is_none());
    assert_eq!(depth(&queue).await, (0, 0, 0));
}

async fn a_receipt_is_durable_once_the_job_is_acked(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    let receipt = publish(&queue, [1]).await.remove(0);
    let mut durable = pin!(receipt.durable());
    let mut consumer = queue.consume(&products(), KIND, 1);
    let delivery = consumer.next().await.unwrap();
    assert!(waits(&mut durable).await, "delivered is not settled");
    let next = next_attempt(&delivery);
    delivery.retry(next, Duration::from_secs(5)).await.unwrap();
    let delivery = consumer.next().await.unwrap();
    assert!(waits(&mut durable).await, "to be retried is not settled");
    delivery.ack().await.unwrap();
    durable.await.unwrap();
}

async fn publishing_waits_while_the_queue_is_full_and_in_order(open: impl Fn(usize) -> Queue) {
    let queue = open(2);
    publish(&queue, [0, 1]).await;
    let mut third = pin!(queue.publish(job(2)));
    let mut fourth = pin!(queue.publish(job(3)));
    assert!(waits(&mut third).await && waits(&mut fourth).await);
    let mut consumer = queue.consume(&products(), KIND, 10);
    let delivery = consumer.next().await.unwrap();
    assert!(waits(&mut third).await, "in flight is still in the queue");
    delivery.ack().await.unwrap();
    assert!(waits(&mut fourth).await, "the third came first");
    third.await.unwrap();
    consumer.next().await.unwrap().ack().await.unwrap();
    fourth.await.unwrap();
    assert_eq!(drain(&mut consumer).iter().map(id).collect::<Vec<_>>(), [2, 3]);
}

async fn a_publisher_that_gives_up_takes_no_place(open: impl Fn(usize) -> Queue) {
    let queue = open(1);
    publish(&queue, [0]).await;
    {
        let mut given_up = pin!(queue.publish(job(1)));
        assert!(waits(&mut given_up).await);
    }
    let mut consumer = queue.consume(&products(), KIND, 1);
    consumer.next().await.unwrap().ack().await.unwrap();
    publish(&queue, [2]).await;
    assert_eq!(id(&consumer.next().await.unwrap()), 2);
}

async fn pipelines_are_bounded_and_delivered_apart(open: impl Fn(usize) -> Queue) {
    let queue = open(1);
    let customers: PipelineName = "customers".parse().unwrap();
    publish(&queue, [0]).await;
    queue.publish(job_of(customers.clone(), 7)).await.unwrap();
    let mut consumer = queue.consume(&customers, KIND, 10);
    assert_eq!(drain(&mut consumer).iter().map(id).collect::<Vec<_>>(), [7]);
    assert_eq!(depth(&queue).await, (1, 0, 0));
}

async fn a_job_given_back_comes_first_and_is_marked(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, 0..3).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    consumer.next().await.unwrap().give_back().await.unwrap();
    let seen: Vec<(u64, bool)> = drain(&mut consumer).iter().map(|d| (id(d), d.redelivered)).collect();
    assert_eq!(seen, [(0, true), (1, false), (2, false)]);
}

async fn a_job_given_back_reaches_a_consumer_that_waits(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, [0]).await;
    let mut holder = queue.consume(&products(), KIND, 1);
    let mut other = queue.consume(&products(), KIND, 1);
    let delivery = holder.next().await.unwrap();
    let mut waiting = pin!(other.next());
    assert!(waits(&mut waiting).await);
    delivery.give_back().await.unwrap();
    assert_eq!(id(&waiting.await.unwrap()), 0);
}

async fn a_dropped_delivery_comes_again(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, [0]).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    drop(consumer.next().await.unwrap());
    let mut delivery = consumer.next().await.unwrap();
    assert!(delivery.redelivered);
    // A worker that took the job out of the delivery and died.
    delivery.job = Ok(job(99));
    drop(delivery);
    assert_eq!(consumer.next().await.unwrap().job, Ok(job(0)));
}

async fn a_retry_comes_after_its_delay_and_not_before(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, [0]).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    let delivery = consumer.next().await.unwrap();
    let next = next_attempt(&delivery);
    let start = Instant::now();
    delivery.retry(next.clone(), Duration::from_mins(1)).await.unwrap();
    assert!(consumer.try_next().is_none());
    assert_eq!(depth(&queue).await, (0, 0, 1));
    let delivery = consumer.next().await.unwrap();
    let waited = start.elapsed();
    assert!(waited >= Duration::from_mins(1) && waited < Duration::from_secs(61), "{waited:?}");
    assert_eq!((delivery.job.as_ref().unwrap(), delivery.redelivered), (&next, false));
}

async fn retries_come_in_the_order_of_their_delays(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, 0..4).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    for (delivery, seconds) in drain(&mut consumer).into_iter().zip([30, 10, 20, 10]) {
        let next = next_attempt(&delivery);
        delivery.retry(next, Duration::from_secs(seconds)).await.unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let delivery = consumer.next().await.unwrap();
        order.push(id(&delivery));
        delivery.ack().await.unwrap();
    }
    assert_eq!(order, [1, 3, 2, 0]);
    publish(&queue, [4]).await;
    let delivery = consumer.next().await.unwrap();
    let next = next_attempt(&delivery);
    delivery.retry(next, Duration::MAX).await.unwrap();
    assert_eq!(depth(&queue).await, (0, 0, 1), "a delay beyond all clocks is a delay");
}

async fn a_waiting_consumer_learns_of_an_earlier_retry(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, [0, 1]).await;
    let mut first = queue.consume(&products(), KIND, 10);
    let mut second = queue.consume(&products(), KIND, 10);
    let (late, early) = (first.next().await.unwrap(), first.next().await.unwrap());
    let (next_late, next_early) = (next_attempt(&late), next_attempt(&early));
    late.retry(next_late, Duration::from_hours(1)).await.unwrap();
    let mut waiting = pin!(second.next());
    assert!(waits(&mut waiting).await);
    let start = Instant::now();
    early.retry(next_early, Duration::from_secs(1)).await.unwrap();
    assert_eq!(id(&waiting.await.unwrap()), 1);
    assert!(start.elapsed() < Duration::from_secs(2));
}

async fn a_retry_reaches_another_consumer_when_the_first_one_stops_waiting(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, [0]).await;
    let mut first = queue.consume(&products(), KIND, 10);
    let mut second = queue.consume(&products(), KIND, 10);
    let delivery = first.next().await.unwrap();
    let next = next_attempt(&delivery);
    let mut waiting = pin!(second.next());
    {
        let mut stops = pin!(first.next());
        assert!(waits(&mut stops).await && waits(&mut waiting).await);
        delivery.retry(next, Duration::from_secs(1)).await.unwrap();
        assert!(waits(&mut stops).await);
    }
    let start = Instant::now();
    assert_eq!(id(&waiting.await.unwrap()), 0);
    assert!(start.elapsed() < Duration::from_secs(2));
}

async fn a_full_queue_takes_retries_and_jobs_given_back(open: impl Fn(usize) -> Queue) {
    let queue = open(3);
    publish(&queue, 0..3).await;
    let mut publisher = pin!(queue.publish(job(3)));
    assert!(waits(&mut publisher).await);
    let mut consumer = queue.consume(&products(), KIND, 10);
    let mut deliveries = drain(&mut consumer);
    let delivery = deliveries.remove(0);
    let next = next_attempt(&delivery);
    delivery.retry(next, Duration::from_mins(1)).await.unwrap();
    deliveries.remove(0).give_back().await.unwrap();
    assert_eq!(depth(&queue).await, (1, 1, 1));
    assert!(waits(&mut publisher).await, "they hold their places");
    deliveries.remove(0).ack().await.unwrap();
    publisher.await.unwrap();
}

async fn prefetch_bounds_the_unsettled_deliveries_of_a_consumer(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, 0..5).await;
    let mut consumer = queue.consume(&products(), KIND, 2);
    let mut held = drain(&mut consumer);
    assert_eq!(held.len(), 2);
    {
        let mut waiting = pin!(consumer.next());
        assert!(waits(&mut waiting).await);
        held.remove(0).ack().await.unwrap();
        assert_eq!(id(&waiting.await.unwrap()), 2);
    }
    let mut other = queue.consume(&products(), KIND, 0);
    let delivery = other.next().await.unwrap();
    assert!(other.try_next().is_none(), "no prefetch is a prefetch of one");
    drop(delivery);
}

async fn a_consumer_at_its_prefetch_takes_no_wake_up_from_another(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, [0]).await;
    let mut full = queue.consume(&products(), KIND, 1);
    let mut idle = queue.consume(&products(), KIND, 1);
    let held = full.next().await.unwrap();
    let mut first = pin!(full.next());
    let mut second = pin!(idle.next());
    assert!(waits(&mut first).await && waits(&mut second).await);
    publish(&queue, [1]).await;
    let delivery = tokio::time::timeout(Duration::from_secs(1), second).await.unwrap();
    assert_eq!(id(&delivery.unwrap()), 1);
    drop(held);
}

async fn dropping_a_consumer_gives_its_deliveries_back_in_order(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, 0..5).await;
    let mut consumer = queue.consume(&products(), KIND, 3);
    let held = drain(&mut consumer);
    drop(consumer);
    let mut other = queue.consume(&products(), KIND, 10);
    let seen: Vec<(u64, bool)> = drain(&mut other).iter().map(|d| (id(d), d.redelivered)).collect();
    assert_eq!(seen, [(0, true), (1, true), (2, true), (3, false), (4, false)]);
    drop(held);
}

async fn an_acknowledgement_after_that_comes_too_late(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    publish(&queue, 0..3).await;
    let mut consumer = queue.consume(&products(), KIND, 3);
    let mut held = drain(&mut consumer);
    drop(consumer);
    assert!(!held.remove(0).ack().await.unwrap());
    let delivery = held.remove(0);
    let next = next_attempt(&delivery);
    delivery.retry(next, Duration::from_secs(1)).await.unwrap();
    held.remove(0).give_back().await.unwrap();
    assert_eq!(depth(&queue).await, (3, 0, 0), "each is there once");
}

async fn a_wait_that_was_cancelled_loses_no_job(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    let mut first = queue.consume(&products(), KIND, 1);
    let mut second = queue.consume(&products(), KIND, 1);
    let mut waiting = pin!(second.next());
    {
        let mut cancelled = pin!(first.next());
        assert!(waits(&mut cancelled).await && waits(&mut waiting).await);
        // The first in line is woken, and goes away before it looks.
        publish(&queue, [0]).await;
    }
    let delivery = tokio::time::timeout(Duration::from_secs(1), waiting).await.unwrap();
    assert_eq!(id(&delivery.unwrap()), 0);
}

async fn closing_ends_publishers_consumers_and_receipts(open: impl Fn(usize) -> Queue) {
    let queue = open(4);
    let mut receipts = publish(&queue, 0..4).await;
    let mut holder = queue.consume(&products(), KIND, 2);
    let in_flight = holder.next().await.unwrap();
    let delayed = holder.next().await.unwrap();
    let next = next_attempt(&delayed);
    delayed.retry(next, Duration::from_secs(1)).await.unwrap();
    let acked = holder.next().await.unwrap();
    acked.ack().await.unwrap();
    publish(&queue, [4]).await;
    let held = [holder.next().await.unwrap(), in_flight];
    let mut other = queue.consume(&products(), KIND, 10);
    assert!(drain(&mut other).remove(0).ack().await.unwrap());
    publish(&queue, [5]).await;

    let mut publisher = pin!(queue.publish(job(9)));
    let mut at_prefetch = pin!(holder.next());
    assert!(waits(&mut publisher).await && waits(&mut at_prefetch).await);
    queue.close();
    assert_eq!(publisher.await.unwrap_err().class, Class::Interrupted);
    assert!(at_prefetch.await.is_none());
    assert!(other.next().await.is_none() && other.try_next().is_none());
    receipts.remove(2).durable().await.unwrap();
    for receipt in [receipts.remove(0), receipts.remove(0)] {
        assert_eq!(receipt.durable().await.unwrap_err().class, Class::Interrupted);
    }
    for delivery in held {
        assert!(!delivery.ack().await.unwrap(), "it was given up with the queue");
    }
}

async fn a_closed_queue_stays_closed(open: impl Fn(usize) -> Queue) {
    let queue = open(1);
    let mut waiting = queue.consume(&products(), KIND, 1);
    {
        let mut next = pin!(waiting.next());
        assert!(waits(&mut next).await);
        queue.close();
        assert!(next.await.is_none());
    }
    queue.close();
    let unheard_of: PipelineName = "unheard-of".parse().unwrap();
    for pipeline in [products(), unheard_of] {
        assert_eq!(queue.publish(job_of(pipeline.clone(), 0)).await.unwrap_err().class, Class::Interrupted);
        assert!(queue.consume(&pipeline, KIND, 1).next().await.is_none());
        assert_eq!(queue.depth(&pipeline, KIND).await.unwrap(), Depth::default());
    }
}

async fn depth_counts_each_job_once(open: impl Fn(usize) -> Queue) {
    let queue = open(10);
    assert_eq!(depth(&queue).await, (0, 0, 0));
    publish(&queue, 0..4).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    let held = consumer.next().await.unwrap();
    let delivery = consumer.next().await.unwrap();
    let next = next_attempt(&delivery);
    delivery.retry(next, Duration::from_secs(10)).await.unwrap();
    assert_eq!(depth(&queue).await, (2, 1, 1));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(depth(&queue).await, (3, 1, 0));
    held.ack().await.unwrap();
    assert_eq!(depth(&queue).await, (3, 0, 0));
}

/// Consumers that retry, give back, drop and stop; at the end every job was acked exactly once.
async fn every_job_arrives_under_many_publishers_and_consumers(open: impl Fn(usize) -> Queue) {
    const PUBLISHERS: u64 = 8;
    const CONSUMERS: usize = 6;
    const JOBS_EACH: u64 = 2_000;
    let queue = open(50);
    let acked = Arc::new(std::sync::Mutex::new(HashMap::<u64, u32>::new()));
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
                        1 if job.attempt < 3 => {
                            let next = next_attempt(&delivery);
                            delivery.retry(next, Duration::from_millis(count as u64 % 3)).await.unwrap();
                        }
                        2 => delivery.give_back().await.unwrap(),
                        3 => drop(delivery),
                        4 => {
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
                let mut receipts = Vec::new();
                for number in 0..JOBS_EACH {
                    receipts.push(queue.publish(job(publisher * JOBS_EACH + number)).await.unwrap());
                }
                for receipt in receipts {
                    receipt.durable().await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        tokio::time::timeout(Duration::from_mins(1), publisher).await.expect("a wake-up was lost").unwrap();
    }
    assert_eq!(depth(&queue).await, (0, 0, 0));
    queue.close();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let acked = acked.lock().unwrap();
    assert_eq!(acked.len() as u64, PUBLISHERS * JOBS_EACH);
    assert!(acked.values().all(|count| *count == 1));
}
