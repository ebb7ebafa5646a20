//! What only the queue in memory does: it answers at once, and its clock can be paused.

use std::pin::pin;
use std::task::Poll;

use tokio::time::Instant;

use super::*;
use crate::failure::Class;

macro_rules! rules {
    ($($rule:ident,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $rule() {
                // By the paused clock: a lost wake-up fails at once instead of hanging.
                let rule = super::$rule(Queue::memory);
                tokio::time::timeout(Duration::from_hours(48), rule).await.expect("a wake-up was lost");
            }
        )*
    };
}

mod rules {
    use super::*;

    rules!(
        a_receipt_is_durable_once_the_job_is_acked,
        publishing_waits_while_the_queue_is_full_and_in_order,
        a_publisher_that_gives_up_takes_no_place,
        pipelines_are_bounded_apart,
        a_job_given_back_reaches_a_consumer_that_waits,
        a_long_retry_comes_after_its_delay_and_not_before,
        a_waiting_consumer_learns_of_an_earlier_retry,
        a_retry_reaches_another_consumer_when_the_first_one_stops_waiting,
        a_full_queue_takes_retries_and_jobs_given_back,
        a_consumer_at_its_prefetch_takes_no_wake_up_from_another,
        dropping_a_consumer_gives_its_deliveries_back_in_order,
        a_wait_that_was_cancelled_loses_no_wake_up,
        closing_fails_the_receipts_of_what_was_not_settled,
        depth_counts_each_job_once,
    );
}

/// Takes what is there without waiting.
fn drain(consumer: &mut Consumer) -> Vec<Delivery> {
    std::iter::from_fn(|| consumer.try_next()).collect()
}

/// Whether a future waits when it is polled.
async fn waits<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
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

async fn pipelines_are_bounded_apart(open: impl Fn(usize) -> Queue) {
    let queue = open(1);
    publish(&queue, [0]).await;
    queue.publish(job_of(customers(), 7)).await.unwrap();
    let mut consumer = queue.consume(&customers(), KIND, 10);
    assert_eq!(drain(&mut consumer).iter().map(id).collect::<Vec<_>>(), [7]);
    assert_eq!(depth(&queue).await, (1, 0, 0));
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

async fn a_long_retry_comes_after_its_delay_and_not_before(open: impl Fn(usize) -> Queue) {
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

async fn a_wait_that_was_cancelled_loses_no_wake_up(open: impl Fn(usize) -> Queue) {
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

async fn closing_fails_the_receipts_of_what_was_not_settled(open: impl Fn(usize) -> Queue) {
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
