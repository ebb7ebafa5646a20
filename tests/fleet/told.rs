//! Everything that a fleet tells or keeps: its page, its commands, its keys in Redis.

use super::processes::Fleet;
use super::secrets::{PAGE_TOKEN, WRONG};

/// All values of a fleet's keys in Redis, as one text.
pub(super) async fn kept(fleet: &Fleet) -> String {
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

/// Every address of the page and of the API, asked as somebody who may, and as somebody who may not.
pub(super) async fn told_by_the_page(fleet: &Fleet, url: &str, key: &str) -> String {
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
pub(super) async fn told_by_commands(fleet: &Fleet, key: &str) -> String {
    let mut said = String::new();
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
        let text = [("CATALOG_SYNC_LOG_FORMAT", "text")];
        let told = tokio::join!(fleet.run(arguments), fleet.run_with(arguments, &text));
        said += &format!("{told:?}");
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
        let told = tokio::join!(fleet.run(&["-vv", "status"]), fleet.run(&["-vv", "check"]));
        said += &format!("{told:?}");
        fleet.reconfigure(&with, &format!("\"{scheme}"));
    }
    said
}
