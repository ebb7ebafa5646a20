//! Gathering deliveries into batches: by count, bytes and age, whichever is first.

use std::time::Duration;

use shared::queue::{Consumer, Delivery};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Bounds of a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Deliveries.
    pub records: usize,
    /// Bytes of mapped values, roughly: a batch ends with the delivery that reaches it.
    pub bytes: usize,
    /// Time since the first delivery.
    pub age: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { records: 500, bytes: 8 * 1024 * 1024, age: Duration::from_millis(50) }
    }
}

/// What gathering came to.
#[derive(Debug)]
pub enum Gathered {
    /// At least one delivery.
    Batch(Vec<Delivery>),
    /// None has come for a while.
    Idle,
    /// The consumer ended or was stopped.
    End,
}

/// The next batch. Without any delivery it waits for `idle`, or for ever.
pub async fn gather(
    consumer: &mut Consumer,
    limits: BatchLimits,
    stop: &CancellationToken,
    idle: Option<Duration>,
) -> Gathered {
    let rested = async {
        match idle {
            Some(idle) => tokio::time::sleep(idle).await,
            None => std::future::pending().await,
        }
    };
    let first = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        delivery = consumer.next() => delivery,
        () = rested => return Gathered::Idle,
    };
    let Some(first) = first else { return Gathered::End };
    let due = Instant::now() + limits.age;
    let mut bytes = size(&first);
    let mut batch = vec![first];
    while batch.len() < limits.records && bytes < limits.bytes {
        let next = if let Some(delivery) = consumer.try_next() {
            delivery
        } else {
            tokio::select! {
                () = stop.cancelled() => break,
                next = timeout_at(due, consumer.next()) => match next {
                    Ok(Some(delivery)) => delivery,
                    Ok(None) | Err(_) => break,
                },
            }
        };
        bytes += size(&next);
        batch.push(next);
    }
    Gathered::Batch(batch)
}

/// Bytes of a delivery's texts: an estimate that costs no encoding.
fn size(delivery: &Delivery) -> usize {
    delivery
        .job
        .as_ref()
        .map_or(0, |job| job.values.iter().map(|(name, value)| name.len() + weight(value)).sum())
}

fn weight(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len() + 2,
        serde_json::Value::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + weight(value)).sum()
        }
        serde_json::Value::Number(number) => number.as_str().len(),
        serde_json::Value::Null | serde_json::Value::Bool(_) => 5,
    }
}
