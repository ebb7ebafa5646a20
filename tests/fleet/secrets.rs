//! What a fleet must never tell: a secret in every place that takes one, a failure of each class, and then everything
//! that it says, sends and keeps.

use clap::CommandFactory;
use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::{Connection, ConnectionProperties};
use sandbox::{Fault, FaultRule, ZohoChange};
use serde_json::json;

use super::catalogue::Size;
use super::port_in;
use super::processes::Fleet;
use super::strays::Stranger;
use super::visible::{JSON, LISTEN, address, page};

const PAGE_TOKEN: &str = "marker-of-the-page-token-0123456789";
const WEBHOOK: &str = "marker-of-the-webhook";
const AUTHORIZATION: &str = "Bearer marker-of-the-authorization";
const WRONG: &str = "marker-of-a-wrong-password";

/// All values of a fleet's keys in Redis, as one text.
async fn kept(fleet: &Fleet) -> String {
    let mut url: reqwest::Url = format!("redis://{}/0", services::redis().addr()).parse().unwrap();
    url.set_username(services::USER).unwrap();
    url.set_password(Some(services::PASSWORD)).unwrap();
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("{}*", fleet.prefix)).query_async(&mut connection).await.unwrap();
    assert!(!keys.is_empty());
    let mut text = String::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.unwrap();
        let mut read = match kind.as_str() {
            "hash" => redis::cmd("HGETALL"),
            "set" => redis::cmd("SMEMBERS"),
            "string" => redis::cmd("GET"),
            "zset" | "list" => redis::cmd(if kind == "zset" { "ZRANGE" } else { "LRANGE" }),
            "none" => continue,
            other => panic!("nobody looks into {key}, a {other}"),
        };
        read.arg(&key);
        if matches!(kind.as_str(), "zset" | "list") {
            read.arg(0).arg(-1);
        }
        let value: redis::Value = read.query_async(&mut connection).await.unwrap();
        text += &format!("{key} {}\n", flat(&value));
    }
    text
}

fn flat(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            values.iter().map(flat).collect::<Vec<_>>().join(" ")
        }
        redis::Value::Map(pairs) => {
            pairs.iter().map(|(key, value)| flat(key) + " " + &flat(value) + " ").collect()
        }
        other => format!("{other:?}"),
    }
}

/// Payloads and headers of everything that waits in the queue of the items; they stay there.
async fn waiting(fleet: &Fleet) -> String {
    let (user, password, broker) = (services::USER, services::PASSWORD, services::broker().addr());
    let address = format!("amqp://{user}:{password}@{broker}/%2f");
    let connection = Connection::connect(&address, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let queue = format!("{}.items.record", fleet.prefix);
    let mut text = String::new();
    let mut taken = Vec::new();
    // Until the producer has declared it, there is no such queue.
    while let Ok(Some(message)) = channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await {
        text += &format!(
            "{} {:?}\n",
            String::from_utf8_lossy(&message.delivery.data),
            message.delivery.properties
        );
        taken.push(message);
    }
    for message in taken {
        message
            .delivery
            .nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() })
            .await
            .unwrap();
    }
    text
}

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

/// Every address of the page and of the API, asked as somebody who may, and as somebody who may not.
async fn told_by_the_page(fleet: &Fleet, url: &str, key: &str) -> String {
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sign_in =
        client.post(format!("{url}/sign-in")).header("Content-Type", "application/x-www-form-urlencoded");
    let signed_in = sign_in.body(format!("token={PAGE_TOKEN}")).send().await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let run = fleet.run(&["runs", "items", "--json"]).await.json()["runs"][0]["id"].to_string();
    let mut said = String::new();
    for path in [
        "/".to_owned(),
        "/pipelines/items".to_owned(),
        "/pipelines/customers".to_owned(),
        "/failures".to_owned(),
        "/runs".to_owned(),
        format!("/runs/{run}"),
        format!("/records?pipeline=items&key={key}&ask=source"),
        "/records?pipeline=items&key=no%20such%20SKU".to_owned(),
        "/api/v1/status".to_owned(),
        "/api/v1/runs".to_owned(),
        "/api/v1/pipelines/items".to_owned(),
        "/api/v1/pipelines/items/dead-letters".to_owned(),
        format!("/api/v1/pipelines/items/records/{key}"),
        format!("/api/v1/pipelines/items/why?key={key}"),
    ] {
        for allowed in [true, false] {
            let mut request = client.get(format!("{url}{path}"));
            if allowed {
                request = request.header("Cookie", &cookie).bearer_auth(PAGE_TOKEN);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status();
            said += &format!("{:?}\n", answer.headers());
            said += &answer.text().await.unwrap();
            let is_found = !path.contains("no%20such");
            assert_eq!(status.is_success(), allowed && is_found, "{}: {path}: {status}", fleet.prefix);
        }
    }
    said
}

/// What commands print, those included that fail.
async fn told_by_commands(fleet: &Fleet, key: &str) -> String {
    let mut said = String::new();
    for words in commands(&catalog_sync::Arguments::command(), &[]) {
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        said += &format!("{:?}", fleet.run(&words).await);
    }
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["counts", "--json"],
        &["check"],
        &["config"],
        &["runs", "--json"],
        &["schedule", "status"],
        &["dead", "list"],
        &["dead", "list", "--json"],
        &["dead", "show", key],
        &["dead", "export"],
        &["why", "items", key],
        &["why", "items", key, "--json"],
        &["plan", "--out", "plan.json"],
        &["verify", "--json"],
        &["-vv", "status"],
    ] {
        said += &format!("{:?}", fleet.run(arguments).await);
        said += &format!("{:?}", fleet.run_with(arguments, &[("CATALOG_SYNC_LOG_FORMAT", "text")]).await);
    }
    for variable in [
        "CATALOG_SYNC_ODOO_SHOP_PASSWORD",
        "CATALOG_SYNC_ODOO_ERP_PASSWORD",
        "CATALOG_SYNC_ZOHO_STORE_CLIENT_SECRET",
        "CATALOG_SYNC_ZOHO_STORE_REFRESH_TOKEN",
        "CATALOG_SYNC_BROKER_PASSWORD",
        "CATALOG_SYNC_REDIS_PASSWORD",
    ] {
        said += &format!("{:?}", fleet.run_with(&["-vv", "check"], &[(variable, WRONG)]).await);
    }
    // Where nobody should write one.
    for scheme in ["amqp://", "redis://", "http://"] {
        let with = format!("\"{scheme}somebody:{WRONG}@");
        fleet.reconfigure(&format!("\"{scheme}"), &with);
        said += &format!("{:?}", fleet.run(&["-vv", "status"]).await);
        said += &format!("{:?}", fleet.run(&["-vv", "check"]).await);
        fleet.reconfigure(&with, &format!("\"{scheme}"));
    }
    said
}

/// One failure of each class, and what they are called where they are told.
async fn fail(fleet: &Fleet) {
    let control = fleet.catalogue.shop.control();
    for fault in [
        Fault::BadGateway,
        Fault::InvalidJson,
        Fault::CutAnswer,
        Fault::SerializationFailure,
        Fault::AccessError,
    ] {
        control.fault(FaultRule::once(fault).method("load").times(2));
    }
    let throttled = Fault::TooManyRequests { retry_after: 1 };
    fleet.catalogue.erp.control().fault(FaultRule::once(throttled).method("search_read").times(2));
    let stranger = Stranger::new(fleet).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_a_fleet_says_sends_or_keeps() {
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
    let mut said = String::new();
    let producer = fleet.producer();
    fleet.until("jobs wait", || async { waiting(&fleet).await.lines().count() >= 10 }).await;
    said += &waiting(&fleet).await;
    fail(&fleet).await;
    let worker = fleet.worker();
    fleet
        .until("what can arrive has arrived", || async {
            let records = fleet.status("items").await["records"].take();
            records["dead"] == 1 && records["outstanding"] == 0
        })
        .await;
    let wrong = [("CATALOG_SYNC_ODOO_SHOP_PASSWORD", WRONG), ("CATALOG_SYNC_LOG_FORMAT", "text")];
    let refused = fleet.start(&["worker", "-v", "items"], &wrong);
    fleet
        .until("a wrong password pauses the items, and the webhook is tried", || async {
            fleet.status("items").await["paused"] != json!([]) && producer.log().contains("webhook")
        })
        .await;
    let url = format!("http://127.0.0.1:{}", port_in(&producer.log(), "the operator's page is served"));
    said += &told_by_the_page(&fleet, &url, &key).await;
    said += &told_by_commands(&fleet, &key).await;
    for role in [&producer, &worker] {
        said += &page(&address(&fleet, role).await, "metrics").await.1;
    }
    said += &kept(&fleet).await;
    for role in [producer, worker, refused] {
        said += &role.log();
        role.terminate().await;
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
    for met in ["502", "list_price", "it waits for a newer worker", " dead export [OPTIONS]", "Sign out"] {
        assert!(said.contains(met), "{met} is not in what was looked at");
    }
    assert!(!has_access_token(&said), "a token that Zoho gave is told");
    for secret in secrets {
        assert!(secret.len() > 4);
        let at = said.find(&secret);
        let near =
            at.map(|at| String::from_utf8_lossy(&said.as_bytes()[at.saturating_sub(300)..at]).into_owned());
        assert_eq!(near, None, "a secret is told behind this");
    }
}
