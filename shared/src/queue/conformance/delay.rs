//! What is true of every queue that brings jobs later.

use tokio::time::Instant;

use super::*;

pub(super) async fn a_retry_comes_after_its_delay_and_not_before(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, [0]).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    let delivery = next(&mut consumer).await;
    let again = next_attempt(&delivery);
    let start = Instant::now();
    delivery.retry(again.clone(), TIERS[0]).await.unwrap();
    assert!(consumer.try_next().is_none());
    until(&queue, 0, 1).await;
    let delivery = next(&mut consumer).await;
    let waited = start.elapsed();
    assert!(waited >= TIERS[0] && waited < TIERS[1], "{waited:?}");
    assert_eq!((delivery.job.as_ref(), delivery.redelivered), (Ok(&again), false));
    assert!(delivery.ack().await.unwrap());
    until(&queue, 0, 0).await;
}

pub(super) async fn retries_come_in_the_order_of_their_delays(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, 0..3).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    for (delivery, delay) in take(&mut consumer, 3).await.into_iter().zip([TIERS[1], TIERS[0], Duration::MAX])
    {
        let again = next_attempt(&delivery);
        delivery.retry(again, delay).await.unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..2 {
        let delivery = next(&mut consumer).await;
        order.push(id(&delivery));
        delivery.ack().await.unwrap();
    }
    assert_eq!(order, [1, 0]);
    // A delay beyond all clocks is a delay.
    until(&queue, 0, 1).await;
}

pub(super) async fn a_postponed_job_comes_again_as_it_was(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    publish(&queue, [0]).await;
    let mut consumer = queue.consume(&products(), KIND, 1);
    let mut delivery = next(&mut consumer).await;
    delivery.take_job().unwrap();
    let start = Instant::now();
    delivery.postpone(Duration::from_millis(1)).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert!(start.elapsed() >= Duration::from_millis(1));
    assert_eq!(delivery.job, Ok(job(0)), "no attempt was spent");
    assert!(delivery.ack().await.unwrap());
    until(&queue, 0, 0).await;
}

pub(super) async fn depth_counts_what_is_ready_and_what_is_delayed(open: impl AsyncFn(usize) -> Queue) {
    let queue = open(10).await;
    until(&queue, 0, 0).await;
    publish(&queue, 0..4).await;
    until(&queue, 4, 0).await;
    let mut consumer = queue.consume(&products(), KIND, 2);
    let held = next(&mut consumer).await;
    let delivery = next(&mut consumer).await;
    let again = next_attempt(&delivery);
    drop(consumer.try_next());
    delivery.retry(again, TIERS[4]).await.unwrap();
    drop((held, consumer));
    until(&queue, 3, 1).await;
}
