//! The client against servers that answer, refuse, redirect, stall and break off.

mod broken;
mod session;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{body_partial_json, header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::failure::{Class, Failure, Reason};
use crate::odoo::{Access, OdooClient, OdooConfig, OdooSecret, Row, SearchRead};

const VERSION: &str = "/web/webclient/version_info";
const LOGIN: &str = "/web/session/authenticate";
const CALL: &str = "/web/dataset/call_kw/res.partner/search_count";

fn result(result: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"jsonrpc": "2.0", "id": 1, "result": result}))
}

fn exception(code: i64, name: &str, message: &str) -> ResponseTemplate {
    let data = json!({"name": name, "message": message, "debug": "Traceback"});
    let error = json!({"code": code, "message": "Odoo Server Error", "data": data});
    ResponseTemplate::new(200).set_body_json(json!({"jsonrpc": "2.0", "id": 1, "error": error}))
}

fn version(major: u32) -> ResponseTemplate {
    result(
        &json!({"server_version": format!("{major}.0"), "server_version_info": [major, 0, 0, "final", 0, ""]}),
    )
}

fn logged_in(cookie: &str) -> ResponseTemplate {
    result(&json!({"uid": 2})).insert_header("Set-Cookie", format!("session_id={cookie}; HttpOnly; Path=/"))
}

fn expired() -> ResponseTemplate {
    exception(100, "odoo.http.SessionExpiredException", "Session expired")
}

async fn mount(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

async fn mount_once(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at)).respond_with(answer).up_to_n_times(1).mount(server).await;
}

/// Answers to whoever holds this session.
async fn mount_for_session(server: &MockServer, at: &str, cookie: &str, answer: ResponseTemplate) {
    let holds = header("cookie", format!("session_id={cookie}").as_str());
    Mock::given(path(at)).and(holds).respond_with(answer).mount(server).await;
}

fn config(url: &str) -> OdooConfig {
    OdooConfig::new(url, "shop", OdooSecret::Password("hunter2".into())).with_user("admin")
}

fn key(url: &str) -> OdooConfig {
    OdooConfig::new(url, "shop", OdooSecret::ApiKey("k3y-k3y".into())).with_user("admin")
}

async fn failure(config: OdooConfig) -> Failure {
    let failure = OdooClient::connect(config).await.unwrap_err();
    let shown = format!("{failure:#} {failure:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("k3y"), "{shown}");
    failure
}

async fn requests(server: &MockServer, at: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.url.path() == at).count()
}

async fn count(client: &OdooClient) -> Result<u64, Failure> {
    client.search_count("res.partner", &json!([])).await
}

#[tokio::test]
async fn context_of_the_call_goes_over_the_clients_own() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    let context = json!({"lang": "de_DE", "active_test": false, "allowed_company_ids": [2]});
    Mock::given(path("/web/dataset/call_kw/res.partner/search"))
        .and(body_partial_json(json!({"params": {"args": [[]], "kwargs": {"context": context}}})))
        .respond_with(result(&json!([3, 1])))
        .mount(&server)
        .await;
    let mut config = config(&server.uri());
    let one = |key: &str, value: Value| Row::from_iter([(key.to_owned(), value)]);
    config.context = one("lang", json!("en_US"));
    let client = OdooClient::connect(config).await.unwrap();
    let client =
        client.with_context(one("active_test", json!(true))).with_context(one("lang", json!("de_DE")));
    let mut search = SearchRead::new("res.partner");
    search.context = one("active_test", json!(false));
    search.context.insert("allowed_company_ids".to_owned(), json!([2]));
    assert_eq!(client.search(&search).await.unwrap(), [3, 1]);
}

#[tokio::test]
async fn secret_that_odoo_repeats_is_masked() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    mount(&server, CALL, exception(200, "builtins.ValueError", "bad call(hunter2)")).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let failure = count(&client).await.unwrap_err();
    assert!(failure.to_string().contains("bad call(***)"), "{failure}");
}

#[tokio::test]
async fn refused_row_of_a_load_is_an_answer_and_no_failure() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    let message = json!({"rows": {"from": 1, "to": 1}, "record": 1, "type": "error", "field": "list_price",
        "message": "'abc' does not seem to be a number for field 'Sales Price'"});
    let answer = result(&json!({"ids": false, "messages": [message], "nextrow": 0}));
    mount(&server, "/web/dataset/call_kw/product.template/load", answer).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let fields = ["id".to_owned(), "list_price".to_owned()];
    let rows = [vec![json!("zoho.1"), json!("1")], vec![json!("zoho.2"), json!("abc")]];
    let answer = client.load("product.template", &fields, &rows).await.unwrap();
    assert_eq!(answer.ids, None);
    assert_eq!(answer.messages[0].record, Some(1));
    assert_eq!(answer.messages[0].failure.clone().unwrap().class, Class::Permanent);
}
