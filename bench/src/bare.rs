//! The least that does a worker's work on one record with its image: a loop of the same libraries without a guarantee, at the
//! same stand-ins. What it costs is not ours to save.
//!
//! Of one job: the record's checksum read from Redis, its image fetched from Zoho, sha256 and base64 of that, one call of Odoo
//! with fields and image, the checksum written to Redis, the job acknowledged.

use std::path::Path;
use std::pin::Pin;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_core::Stream;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::options::{ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::checksum::Checksum;
use shared::odoo::Base64;
use tokio::task::JoinSet;

use crate::fleet::{Services, Shop};
use crate::process::{Measured, measure as watched};
use crate::redis::connection;

/// Jobs in work at once, as of a worker's images.
const PARALLEL: usize = 4;

/// Deliveries on their way to each of them.
const PREFETCH: u16 = 16;

/// What the loop is told.
#[derive(Debug, Serialize, Deserialize)]
struct Errand {
    broker: String,
    queue: String,
    redis: String,
    /// Address of the items.
    items: String,
    organization: String,
    token: String,
    /// Address of the method that writes products.
    write: String,
    database: String,
    key: String,
    /// The product that is written, again and again.
    product: i64,
    jobs: usize,
}

/// What Odoo is told.
#[derive(Serialize)]
struct Write<'a> {
    ids: [i64; 1],
    vals: Vals<'a>,
}

#[derive(Serialize)]
struct Vals<'a> {
    name: &'a Value,
    list_price: &'a Value,
    image_1920: &'a Base64,
}

/// Enqueues a job for each item with an image, and lets a process of its own work on them.
pub(crate) async fn measure(services: &Services, shop: &Shop) -> Measured {
    let items: Vec<Value> = shop.zoho.control().items();
    let items: Vec<&Value> = items.iter().filter(|item| item["image_document_id"] != "").collect();
    let broker = services.broker.url();
    let (connection, queue) = (connected(&broker).await, services::prefix());
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, &queue).await;
    for item in &items {
        let job = json!({"id": item["item_id"], "name": item["name"], "list_price": item["rate"]});
        publish(&channel, &queue, job.to_string().as_bytes()).await.await.unwrap();
    }
    drop(connection.close(200, "OK".into()).await);
    let errand = Errand {
        broker,
        queue,
        redis: services.redis.url(),
        items: format!("{}/inventory/v1/items", shop.zoho.accounts_url()),
        organization: shop.zoho.organization_id().to_owned(),
        token: token(shop).await,
        write: format!("{}/json/2/product.template/write", shop.odoo.url()),
        database: shop.odoo.database().to_owned(),
        key: shop.odoo.api_key().to_owned(),
        product: *shop.odoo.control().ids("product.template").unwrap().last().unwrap(),
        jobs: items.len(),
    };
    let told = shop.folder.path().join("errand.json");
    std::fs::write(&told, serde_json::to_string(&errand).unwrap()).unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    // As the roles have it.
    command.arg("bare").arg(&told).env("MALLOC_ARENA_MAX", "1");
    tokio::task::spawn_blocking(move || watched(&mut command)).await.unwrap()
}

/// A token for Zoho's calls.
async fn token(shop: &Shop) -> String {
    let form = [
        ("refresh_token", shop.zoho.refresh_token()),
        ("client_id", shop.zoho.client_id()),
        ("client_secret", shop.zoho.client_secret()),
        ("grant_type", "refresh_token"),
    ];
    let url = reqwest::Url::parse_with_params(&format!("{}/oauth/v2/token", shop.zoho.accounts_url()), form);
    let answer = whole(reqwest::Client::new().post(url.unwrap())).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// The loop itself: ends when every job is done, and prints how many that were.
pub(crate) async fn run(told: &Path) {
    let errand: Errand = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    let (redis, http) = (connection(&errand.redis).await, reqwest::Client::new());
    let connection = connected(&errand.broker).await;
    let (done, mut ended) = tokio::sync::mpsc::channel(PARALLEL);
    let mut loops = JoinSet::new();
    let errand = std::sync::Arc::new(errand);
    for _ in 0..PARALLEL {
        let channel = connection.create_channel().await.unwrap();
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.unwrap();
        let (errand, redis, http, done) = (errand.clone(), redis.clone(), http.clone(), done.clone());
        loops.spawn(async move {
            let (queue, options) = (errand.queue.as_str().into(), BasicConsumeOptions::default());
            let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
            let mut deliveries = consuming.await.unwrap();
            loop {
                let next = std::future::poll_fn(|context| Pin::new(&mut deliveries).poll_next(context));
                let delivery = next.await.unwrap().unwrap();
                errand.work(&delivery.data, redis.clone(), &http).await;
                delivery.ack(BasicAckOptions::default()).await.unwrap();
                done.send(()).await.unwrap();
            }
        });
    }
    for _ in 0..errand.jobs {
        ended.recv().await.unwrap();
    }
    println!("{}", json!({"jobs": errand.jobs}));
}

impl Errand {
    async fn work(&self, job: &[u8], mut redis: MultiplexedConnection, http: &reqwest::Client) {
        let values: Value = serde_json::from_slice(job).unwrap();
        let id = values["id"].as_str().unwrap();
        let checksum = Checksum::of_value(&values).to_string();
        let key = format!("{}:{id}", self.queue);
        let known: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
        assert_ne!(known.as_ref(), Some(&checksum));
        let image = http
            .get(format!("{}/{id}/image?organization_id={}", self.items, self.organization))
            .header("Authorization", format!("Zoho-oauthtoken {}", self.token));
        let image = whole(image).await;
        let sha256 = BASE64_STANDARD.encode(Sha256::digest(&image));
        let image = Base64::of(&image);
        let vals = Vals { name: &values["name"], list_price: &values["list_price"], image_1920: &image };
        let mut body = Vec::with_capacity(image.text().len() + 512);
        serde_json::to_writer(&mut body, &Write { ids: [self.product], vals }).unwrap();
        let written = http
            .post(&self.write)
            .header("Content-Type", "application/json")
            .header("Authorization", format!("Bearer {}", self.key))
            .header("X-Odoo-Database", &self.database)
            .body(body);
        whole(written).await;
        let kept = format!("{checksum} {sha256}");
        let () = redis::cmd("SET").arg(&key).arg(kept).query_async(&mut redis).await.unwrap();
    }
}

/// Asks, and reads an answer that is well to its end.
async fn whole(request: reqwest::RequestBuilder) -> Vec<u8> {
    let mut answer = request.send().await.unwrap().error_for_status().unwrap();
    let length = answer.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = Vec::with_capacity(length.unwrap_or(0));
    while let Some(chunk) = answer.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    body
}

/// A connection to the broker without anything around it.
pub(crate) async fn connected(broker: &str) -> Connection {
    let mut uri: AMQPUri = broker.parse().unwrap();
    services::USER.clone_into(&mut uri.authority.userinfo.username);
    services::PASSWORD.clone_into(&mut uri.authority.userinfo.password);
    "/".clone_into(&mut uri.vhost);
    Connection::connect_uri(uri, ConnectionProperties::default()).await.unwrap()
}

/// A quorum queue, and a channel that confirms what is published.
pub(crate) async fn declare(channel: &Channel, queue: &str) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, arguments).await.unwrap();
}

/// A persistent message; its confirm is waited for by whoever likes to.
pub(crate) async fn publish(channel: &Channel, queue: &str, payload: &[u8]) -> PublisherConfirm {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish("".into(), queue.into(), options, payload, properties).await.unwrap()
}
