//! What only a queue on `RabbitMQ` does, while nothing goes wrong.

use super::*;

/// On the broker of this run, apart from all others.
pub(super) async fn open(capacity: usize) -> Queue {
    open_at(services::broker().url(), capacity).await
}

/// On this broker.
pub(super) async fn open_at(url: String, capacity: usize) -> Queue {
    let lane = |pipeline, kind| Lane { pipeline, kind, single: false };
    let settings = RabbitSettings {
        url,
        user: services::USER.to_owned(),
        password: services::PASSWORD.into(),
        prefix: services::prefix(),
        lanes: vec![lane(products(), KIND), lane(customers(), KIND)],
        capacity: capacity as u64,
        job_bytes_max: 1 << 20,
        name: "catalog-sync test".to_owned(),
    };
    Queue::rabbit(settings).await.unwrap()
}

#[tokio::test]
async fn a_receipt_is_durable_once_the_broker_has_the_job() {
    let queue = open(10).await;
    for receipt in publish(&queue, 0..10).await {
        timeout(PATIENCE, receipt.durable()).await.unwrap().unwrap();
    }
    until(&queue, 10, 0).await;
}
