//! What every queue must do, as one suite over each, and what only one of them does.
//!
//! The rules of [`every`] and [`delay`] hold for all queues. They wait for what is to happen, so they run on a paused clock (memory) as
//! on the real one (`RabbitMQ`). A new queue adds one line `conformance!(name, test attribute, opener)`, where the opener
//! makes an empty queue of a capacity.
//!
//! One difference is visible to whoever publishes: *when a receipt resolves*. The memory queue dies with its process, so
//! a job is durable there once it was settled ([`memory`]); a broker keeps what it has confirmed, so a job is durable
//! there at once ([`rabbit`]).

mod delay;
mod every;
mod faults;
mod memory;
mod rabbit;

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;
use crate::checksum::Checksum;
use crate::job::FORMAT;
use crate::record::{RunId, Version};

/// No rule waits longer for anything that has to happen.
const PATIENCE: Duration = Duration::from_mins(1);

macro_rules! conformance {
    ($queue:ident, #[$test:meta], $open:expr) => {
        mod $queue {
            use super::*;
            conformance!(@tests $open, #[$test],
                every: jobs_are_delivered_in_the_order_of_publishing,
                every: the_trace_of_a_job_comes_with_each_of_its_attempts,
                every: pipelines_and_kinds_are_delivered_apart,
                every: publishing_waits_while_the_queue_is_full,
                every: a_job_given_back_comes_first_and_is_marked,
                every: a_dropped_delivery_comes_again,
                every: a_refused_job_comes_no_more,
                delay: a_retry_comes_after_its_delay_and_not_before,
                delay: retries_come_in_the_order_of_their_delays,
                delay: a_postponed_job_comes_again_as_it_was,
                every: prefetch_bounds_the_unsettled_deliveries_of_a_consumer,
                every: dropping_a_consumer_gives_its_deliveries_back,
                every: an_acknowledgement_after_that_comes_too_late,
                every: a_wait_that_was_cancelled_loses_no_job,
                every: closing_ends_publishers_and_consumers,
                every: a_closed_queue_stays_closed,
                delay: depth_counts_what_is_ready_and_what_is_delayed,
            );
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn every_job_arrives_under_many_publishers_and_consumers() {
                every::every_job_arrives_under_many_publishers_and_consumers($open).await;
            }
        }
    };
    (@tests $open:expr, #[$test:meta], $($part:ident: $rule:ident,)*) => {
        $(
            #[$test]
            async fn $rule() {
                // On a paused clock a lost wake-up fails at once instead of hanging.
                let rule = $part::$rule($open);
                timeout(PATIENCE * 2, rule).await.expect("something that had to happen did not");
            }
        )*
    };
}

conformance!(memory_queue, #[tokio::test(start_paused = true)], async |capacity| Queue::memory(capacity));
conformance!(
    rabbit_queue,
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)],
    async |capacity| rabbit::open(capacity).await
);

const KIND: JobKind = JobKind::Record;

fn products() -> PipelineName {
    "products".parse().unwrap()
}

fn customers() -> PipelineName {
    "customers".parse().unwrap()
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
        trace: None,
        failures: Vec::new(),
    }
}

pub(super) fn job(id: u64) -> Job {
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

async fn next(consumer: &mut Consumer) -> Delivery {
    let next = timeout(PATIENCE, consumer.next()).await.expect("no delivery came");
    next.expect("the queue is open")
}

async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for _ in 0..count {
        deliveries.push(next(consumer).await);
    }
    deliveries
}

async fn depth(queue: &Queue) -> (usize, usize, usize) {
    let Depth { ready, in_flight, delayed } = queue.depth(&products(), KIND).await.unwrap();
    (ready, in_flight, delayed)
}

/// Waits until so many jobs are ready and so many delayed: what a broker was told is true a moment later.
async fn until(queue: &Queue, ready: usize, delayed: usize) {
    let looking = async {
        loop {
            let seen = depth(queue).await;
            if (seen.0, seen.2) == (ready, delayed) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let came_about = timeout(PATIENCE, looking).await.is_ok();
    assert!(
        came_about,
        "{ready} ready and {delayed} delayed did not come about, but {:?}",
        depth(queue).await
    );
}
