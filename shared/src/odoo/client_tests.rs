//! The client against servers that answer, refuse, redirect, stall and break off.

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
async fn session_is_opened_once_and_used_by_every_call() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    let date = "Sat, 21 Nov 2026 22:39:23 GMT";
    mount_for_session(&server, CALL, "one", result(&json!(7)).insert_header("Date", date)).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!(count(&client).await.unwrap(), 7);
    assert_eq!(count(&client.clone()).await.unwrap(), 7);
    assert_eq!(client.server_clock().unwrap().to_string(), "2026-11-21T22:39:23Z");
    let counts = client.calls();
    assert_eq!((counts.authentications, counts.calls), (1, 2));
    assert!(counts.bytes_sent > 0 && counts.bytes_received > 0);
    assert_eq!(client.identity(), format!("{}#shop", server.uri()));
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[tokio::test]
async fn json_2_is_chosen_for_a_key_on_19_and_proven_at_once() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(19)).await;
    Mock::given(path("/json/2/res.partner/search_count"))
        .and(header("authorization", "Bearer k3y-k3y"))
        .and(header("x-odoo-database", "shop"))
        .respond_with(ResponseTemplate::new(200).set_body_json(0))
        .mount(&server)
        .await;
    let rows = json!([{"id": 1, "name": "Cup", "price": 1.0}]);
    Mock::given(path("/json/2/product.template/search_read"))
        .and(body_partial_json(json!({"fields": ["name"], "limit": 5, "context": {"active_test": false}})))
        .respond_with(ResponseTemplate::new(200).set_body_json(&rows))
        .mount(&server)
        .await;
    let client = OdooClient::connect(key(&server.uri())).await.unwrap();
    let search = SearchRead {
        fields: vec!["name".to_owned()],
        limit: Some(5),
        context: Row::from_iter([("active_test".to_owned(), json!(false))]),
        ..SearchRead::new("product.template")
    };
    let read = client.search_read(&search).await.unwrap();
    assert_eq!(read[0]["name"], "Cup");
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
async fn wrong_key_is_told_at_connect() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(19)).await;
    let refused = json!({"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"});
    mount(&server, "/json/2/res.partner/search_count", ResponseTemplate::new(401).set_body_json(refused))
        .await;
    let failure = failure(key(&server.uri())).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
}

#[tokio::test]
async fn key_below_19_finds_its_user_once_and_goes_by_execute_kw() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    let login = body_partial_json(json!({"params": {"service": "common", "method": "authenticate"}}));
    Mock::given(path("/jsonrpc")).and(login).respond_with(result(&json!(6))).expect(1).mount(&server).await;
    let args = json!(["shop", 6, "k3y-k3y", "res.partner", "check_access_rights", ["write"], {"raise_exception": false}]);
    let call =
        body_partial_json(json!({"params": {"service": "object", "method": "execute_kw", "args": args}}));
    Mock::given(path("/jsonrpc")).and(call).respond_with(result(&json!(true))).expect(2).mount(&server).await;
    let client = OdooClient::connect(key(&server.uri())).await.unwrap();
    for _ in 0..2 {
        assert!(client.check_access("res.partner", Access::Write).await.unwrap());
    }
}

#[tokio::test]
async fn rejected_password_is_tried_once() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    mount(&server, "/jsonrpc", result(&json!(false))).await;
    mount(&server, LOGIN, exception(200, "odoo.exceptions.AccessDenied", "Access Denied")).await;
    for config in [key(&server.uri()), config(&server.uri())] {
        let failure = failure(config).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
        assert!(failure.to_string().contains("user 'admin' for database 'shop'"), "{failure}");
    }
    assert_eq!((requests(&server, "/jsonrpc").await, requests(&server, LOGIN).await), (1, 1));
}

#[tokio::test]
async fn second_factor_is_told() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    mount(&server, LOGIN, result(&json!({"uid": null}))).await;
    let failure = failure(config(&server.uri())).await;
    assert_eq!(failure.reason, Reason::Credentials);
    assert!(failure.to_string().contains("API key"), "{failure}");
}

#[tokio::test]
async fn expired_session_is_renewed_once_for_all_callers() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount_once(&server, LOGIN, logged_in("old")).await;
    mount(&server, LOGIN, logged_in("new")).await;
    mount_for_session(&server, CALL, "old", expired()).await;
    mount_for_session(&server, CALL, "new", result(&json!(7))).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let counted = tokio::join!(count(&client), count(&client), count(&client), count(&client));
    for counted in [counted.0, counted.1, counted.2, counted.3] {
        assert_eq!(counted.unwrap(), 7);
    }
    assert_eq!(requests(&server, LOGIN).await, 2);
}

#[tokio::test]
async fn password_changed_meanwhile_is_rejected_once_for_all_callers() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount_once(&server, LOGIN, logged_in("old")).await;
    mount(&server, LOGIN, exception(200, "odoo.exceptions.AccessDenied", "Access Denied")).await;
    mount(&server, CALL, expired()).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let counted = tokio::join!(count(&client), count(&client), count(&client), count(&client));
    for counted in [counted.0, counted.1, counted.2, counted.3] {
        assert_eq!(counted.unwrap_err().reason, Reason::Credentials);
    }
    assert_eq!(requests(&server, LOGIN).await, 2);
}

#[tokio::test]
async fn session_that_is_never_known_fails_after_one_login() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("any")).await;
    mount(&server, CALL, expired()).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let failure = count(&client).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
    assert_eq!((requests(&server, LOGIN).await, requests(&server, CALL).await), (2, 2));
}

#[tokio::test]
async fn cookie_that_odoo_changes_is_taken_over() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    mount(&server, LOGIN, logged_in("first")).await;
    let rotated = result(&json!(1)).insert_header("Set-Cookie", "session_id=second; Path=/");
    mount_for_session(&server, CALL, "first", rotated).await;
    mount_for_session(&server, CALL, "second", result(&json!(2))).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!((count(&client).await.unwrap(), count(&client).await.unwrap()), (1, 2));
}

#[tokio::test]
async fn redirect_is_not_followed_but_told() {
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(301).insert_header("Location", format!("https://erp.example{VERSION}"));
    mount(&server, VERSION, moved).await;
    let failure = failure(config(&server.uri())).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
    assert!(failure.to_string().contains("set `url` to https://erp.example if"), "{failure}");
}

#[tokio::test]
async fn web_site_that_is_no_odoo_is_told() {
    let server = MockServer::start().await;
    mount(&server, VERSION, ResponseTemplate::new(404).set_body_raw("<html>", "text/html")).await;
    let failure = failure(config(&server.uri())).await;
    assert_eq!(failure.reason, Reason::Configuration);
    assert!(failure.to_string().contains("does not look like an Odoo server"), "{failure}");
}

#[tokio::test]
async fn server_in_trouble_is_asked_again_but_a_write_is_sent_once() {
    let server = MockServer::start().await;
    mount_once(&server, VERSION, ResponseTemplate::new(502)).await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    mount_once(&server, CALL, ResponseTemplate::new(503)).await;
    mount(&server, CALL, result(&json!(7))).await;
    let write = "/web/dataset/call_kw/res.partner/write";
    mount(&server, write, ResponseTemplate::new(502)).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!(count(&client).await.unwrap(), 7);
    let failure = client.write("res.partner", &[1], &Row::new()).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::ServerError));
    assert_eq!(requests(&server, write).await, 1);
}

#[tokio::test]
async fn answer_that_does_not_come_is_a_timeout_and_asked_for_once() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17).set_delay(Duration::from_mins(1))).await;
    let mut config = config(&server.uri());
    config.timeout = Duration::from_millis(100);
    let failure = failure(config).await;
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Timeout));
    assert_eq!(requests(&server, VERSION).await, 1);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = failure(config(&format!("http://me:hunter2@{address}"))).await;
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable));
    assert!(failure.to_string().contains(&address.to_string()), "{failure}");
}

#[tokio::test]
async fn answer_over_the_limit_is_refused_by_its_length() {
    let server = MockServer::start().await;
    let body = vec![b' '; 3 << 20];
    mount(&server, VERSION, ResponseTemplate::new(200).set_body_raw(body, "application/json")).await;
    let mut config = config(&server.uri());
    config.max_answer_bytes = 2 << 20;
    let failure = failure(config).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Protocol));
    assert!(failure.to_string().contains("larger than 2 MiB"), "{failure}");
}

#[tokio::test]
async fn endless_answer_is_refused_while_it_comes() {
    let (address, server) =
        raw_server(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", true).await;
    let mut config = config(&format!("http://{address}"));
    config.max_answer_bytes = 1 << 20;
    let failure = failure(config).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Protocol));
    server.abort();
}

#[tokio::test]
async fn answer_that_breaks_off_is_unreachable() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"json";
    let (address, server) = raw_server(head, false).await;
    let failure = failure(config(&format!("http://{address}"))).await;
    assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Unreachable));
    server.abort();
}

#[tokio::test]
async fn tls_on_a_plain_port_is_a_wrong_address() {
    let (address, server) = raw_server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false).await;
    let failure = failure(config(&format!("https://{address}"))).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
    server.abort();
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

/// A server that reads a request, sends these bytes, goes on with spaces for ever if asked to, and hangs up.
async fn raw_server(
    head: &'static [u8],
    is_endless: bool,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_err() || stream.write_all(head).await.is_err() {
                continue;
            }
            while is_endless && stream.write_all(&[b' '; 4096]).await.is_ok() {}
        }
    });
    (address, server)
}
