//! Messages that are no job: kept with the reason, while every job beside them goes on.

use serde_json::{Value, json};

use super::catalogue::Size;
use super::processes::Fleet;
use super::stranger::Stranger;

/// More than a job may have, with all that its failures may add to it.
const TOO_LARGE: usize = 12 << 20;

/// A job in every respect, but of a pipeline that nobody configured.
fn of_unknown_pipeline() -> Vec<u8> {
    let job = json!({
        "format": 1, "kind": "record", "pipeline": "unheard-of", "key": "42",
        "version": { "epoch": 1, "sequence": 1 }, "checksum": "ab".repeat(32),
        "run": 1, "place": 0, "attempt": 1, "values": { "name": "stray" }
    });
    serde_json::to_vec(&job).unwrap()
}

async fn strays(fleet: &Fleet) -> Value {
    fleet.run(&["status", "--json"]).await.json()["strays"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_jobs_are_kept_with_the_reason_and_disturb_nothing() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    assert_eq!(strays(&fleet).await, json!({ "kept": 0, "newest": [] }));
    let stranger = Stranger::new(&fleet).await;
    let created = fleet.catalogue.shop.control().counts().rows_created;
    for number in 0..30 {
        fleet.catalogue.edit(number, "among strays");
    }
    let bad: [(Vec<u8>, &str); 4] = [
        (b"\xff\xfe\x00 rubbish".to_vec(), "not a job: "),
        (br#"{"format":1,"kind":"record"}"#.to_vec(), "not a job: missing field"),
        (of_unknown_pipeline(), "pipeline 'unheard-of' came to items.record"),
        (vec![b'['; TOO_LARGE], "12582912 bytes, and a job has at most"),
    ];
    for (payload, _) in &bad {
        stranger.publish(payload).await;
    }
    fleet.until("all strays", || async { strays(&fleet).await["kept"] == bad.len() }).await;
    let kept = strays(&fleet).await;
    for (payload, why) in &bad {
        let newest = kept["newest"].as_array().unwrap();
        let stray = newest.iter().find(|stray| stray["bytes"] == payload.len()).unwrap();
        assert!(stray["failure"]["message"].as_str().unwrap().contains(why), "{stray}");
        assert_eq!(
            (&stray["failure"]["class"], &stray["failure"]["reason"]),
            (&json!("poison"), &json!("undecodable"))
        );
        assert!(stray["queue"].as_str().unwrap().ends_with("items.record"), "{stray}");
    }
    let said = fleet.run(&["status"]).await;
    said.expect(0, &["4 messages were no jobs:", "'unheard-of' came to items.record"]);
    // The same once more is the same stray, and nothing of it reached a sink or a record.
    stranger.publish(&bad[0].0).await;
    fleet.catalogue.edit(2, "behind the strays");
    fleet.in_step().await;
    fleet.settled().await;
    assert_eq!(strays(&fleet).await["kept"], bad.len());
    let status = fleet.status("items").await;
    assert_eq!((&status["paused"], &status["dead_letters"]), (&json!([]), &json!([])));
    assert_eq!(fleet.catalogue.shop.control().counts().rows_created, created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_a_newer_format_waits_for_a_newer_worker() {
    let fleet = Fleet::new(Size { images: false, items: 10, customers: 10, ..Size::small() }).await;
    let _producer = fleet.producer();
    let mut worker = fleet.worker();
    fleet.in_step().await;
    let stranger = Stranger::new(&fleet).await;
    stranger.publish(br#"{"format":3,"shape":"unheard of"}"#).await;
    // It comes again through the tier, as often as it takes.
    for times in 1..=3 {
        let met = || worker.log().matches("it waits for a newer worker").count();
        fleet.until("a worker meets it", || async { met() >= times }).await;
        fleet.until("it is in the tier", || async { stranger.ready("retry.30s").await == 1 }).await;
        fleet.flow(&format!("beside it {times}")).await;
        stranger.hurry("retry.30s").await;
    }
    assert!(!worker.has_ended());
    assert_eq!(strays(&fleet).await["kept"], 0);
    let status = fleet.status("items").await;
    assert_eq!((&status["paused"], &status["dead_letters"]), (&json!([]), &json!([])));
}
