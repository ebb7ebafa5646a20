//! Somebody else on the broker that all tests share, who looks into a fleet's queues and puts into them what he likes.

use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Queue};

use super::processes::Fleet;

/// Names of queues are without the fleet's prefix, like `items.record`.
pub(super) struct Stranger {
    connection: Connection,
    channel: Channel,
    prefix: String,
}

impl Stranger {
    pub(super) async fn new(fleet: &Fleet) -> Self {
        let (user, password, broker) = (services::USER, services::PASSWORD, services::broker().addr());
        let address = format!("amqp://{user}:{password}@{broker}/%2f");
        let connection = Connection::connect(&address, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { connection, channel, prefix: fleet.prefix.clone() }
    }

    fn name(&self, queue: &str) -> ShortString {
        format!("{}.{queue}", self.prefix).as_str().into()
    }

    /// Into the queue of the items.
    pub(super) async fn publish(&self, payload: &[u8]) {
        self.publish_to("items.record", payload).await;
    }

    async fn publish_to(&self, key: &str, payload: &[u8]) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let sent = self.channel.basic_publish(self.name("work"), key.into(), options, payload, properties);
        let confirmed = sent.await.unwrap().await.unwrap();
        assert!(confirmed.is_ack() && confirmed.take_message().is_none(), "it went to no queue");
    }

    /// What the broker tells of a queue; nothing while nobody has declared it.
    async fn look(&self, queue: &str) -> Option<Queue> {
        // To ask for one that is not there costs the channel.
        let channel = self.connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(self.name(queue), options, FieldTable::default()).await.ok()
    }

    /// Messages that wait for a consumer.
    pub(super) async fn ready(&self, queue: &str) -> u32 {
        self.look(queue).await.map_or(0, |queue| queue.message_count())
    }

    /// Those who consume from a queue that is declared.
    pub(super) async fn consumers(&self, queue: &str) -> u32 {
        self.look(queue).await.expect("somebody has declared it").consumer_count()
    }

    /// Payloads and headers of everything that waits in a queue; it stays there.
    pub(super) async fn waiting(&self, queue: &str) -> String {
        // As in `look`.
        let channel = self.connection.create_channel().await.unwrap();
        let (mut text, mut taken) = (String::new(), Vec::new());
        while let Ok(Some(message)) = channel.basic_get(self.name(queue), BasicGetOptions::default()).await {
            let (payload, properties) = (String::from_utf8_lossy(&message.data), &message.properties);
            text += &format!("{payload} {properties:?}\n");
            taken.push(message);
        }
        for message in taken {
            message.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await.unwrap();
        }
        text
    }

    pub(super) async fn purge(&self, queue: &str) {
        self.channel.queue_purge(self.name(queue), QueuePurgeOptions::default()).await.unwrap();
    }

    pub(super) async fn delete(&self, queue: &str) {
        self.channel.queue_delete(self.name(queue), QueueDeleteOptions::default()).await.unwrap();
    }

    /// What the broker does when a retry tier's time has passed: its message goes where its key says.
    pub(super) async fn hurry(&self, tier: &str) {
        let taken = self.channel.basic_get(self.name(tier), BasicGetOptions { no_ack: true }).await;
        let taken = taken.unwrap().unwrap().delivery;
        self.publish_to(taken.routing_key.as_str(), &taken.data).await;
    }
}
