//! The state in Redis: what a call costs, and what a record costs there.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Client, IntoConnectionInfo, RedisConnectionInfo};
use services::RedisServer;
use shared::record::{Outcome, Version};
use shared::state::{ImageClaim, RedisSettings, SettledImage, State};

use crate::records::{BATCH, Records, Timings, claimant, pipeline, run_over};
use crate::report::Report;
use crate::sqlite::questions;

const PART: &str = "state in Redis";

/// What Redis has in use, in bytes.
async fn used(server: &RedisServer) -> u64 {
    let mut connection = connection(&server.url()).await;
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap();
    let value = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
    value.unwrap()
}

/// A connection to a Redis of ours.
pub(crate) async fn connection(url: &str) -> MultiplexedConnection {
    let redis = RedisConnectionInfo::default().set_username(services::USER).set_password(services::PASSWORD);
    let info = url.into_connection_info().unwrap().set_redis_settings(redis);
    Client::open(info).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// The state of one deployment.
pub(crate) async fn opened(server: &RedisServer, prefix: &str) -> State {
    let settings = RedisSettings {
        url: server.url(),
        user: Some(services::USER.to_owned()),
        password: Some(services::PASSWORD.to_owned().into()),
        prefix: prefix.to_owned(),
        timeout: Duration::from_secs(10),
    };
    State::open_redis(&settings).await.unwrap()
}

pub(crate) async fn measure(report: &mut Report, count: u64) {
    report.part(&format!("State in Redis, {count} records"));
    // Ids as long as Zoho's.
    let records = Records { first: 4_600_000_000_000_000, count, images: false };
    let server = RedisServer::start();
    let state = opened(&server, "catalog-sync").await;
    let empty = used(&server).await;
    run_over(report, PART, &state, records, (1, "new")).await;
    tell_memory(report, &server, empty, count, "a settled record").await;
    run_over(report, PART, &state, records, (1, "unchanged")).await;
    run_over(report, PART, &state, records, (2, "changed")).await;
    questions(report, PART, &state, records).await;
    tell_memory(report, &server, empty, count, "an outstanding record").await;

    let server = RedisServer::start();
    let state = opened(&server, "catalog-sync").await;
    let records = Records { count: count / 5, images: true, ..records };
    run_over(report, PART, &state, records, (1, "new with an image")).await;
    bring_images(report, &state).await;
    tell_memory(report, &server, empty, records.count, "a settled record with an image").await;
}

async fn tell_memory(report: &mut Report, server: &RedisServer, empty: u64, count: u64, what: &str) {
    let taken = used(server).await.saturating_sub(empty);
    report.add(PART, what, taken as f64 / count as f64, "bytes");
}

/// Brings every image that is outstanding.
async fn bring_images(report: &mut Report, state: &State) {
    let (name, claimant) = (pipeline(), claimant());
    let [mut list, mut claim, mut settle] = [Timings::default(), Timings::default(), Timings::default()];
    let mut after: Option<Version> = None;
    loop {
        let images = list.of(state.outstanding_images(&name, after, BATCH)).await;
        let Some(last) = images.last() else { break };
        after = Some(last.version);
        let claims: Vec<ImageClaim> = images
            .iter()
            .map(|image| ImageClaim {
                key: image.key.clone(),
                version: image.version,
                reference: image.reference.clone(),
            })
            .collect();
        claim.of(state.claim_images(&name, &claims, 0, &claimant)).await;
        let settled: Vec<SettledImage> = images
            .into_iter()
            .map(|image| SettledImage {
                hash: Some(image.clone().into_job(name.clone()).checksum),
                key: image.key,
                version: image.version,
                reference: image.reference,
                written: None,
                outcome: Outcome::Created,
            })
            .collect();
        settle.of(state.settle_images(&name, &settled)).await;
    }
    list.tell(report, PART, "list 500 images");
    claim.tell(report, PART, "claim 500 images");
    settle.tell(report, PART, "settle 500 images");
}
