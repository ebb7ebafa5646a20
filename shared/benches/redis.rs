//! What a batch of 500 costs in Redis, and what a settled record costs there, over a million of them:
//! `cargo bench -p shared --bench redis`, with another number behind `--` for fewer.

mod records;

use std::time::Duration;

use redis::{Client, IntoConnectionInfo, RedisConnectionInfo};
use services::RedisServer;
use shared::failure::{Failure, Reason};
use shared::record::{Outcome, Version};
use shared::state::{ImageClaim, RedisSettings, SettledImage, State};

use records::{BATCH, Records, Timings, begin, claimant, pipeline, print_head, run_over};

/// A field of `INFO memory`, in bytes.
async fn memory(server: &RedisServer, field: &str) -> Result<u64, Failure> {
    let failed = |error: redis::RedisError| Failure::systemic(Reason::ServerError, "no INFO").because(error);
    let redis = RedisConnectionInfo::default().set_username(services::USER).set_password(services::PASSWORD);
    let info = server.url().as_str().into_connection_info().map_err(failed)?.set_redis_settings(redis);
    let mut connection =
        Client::open(info).map_err(failed)?.get_multiplexed_async_connection().await.map_err(failed)?;
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.map_err(failed)?;
    let value =
        info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.trim().parse().ok());
    value.ok_or_else(|| Failure::systemic(Reason::Protocol, format!("no {field}")))
}

async fn opened(server: &RedisServer) -> Result<State, Failure> {
    let settings = RedisSettings {
        url: server.url(),
        user: Some(services::USER.to_owned()),
        password: Some(services::PASSWORD.to_owned().into()),
        prefix: "catalog-sync".to_owned(),
        timeout: Duration::from_secs(10),
    };
    State::open_redis(&settings).await
}

/// Brings every image that is outstanding.
async fn bring_images(state: &State) -> Result<(), Failure> {
    let (name, claimant) = (pipeline()?, claimant()?);
    let [mut list, mut claim, mut settle] = [Timings::default(), Timings::default(), Timings::default()];
    let mut after: Option<Version> = None;
    loop {
        let images = list.of(state.outstanding_images(&name, after, BATCH)).await?;
        let Some(last) = images.last() else {
            break;
        };
        after = Some(last.version);
        let claims: Vec<ImageClaim> = images
            .iter()
            .map(|image| ImageClaim {
                key: image.key.clone(),
                version: image.version,
                reference: image.reference.clone(),
            })
            .collect();
        claim.of(state.claim_images(&name, &claims, &claimant)).await?;
        let settled: Vec<SettledImage> = images
            .into_iter()
            .map(|image| SettledImage {
                hash: Some(image.clone().into_job(name.clone()).checksum),
                key: image.key,
                version: image.version,
                reference: image.reference,
                outcome: Outcome::Created,
            })
            .collect();
        settle.of(state.settle_images(&name, &settled)).await?;
    }
    list.print("outstanding images");
    claim.print("claim images");
    settle.print("settle images");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
async fn print_memory(server: &RedisServer, empty: u64, records: Records, what: &str) -> Result<(), Failure> {
    let used = memory(server, "used_memory").await?.saturating_sub(empty);
    println!("{:<34}{:>9}", format!("bytes per {what}"), used / records.count);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is what a bench is for")]
async fn bench(records: Records) -> Result<(), Failure> {
    let server = RedisServer::start();
    let state = opened(&server).await?;
    let empty = memory(&server, "used_memory").await?;
    print_head(records);
    run_over(&state, records, 1, "new records").await?;
    print_memory(&server, empty, records, "settled record").await?;
    run_over(&state, records, 1, "unchanged records").await?;
    run_over(&state, records, 2, "changed records").await?;
    print_memory(&server, empty, records, "settled record").await?;

    let name = pipeline()?;
    let [mut counts, mut runs, mut outstanding] =
        [Timings::default(), Timings::default(), Timings::default()];
    let last = begin(&state).await?;
    for batch in records.wants(3)? {
        state.want(&last, &batch, false).await?;
    }
    print_memory(&server, empty, records, "outstanding record").await?;
    let run = begin(&state).await?;
    for _ in 0..200 {
        counts.of(state.counts(&name)).await?;
        runs.of(state.runs(Some(&name), 20)).await?;
        outstanding.of(state.outstanding(&name, Version { epoch: run.epoch, sequence: 0 }, BATCH)).await?;
    }
    counts.print("counts");
    runs.print("runs, 20");
    outstanding.print("outstanding, 500 of all");

    let server = RedisServer::start();
    let state = opened(&server).await?;
    let records = Records { count: records.count / 5, images: true, ..records };
    println!();
    print_head(records);
    run_over(&state, records, 1, "new records with images").await?;
    bring_images(&state).await?;
    print_memory(&server, empty, records, "settled record with an image").await
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Ids as long as Zoho's.
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let records = Records { first: 4_600_000_000_000_000, count, images: false };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(bench(records))?;
    Ok(())
}
