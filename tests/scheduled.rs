//! The schedule: a daemon runs what is due, disables a pipeline that keeps failing, and images keep nothing waiting.

use std::time::Duration;

use sandbox::{OdooVersion, ZohoEndpoint, ZohoFault, ZohoFaultRule};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::place::{PASSWORD, Place};
use crate::shop::Shop;
use crate::truth::{assert_files_hold_the_source, sandbox_of};

/// Calls of Zoho under way at once, where nothing else is configured.
const CALLS_AT_ONCE: u64 = 5;

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while !holds().await {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(2), waiting).await.is_ok(), "in vain: {what}");
}

async fn schedule(place: &Place, pipeline: &str) -> Value {
    let ran = place.run(&["schedule", "status", "--json"]).await;
    assert_eq!(ran.code(), 0, "{ran:?}");
    let all = ran.json()["pipelines"].as_array().unwrap().clone();
    all.into_iter().find(|known| known["pipeline"] == pipeline).unwrap()
}

async fn terminate(mut child: Child) {
    let pid = child.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_runs_what_is_due_and_a_second_one_is_refused() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.run(&["schedule", "set", "--every", "7d"]).await.expect(0, &["every 7d"]);
    let daemon = place.start(&["schedule", "start"]);
    until("the first runs", async || schedule(&place, "products").await["succeeded"].is_string()).await;
    assert_files_hold_the_source(&place, &sandbox);
    place.run(&["schedule", "start"]).await.expect(2, &["the schedule", &daemon.id().unwrap().to_string()]);
    // Asked for, it runs at once; with a shorter interval by itself.
    sandbox.control().reset_counts();
    place
        .run(&["schedule", "run-now", "products", "--full"])
        .await
        .expect(0, &["products: a run (full) is due now"]);
    until("the run that was asked for", async || {
        schedule(&place, "products").await["began"]["full"].is_string()
    })
    .await;
    place.run(&["schedule", "set", "customers", "--every", "1s"]).await.expect(0, &["every 1s"]);
    let runs =
        async || place.run(&["runs", "customers", "--json"]).await.json()["runs"].as_array().unwrap().len();
    until("three runs", async || runs().await >= 3).await;
    let all = place.run(&["runs", "customers", "--json"]).await.json();
    let newest = all["runs"][0]["id"].as_u64().unwrap().to_string();
    place
        .run(&["runs", "show", &newest])
        .await
        .expect(0, &["of customers", "UTC", "read ", "told apart: odoo "]);
    place.run(&["runs", "show", "999999"]).await.expect(2, &["no run 999999"]);
    place.run(&["schedule", "disable", "--why", "stock-taking"]).await.expect(0, &["customers: disabled"]);
    place.run(&["schedule", "status"]).await.expect(0, &["DISABLED", "stock-taking", "UTC"]);
    terminate(daemon).await;
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_keeps_failing_disables_itself_and_waits_to_be_enabled() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let mut place = Place::new(&sandbox);
    place.reconfigure("[odoo.erp]", "[schedule]\ndisable_after = 1\n[odoo.erp]");
    place.set_secret(PASSWORD, "wrong-geheim");
    let daemon = place.start(&["schedule", "start"]);
    until("both are disabled", async || schedule(&place, "products").await["disabled"].is_object()).await;
    let told = schedule(&place, "customers").await;
    assert_eq!(
        (&told["disabled"]["by"], &told["next"], &told["failed"]),
        (&json!("failures"), &Value::Null, &json!(1))
    );
    assert!(
        told["disabled"]["why"].as_str().unwrap().contains("password")
            && !told.to_string().contains("geheim")
    );
    terminate(daemon).await;
    // Neither the right password nor a new daemon enables it: a person does.
    place.set_secret(PASSWORD, sandbox.password());
    let daemon = place.start(&["schedule", "start"]);
    place.run(&["schedule", "enable", "products"]).await.expect(0, &["products: enabled"]);
    until("products run", async || schedule(&place, "products").await["succeeded"].is_string()).await;
    assert!(schedule(&place, "customers").await["disabled"].is_object());
    assert!(!place.customers().exists());
    place.run(&["schedule", "enable"]).await.expect(0, &["customers: enabled"]);
    until("customers run", async || schedule(&place, "customers").await["succeeded"].is_string()).await;
    terminate(daemon).await;
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_intervals_and_unknown_pipelines_change_nothing() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place
        .run(&["schedule", "set", "--every", "6h", "--full-every", "7d"])
        .await
        .expect(0, &["every 6h", "full: 7d"]);
    let before = schedule(&place, "customers").await;
    place.run(&["schedule", "set", "--every", "0h"]).await.expect(2, &["never rest"]);
    place.run(&["schedule", "set", "--every", "soon"]).await.expect(2, &["no time span"]);
    place.run(&["schedule", "set"]).await.expect(2, &["--every"]);
    place
        .run(&["schedule", "set", "customers", "custmers", "--every", "1h"])
        .await
        .expect(2, &["did you mean 'customers'?"]);
    for command in ["enable", "disable", "run-now"] {
        place.run(&["schedule", command, "custmers"]).await.expect(2, &["did you mean 'customers'?"]);
    }
    place.run(&["runs", "custmers"]).await.expect(2, &["did you mean 'customers'?"]);
    let after = schedule(&place, "customers").await;
    assert_eq!(
        (&before["overrides"], &before["disabled"], &before["asked"]),
        (&after["overrides"], &after["disabled"], &after["asked"])
    );
    place.reconfigure("entity = \"customers\"", "entity = \"customers\"\nfull_every = \"0d\"");
    place.run(&["schedule", "status"]).await.expect(2, &["line", "never rest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_go_on_while_another_process_brings_images() {
    let shop = Shop::of(OdooVersion::V19, 30).await;
    let hang = ZohoFaultRule::once(ZohoFault::Hang).endpoint(ZohoEndpoint::Image);
    shop.zoho.control().fault(hang.times(1_000));
    let mut first = shop.place.start(&["sync"]);
    until("the first sync hangs over an image", async || shop.zoho.control().counts().image > 0).await;
    shop.edit(2, &json!({"name": "Renamed meanwhile"}));
    let second = shop.place.run(&["sync", "--json"]).await;
    second.expect(0, &["images of the state", &first.id().unwrap().to_string()]);
    assert_eq!(shop.product(&shop.id(2))["name"], "Renamed meanwhile");
    let hanging = shop.zoho.control().counts().image;
    assert!(
        hanging < CALLS_AT_ONCE,
        "of the calls at once {hanging} are images, and the list waited for one of them"
    );
    first.kill().await.unwrap();
    shop.zoho.control().clear_faults();
    shop.reset_counts();
    shop.place.sync().await;
    shop.assert_in_step();
    let (asked, served) = (shop.zoho.control().counts(), shop.served().await);
    assert_eq!(asked.image, served.len() as u64, "each once: {asked:?}");
    for (item, sum) in served {
        assert_eq!(shop.picture(&item), Some(sum), "{item}");
    }
}
