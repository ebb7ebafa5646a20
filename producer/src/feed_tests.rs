//! In which order images are published, and when.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::checksum::Checksum;
use shared::config::Config;
use shared::progress::Progress;
use shared::queue::Queue;
use shared::record::{ImageHash, ImageReference, Outcome, PipelineName, WorkerId};
use shared::state::{Binding, NewRun, Run, RunKind, Settled, SettledImage, State, Want, Wanted, Window};

use shared::systems::Systems;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::run::FleetRun;
use crate::tend::Tending;

/// A run that hangs does so for 30 seconds at least.
const PATIENCE: Duration = Duration::from_secs(20);

fn items() -> PipelineName {
    "items".parse().unwrap()
}

/// Of a shop whose Odoo is there.
fn config(odoo: SocketAddr) -> Config {
    let text = format!(
        "[odoo.shop]\nurl = \"http://{odoo}\"\ndatabase = \"d\"\nuser = \"u\"\n[zoho.shop]\ndata_center = \"com\"\n\
         organization_id = \"1\"\nclient_id = \"c\"\n\
         [pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n"
    );
    let secrets = ["_API_KEY", "_CLIENT_SECRET", "_REFRESH_TOKEN"];
    let environment =
        |name: &str| secrets.iter().any(|secret| name.ends_with(secret)).then(|| "secret".to_owned());
    Config::of_text(&text, Path::new("catalog-sync.toml"), &environment).unwrap()
}

/// A run that is under way.
async fn begun(state: &State) -> Run {
    let binding = Binding {
        source: "source".to_owned(),
        sink: "sink".to_owned(),
        mapping: Checksum::of_value(&json!("mapping")),
    };
    let window = Window { start: None, end: "2026-11-22T00:00:00Z".parse().unwrap() };
    let new = NewRun { pipeline: items(), kind: RunKind::Full, window, binding, force: false, reset: false };
    state.begin_run(&new).await.unwrap()
}

/// The record stands in the sink and has this image in the source.
async fn record(state: &State, run: &Run, key: u64, image: &str) {
    let (key, image): (RecordKey, Option<ImageReference>) = (key.into(), Some(image.parse().unwrap()));
    let checksum = Checksum::of_value(&json!([key.as_str(), image]));
    let want = Want { key: key.clone(), checksum, image: image.clone() };
    let Wanted::Enqueue { version, place } = state.want(run, &[want], false).await.unwrap()[0] else {
        panic!()
    };
    let (worker, sink_id) = (WorkerId::of_process(), Some(format!("s{key}")));
    let outcome = Outcome::Created;
    let settled = Settled { run: run.id, place, sink_id, key, version, checksum, image, worker, outcome };
    state.settle(&items(), &[settled]).await.unwrap();
}

#[tokio::test]
async fn an_image_that_changes_is_published_before_a_backlog_and_the_backlog_by_and_by() {
    let config = config("127.0.0.1:9".parse().unwrap());
    let state = State::open_memory().await.unwrap();
    let run = begun(&state).await;
    record(&state, &run, 1, "old.jpg").await;
    let image = state.outstanding_images(&items(), None, 1).await.unwrap().remove(0);
    let settled = SettledImage {
        key: image.key,
        version: image.version,
        reference: image.reference,
        hash: Some(Checksum::of_value(&json!("bytes"))),
        written: Some(ImageHash::from([7; 20])),
        outcome: Outcome::Created,
    };
    state.settle_images(&items(), &[settled]).await.unwrap();
    let backlog = 3 * IMAGES_WAITING as u64;
    for key in 2..2 + backlog {
        record(&state, &run, key, "first.jpg").await;
    }
    record(&state, &run, 1, "new.jpg").await;

    let meeting = Meeting { state: state.clone(), queue: Queue::memory(10_000), name: "test".to_owned() };
    let meter = Meter::default();
    let feed = ImageFeed { meeting: &meeting, pipeline: &config.pipelines[0], meter: &meter };
    let mut consumer = meeting.queue.consume(&items(), JobKind::Image, 10_000);
    // In memory a job is durable when it has ended: they are taken as they are published.
    let mut published = Vec::new();
    let taken = async {
        while published.len() <= IMAGES_WAITING {
            let mut delivery = consumer.next().await.unwrap();
            published.push(delivery.take_job().unwrap().key);
            delivery.ack().await.unwrap();
        }
    };
    tokio::select! {
        fed = feed.publish() => panic!("{fed:?} before all was taken"),
        () = taken => {}
    }
    assert_eq!(published[0], 1.into());
    assert!(published[1..].iter().all(|key| *key != 1.into()));
}

#[tokio::test]
async fn images_are_published_while_a_run_is_under_way() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Arc::new(config(silent.local_addr().unwrap()));
    let state = State::open_memory().await.unwrap();
    let meeting = Meeting { state: state.clone(), queue: Queue::memory(10), name: "test".to_owned() };
    let mut consumer = meeting.queue.consume(&items(), JobKind::Image, 10);
    let runs = FleetRun {
        meeting,
        systems: Arc::new(Systems::new(Arc::clone(&config))),
        pipeline: config.pipelines[0].clone(),
        lost_after: Duration::from_mins(5),
        progress: Arc::new(Progress::default()),
        stop: CancellationToken::new(),
    };
    let stop = CancellationToken::new();
    let tending = Box::pin(Tending { runs, disable_after: 3 }.tend(stop.clone()));
    let meanwhile = async {
        // The run asks Odoo for its version and is never answered.
        let (_asking, _) = silent.accept().await.unwrap();
        record(&state, &begun(&state).await, 1, "first.jpg").await;
        assert_eq!(consumer.next().await.unwrap().take_job().unwrap().key, 1.into());
        stop.cancel();
    };
    let ended = tokio::time::timeout(PATIENCE, async { tokio::join!(tending, meanwhile) }).await;
    ended.expect("an image that is published, and an end to it");
}
