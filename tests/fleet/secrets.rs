//! What a fleet must never tell: a secret in every place that takes one, a failure of each class, and then everything
//! that it says, sends and keeps.

use clap::CommandFactory;
use sandbox::{Fault, FaultRule, ZohoChange};
use serde_json::json;

use super::catalogue::Size;
use super::port_in;
use super::processes::{Fleet, Role};
use super::stranger::Stranger;
use super::told::{kept, told_by_commands, told_by_the_page};
use super::visible::{JSON, LISTEN, address, page};

pub(super) const PAGE_TOKEN: &str = "marker-of-the-page-token-0123456789";
const WEBHOOK: &str = "marker-of-the-webhook";
const AUTHORIZATION: &str = "Bearer marker-of-the-authorization";
pub(super) const WRONG: &str = "marker-of-a-wrong-password";

/// Zoho's are "1000.", 32 digits, a dot and 32 more; the stand-in's, too.
fn has_access_token(text: &str) -> bool {
    text.match_indices("1000.").any(|(at, prefix)| {
        let digits = text.as_bytes()[at + prefix.len()..].iter().take_while(|byte| byte.is_ascii_hexdigit());
        digits.count() >= 32
    })
}

/// The words of each command that there is.
fn commands(command: &clap::Command, words: &[String]) -> Vec<Vec<String>> {
    let mut all = vec![words.to_vec()];
    for part in command.get_subcommands() {
        all.extend(commands(part, &[words, &[part.get_name().to_owned()]].concat()));
    }
    all
}

/// One failure of each class, and what they are called where they are told.
async fn fail(fleet: &Fleet, stranger: &Stranger) {
    let control = fleet.catalogue.shop.control();
    for fault in [Fault::BadGateway, Fault::InvalidJson, Fault::AccessError] {
        control.fault(FaultRule::once(fault).method("load"));
    }
    let throttled = Fault::TooManyRequests { retry_after: 1 };
    fleet.catalogue.erp.control().fault(FaultRule::once(throttled).method("search_read"));
    stranger.publish(b"\xff\xfe rubbish").await;
    stranger.publish(br#"{"format":99,"shape":"unheard of"}"#).await;
}

/// A secret in every place that takes one, some by way of a file; `kept` holds what no part of the program may look at.
fn with_secrets(fleet: Fleet, kept: &std::path::Path) -> (Fleet, Vec<String>) {
    let file = |name: &str, secret: &str| {
        let path = kept.join(name);
        std::fs::write(&path, secret).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (token, authorization) = (file("token", PAGE_TOKEN), file("authorization", AUTHORIZATION));
    let webhook = format!("http://127.0.0.1:9/{WEBHOOK}");
    let mut secrets: Vec<String> = fleet.catalogue.secrets().into_iter().map(|(_, secret)| secret).collect();
    secrets.extend(
        [services::PASSWORD, PAGE_TOKEN, WEBHOOK, "marker-of-the-authorization", WRONG].map(str::to_owned),
    );
    let fleet = fleet.with([
        LISTEN,
        JSON,
        ("CATALOG_SYNC_LOG", "trace,lapin=debug,hyper=debug"),
        ("CATALOG_SYNC_PAGE_LISTEN", "127.0.0.1:0"),
        ("CATALOG_SYNC_PAGE_TOKEN_FILE", &token),
        ("CATALOG_SYNC_WEBHOOK_URL", &webhook),
        ("CATALOG_SYNC_WEBHOOK_AUTHORIZATION_FILE", &authorization),
    ]);
    (fleet, secrets)
}

fn assert_no_secret(said: &str, secrets: &[String]) {
    assert!(!has_access_token(said), "a token that Zoho gave is told");
    for secret in secrets {
        assert!(secret.len() > 4);
        let at = said.find(secret);
        let near =
            at.map(|at| String::from_utf8_lossy(&said.as_bytes()[at.saturating_sub(300)..at]).into_owned());
        assert_eq!(near, None, "a secret is told behind this");
    }
}

/// A fleet with a secret in every place that takes one, to which a failure of each class has happened.
struct Scene {
    fleet: Fleet,
    producer: Role,
    worker: Role,
    /// A record that was given up.
    key: String,
    /// What waited in the broker meanwhile.
    waited: String,
    secrets: Vec<String>,
    _hidden: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let fleet = Fleet::new(Size { items: 40, customers: 40, ..Size::small() }).await;
        let hidden = tempfile::tempdir().unwrap();
        let (fleet, secrets) = with_secrets(fleet, hidden.path());
        // A custom field names the unit of an item, and Odoo has no such unit.
        fleet.reconfigure(
            "default_code = \"sku?\"\n",
            "default_code = \"sku?\"\nuom_id = { from = \"cf_unit?\", default = \"Units\" }\n",
        );
        let store = fleet.catalogue.shop.store();
        let key = store.items()[0]["item_id"].as_str().unwrap().to_owned();
        let fields = serde_json::from_value(json!({ "cf_unit": "box" })).unwrap();
        store.apply(ZohoChange::EditItem { item: key.clone(), fields, touch: true }).unwrap();
        let producer = fleet.producer();
        let stranger = Stranger::new(&fleet).await;
        fleet.until("jobs wait", || async { stranger.ready("items.record").await >= 10 }).await;
        let waited = stranger.waiting("items.record").await;
        assert!(waited.lines().count() >= 10, "{waited}");
        fail(&fleet, &stranger).await;
        let worker = fleet.worker();
        fleet
            .until("what can arrive has arrived", || async {
                let records = fleet.status("items").await["records"].take();
                records["dead"] == 1 && records["outstanding"] == 0
            })
            .await;
        Self { fleet, producer, worker, key, waited, secrets, _hidden: hidden }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_a_fleet_says_sends_or_keeps() {
    let Scene { fleet, producer, worker, key, waited: mut said, secrets, _hidden } = Scene::new().await;
    let url = format!("http://127.0.0.1:{}", port_in(&producer.log(), "the operator's page is served"));
    said += &told_by_the_page(&fleet, &url, &key).await;
    for role in [&producer, &worker] {
        said += &page(&address(&fleet, role).await, "metrics").await.1;
    }
    said += &kept(&fleet).await;
    for role in [producer, worker] {
        said += &role.log();
        role.kill().await;
    }
    for (path, bytes) in crate::secrets::files_below(&fleet.path("")) {
        if path.extension().is_none_or(|extension| extension != "log") {
            said += &String::from_utf8_lossy(&bytes);
        }
    }
    // As a label of a metric, or in JSON.
    for class in ["transient", "throttled", "permanent", "systemic", "poison"] {
        let is_told = ["=", ":"].iter().any(|sign| said.contains(&format!("{sign}\"{class}\"")));
        assert!(is_told, "no failure is {class}");
    }
    for met in ["502", "list_price", "it waits for a newer worker", "Sign out"] {
        assert!(said.contains(met), "{met} is not in what was looked at");
    }
    assert_no_secret(&said, &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_is_told_of_a_wrong_password() {
    let hidden = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(Size { items: 4, customers: 4, images: false, ..Size::small() }).await;
    let (fleet, secrets) = with_secrets(fleet, hidden.path());
    let producer = fleet.producer();
    let wrong = [("CATALOG_SYNC_ODOO_SHOP_PASSWORD", WRONG), ("CATALOG_SYNC_LOG_FORMAT", "text")];
    let refused = fleet.start(&["worker", "-v", "items"], &wrong);
    fleet
        .until("the items are paused, and the webhook is tried", || async {
            fleet.status("items").await["paused"] != json!([]) && producer.log().contains("webhook")
        })
        .await;
    let mut said = kept(&fleet).await;
    for arguments in [&["status"][..], &["status", "--json"]] {
        said += &format!("{:?}", fleet.run(arguments).await);
    }
    for role in [producer, refused] {
        said += &role.log();
        role.kill().await;
    }
    assert!(said.contains("PAUSED since") && said.contains("rejects user"), "{said}");
    assert_no_secret(&said, &secrets);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_commands_print_of_a_fleet() {
    let Scene { fleet, producer, worker, key, secrets, _hidden, .. } = Scene::new().await;
    let said = told_by_commands(&fleet, &key).await;
    for met in ["permanent", "list_price", "box", &key] {
        assert!(said.contains(met), "{met} is not in what was looked at");
    }
    assert_no_secret(&said, &secrets);
    drop((producer, worker));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_help_of_any_command() {
    let hidden = tempfile::tempdir().unwrap();
    let fleet = Fleet::new(Size { items: 1, customers: 1, ..Size::small() }).await;
    let (fleet, secrets) = with_secrets(fleet, hidden.path());
    let mut said = String::new();
    for words in commands(&catalog_sync::Arguments::command(), &[]) {
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        said += &format!("{:?}", fleet.run(&words).await);
    }
    assert!(said.contains(" dead export [OPTIONS]"), "{said}");
    assert_no_secret(&said, &secrets);
}
