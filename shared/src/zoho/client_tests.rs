//! The client against servers that answer, refuse, redirect, stall and break off.

use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Api, DataCenter, Distrust, Kind, Position, ZohoClient, ZohoConfig, ZohoSecret};
use crate::failure::{Class, Failure, Reason};

const TOKEN: &str = "/oauth/v2/token";
const ITEMS: &str = "/inventory/v1/items";

/// A configuration whose addresses are those of a server of ours.
pub(super) fn config(url: &str) -> ZohoConfig {
    let secret = ZohoSecret {
        client_id: "1000.CLIENT".to_owned(),
        client_secret: "cl1ent-s3cret".into(),
        refresh_token: "1000.r3fresh".into(),
    };
    ZohoConfig {
        accounts_url: Some(url.to_owned()),
        api_url: Some(url.to_owned()),
        ..ZohoConfig::new(DataCenter::Eu, "2006", secret)
    }
}

fn token(access: &str) -> ResponseTemplate {
    let told = json!({"access_token": access, "expires_in": 3600, "api_domain": "https://www.zohoapis.com"});
    ResponseTemplate::new(200).set_body_json(told)
}

fn refused(status: u16, code: u64) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"code": code, "message": "no"}))
}

fn items(rows: &Value, has_more: bool) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "code": 0, "message": "success", "items": rows, "page_context": {"has_more_page": has_more},
    }))
}

async fn mount(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

async fn mount_once(server: &MockServer, at: &str, answer: ResponseTemplate) {
    Mock::given(path(at)).respond_with(answer).up_to_n_times(1).mount(server).await;
}

async fn mount_for_token(server: &MockServer, at: &str, access: &str, answer: ResponseTemplate) {
    Mock::given(path(at))
        .and(header("authorization", format!("Zoho-oauthtoken {access}").as_str()))
        .respond_with(answer)
        .mount(server)
        .await;
}

async fn requests(server: &MockServer, at: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.url.path() == at).count()
}

/// A server that makes tokens, and a client of it.
async fn connected() -> (MockServer, ZohoClient) {
    let server = MockServer::start().await;
    mount(&server, TOKEN, token("1000.acc3ss")).await;
    let client = ZohoClient::connect(config(&server.uri())).await.unwrap();
    (server, client)
}

async fn first_page(client: &ZohoClient) -> Result<super::Page, Failure> {
    let first = Position::first(Api::Inventory, None);
    let page = client.page(Api::Inventory, Kind::Items, &first, 200).await;
    if let Err(failure) = &page {
        no_secret(failure);
    }
    page
}

fn no_secret(shown: &(impl std::fmt::Debug + ?Sized)) {
    let shown = format!("{shown:?}");
    for secret in ["s3cret", "r3fresh", "acc3ss", "0ld", "n3w"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn page_is_read_with_the_token_and_counted() {
    let (server, client) = connected().await;
    let answer = items(
        &json!([{"item_id": "1", "rate": 1.5, "last_modified_time": "2026-10-09T13:22:05-0400"}]),
        false,
    )
    .insert_header("Date", "Sat, 21 Nov 2026 22:39:23 GMT")
    .insert_header("X-Rate-Limit-Limit", "7500")
    .insert_header("X-Rate-Limit-Remaining", "6197")
    .insert_header("X-Rate-Limit-Reset", "18811");
    Mock::given(method("GET"))
        .and(path(ITEMS))
        .and(header("authorization", "Zoho-oauthtoken 1000.acc3ss"))
        .and(query_param("organization_id", "2006"))
        .and(query_param("filter_by", "Status.All"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let page = first_page(&client).await.unwrap();
    assert_eq!(page.rows[0].id(), "1");
    assert_eq!((page.next(), page.distrust), (None, None));
    let counts = client.calls();
    assert_eq!((counts.token, counts.list, counts.detail, counts.image), (1, 1, 0, 0));
    assert!(counts.bytes_received > 0);
    let day = client.limits().day.unwrap();
    assert_eq!((day.limit, day.remaining), (7500, 6197));
    assert!(client.server_clock().unwrap().to_string().starts_with("2026-11-21T22:39:2"));
    no_secret(&client);
}

#[tokio::test]
async fn secrets_go_in_the_body_of_a_post_and_in_no_address() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(TOKEN))
        .and(body_string_contains("refresh_token=1000.r3fresh&client_id=1000.CLIENT"))
        .respond_with(token("a"))
        .mount(&server)
        .await;
    let config = config(&server.uri());
    no_secret(&config);
    ZohoClient::connect(config).await.unwrap();
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.url.query(), None);
    }
}

#[tokio::test]
async fn expired_token_is_replaced_once_for_all_callers() {
    let server = MockServer::start().await;
    mount_once(&server, TOKEN, token("0ld")).await;
    mount(&server, TOKEN, token("n3w")).await;
    mount_for_token(&server, ITEMS, "0ld", refused(401, 57)).await;
    mount_for_token(&server, ITEMS, "n3w", items(&json!([]), false)).await;
    let client = ZohoClient::connect(config(&server.uri())).await.unwrap();
    let (one, two, three) = tokio::join!(first_page(&client), first_page(&client), first_page(&client));
    for page in [one, two, three] {
        page.unwrap();
    }
    assert_eq!(requests(&server, TOKEN).await, 2);
}

#[tokio::test]
async fn missing_scope_is_named_after_one_new_token_and_no_more() {
    let (server, client) = connected().await;
    mount(&server, ITEMS, refused(401, 57)).await;
    for _ in 0..3 {
        let failure = first_page(&client).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Rights));
        assert!(failure.to_string().contains("ZohoInventory.items.READ"), "{failure}");
    }
    assert_eq!(requests(&server, TOKEN).await, 2);
    assert_eq!(requests(&server, ITEMS).await, 4);
}

#[tokio::test]
async fn wrong_organisation_costs_no_token() {
    let (server, client) = connected().await;
    mount(&server, ITEMS, refused(401, 6041)).await;
    let failure = first_page(&client).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
    assert!(failure.to_string().contains("organization_id"), "{failure}");
    assert_eq!(requests(&server, TOKEN).await, 1);
}

#[tokio::test]
async fn rejected_refresh_token_is_shown_once() {
    let server = MockServer::start().await;
    mount(&server, TOKEN, ResponseTemplate::new(200).set_body_json(json!({"error": "invalid_code"}))).await;
    let failure = ZohoClient::connect(config(&server.uri())).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
    no_secret(&failure);
    assert_eq!(requests(&server, TOKEN).await, 1);
}

#[tokio::test]
async fn token_request_is_not_redirected() {
    let (elsewhere, server) = (MockServer::start().await, MockServer::start().await);
    let moved = ResponseTemplate::new(307).insert_header("Location", format!("{}{TOKEN}", elsewhere.uri()));
    mount(&server, TOKEN, moved).await;
    let failure = ZohoClient::connect(config(&server.uri())).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
    assert_eq!(requests(&elsewhere, TOKEN).await, 0);
}

#[tokio::test]
async fn blocked_organisation_is_left_alone() {
    let (server, client) = connected().await;
    mount(&server, ITEMS, refused(429, 43).insert_header("Retry-After", "3600")).await;
    for _ in 0..3 {
        let failure = first_page(&client).await.unwrap_err();
        assert_eq!(failure.class, Class::Throttled);
        assert!(failure.retry_after.unwrap() > Duration::from_mins(59));
    }
    assert_eq!(requests(&server, ITEMS).await, 1);
    let limits = client.limits();
    assert!(limits.blocked_until.is_some() && !limits.daily);
}

#[tokio::test]
async fn day_that_is_used_up_ends_when_an_earlier_answer_said() {
    let (server, client) = connected().await;
    let told = items(&json!([]), false)
        .insert_header("X-Rate-Limit-Limit", "1000")
        .insert_header("X-Rate-Limit-Remaining", "500")
        .insert_header("X-Rate-Limit-Reset", "18000");
    mount_once(&server, ITEMS, told).await;
    mount(&server, ITEMS, refused(429, 45)).await;
    first_page(&client).await.unwrap();
    let failure = first_page(&client).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Throttled, Reason::Throttled));
    assert!(failure.retry_after.unwrap() > Duration::from_hours(4));
    assert!(client.limits().daily);
}

#[tokio::test]
async fn moment_of_too_many_calls_and_a_bad_gateway_are_waited_out() {
    let (server, client) = connected().await;
    mount_once(&server, ITEMS, refused(429, 1070).insert_header("Retry-After", "0")).await;
    mount_once(&server, ITEMS, ResponseTemplate::new(502).set_body_raw("<html>", "text/html")).await;
    mount(&server, ITEMS, items(&json!([]), false)).await;
    first_page(&client).await.unwrap();
    assert_eq!(requests(&server, ITEMS).await, 3);
    assert_eq!(client.limits().blocked_until, None);
}

#[tokio::test]
async fn list_is_not_followed_to_another_host() {
    let (elsewhere, server) = (MockServer::start().await, MockServer::start().await);
    mount(&server, TOKEN, token("1000.acc3ss")).await;
    let moved = ResponseTemplate::new(302).insert_header("Location", format!("{}{ITEMS}", elsewhere.uri()));
    mount(&server, ITEMS, moved).await;
    let mut config = config(&server.uri());
    config.redirect_hosts = vec![elsewhere.address().to_string()];
    let client = ZohoClient::connect(config).await.unwrap();
    let failure = first_page(&client).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Configuration);
    assert_eq!(requests(&elsewhere, ITEMS).await, 0);
}

#[tokio::test]
async fn filter_that_is_ignored_is_noticed() {
    let (server, client) = connected().await;
    let old = json!([{"item_id": "1", "last_modified_time": "2020-01-01T00:00:00+0000"}]);
    Mock::given(path(ITEMS))
        .and(query_param("last_modified_time", "2026-11-21T00:00:00+0000"))
        .respond_with(items(&old, false))
        .mount(&server)
        .await;
    let since = "2026-11-21T00:00:00Z".parse().unwrap();
    let first = Position::first(Api::Inventory, Some(since));
    let page = client.page(Api::Inventory, Kind::Items, &first, 200).await.unwrap();
    assert_eq!(page.distrust, Some(Distrust::FilterIgnored));
    assert_eq!(page.next(), Some(&Position::Scan { page: 1 }));
}

#[tokio::test]
async fn ids_that_zoho_leaves_out_are_told() {
    let (server, client) = connected().await;
    let sent = json!([{"item_id": "1"}, {"item_id": "1"}, {"item_id": "77"}]);
    Mock::given(path("/inventory/v1/itemdetails"))
        .respond_with(items(&sent, false))
        .expect(3)
        .mount(&server)
        .await;
    let ids: Vec<String> = (1..=201).map(|id| id.to_string()).collect();
    let details = client.item_details(Api::Inventory, &ids).await.unwrap();
    let found: Vec<String> = details.rows.iter().map(super::Row::id).collect();
    assert_eq!(found, ["1", "77"]);
    assert_eq!(details.missing.len(), 199);
    assert_eq!(client.calls().detail, 3);
}

#[tokio::test]
async fn contact_is_read_whole_and_one_that_is_gone_is_missing() {
    let (server, client) = connected().await;
    let contact = json!({"code": 0, "contact": {"contact_id": "5", "billing_address": {"city": "Graz"}}});
    mount(&server, "/inventory/v1/contacts/5", ResponseTemplate::new(200).set_body_json(contact)).await;
    mount(&server, "/inventory/v1/contacts/6", refused(404, 1002)).await;
    let row = client.record(Api::Inventory, Kind::Contacts, "5").await.unwrap();
    assert_eq!(row.values()["billing_address"]["city"], "Graz");
    let failure = client.record(Api::Inventory, Kind::Contacts, "6").await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::Missing));
}
