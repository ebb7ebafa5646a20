use std::time::{Duration, Instant};

use super::client::Client;
use crate::zoho::fault::{ZohoFault, ZohoFaultRule};
use crate::zoho::route::ZohoEndpoint;

#[tokio::test]
async fn faults_with_an_answer_give_it_once_and_leave_the_quota_alone() {
    let client = Client::with_items(3).await;
    for (fault, verdict, retry_after) in [
        (ZohoFault::InternalError, (500, 1000), ""),
        (ZohoFault::BadRequest, (400, 4), ""),
        (ZohoFault::Unauthorized, (401, 57), ""),
        (ZohoFault::Throttled { code: 43, retry_after: Some(3600) }, (429, 43), "3600"),
        (ZohoFault::Throttled { code: 44, retry_after: None }, (429, 44), ""),
        (ZohoFault::Throttled { code: 45, retry_after: None }, (429, 45), ""),
        (ZohoFault::Throttled { code: 1070, retry_after: None }, (429, 1070), ""),
        (ZohoFault::ErrorInSuccess { code: 1000 }, (200, 1000), ""),
    ] {
        client.control.fault(ZohoFaultRule::once(fault));
        let answer = client.get("items").await;
        assert_eq!((answer.verdict(), answer.header("retry-after")), (verdict, retry_after));
    }
    assert_eq!(client.get("items").await.header("x-rate-limit-remaining"), "9999");
    let counts = client.control.counts();
    assert_eq!((counts.faults, counts.list, counts.throttled), (8, 9, 4));
}

#[tokio::test]
async fn pages_of_html_come_from_a_gateway_and_from_a_throttle() {
    let client = Client::with_items(3).await;
    for (fault, status) in [(ZohoFault::BadGateway, 502), (ZohoFault::ThrottledPage, 429)] {
        client.control.fault(ZohoFaultRule::once(fault));
        let answer = client.get("items").await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "text/html"));
        assert!(answer.body.starts_with(b"<html>"));
    }
}

#[tokio::test]
async fn closed_and_cut_connections_fail_and_the_next_call_works() {
    let client = Client::with_items(3).await;
    for fault in [ZohoFault::Close, ZohoFault::Cut] {
        client.control.fault(ZohoFaultRule::once(fault.clone()));
        assert!(client.try_get("items").await.is_err(), "{fault:?}");
        assert_eq!(client.get("items").await.verdict(), (200, 0));
    }
}

#[tokio::test]
async fn a_delay_delays_and_a_hang_never_ends() {
    let client = Client::with_items(3).await;
    client.control.fault(ZohoFaultRule::once(ZohoFault::Delay { millis: 60 }));
    let start = Instant::now();
    assert_eq!(client.get("items").await.verdict(), (200, 0));
    assert!(start.elapsed() >= Duration::from_millis(60));
    client.control.fault(ZohoFaultRule::once(ZohoFault::Hang));
    tokio::time::timeout(Duration::from_millis(60), client.get("items")).await.unwrap_err();
}

#[tokio::test]
async fn a_rule_waits_for_its_endpoint_and_turn() {
    let client = Client::with_items(30).await;
    client
        .control
        .fault(ZohoFaultRule::once(ZohoFault::BadGateway).endpoint(ZohoEndpoint::Image).after(1).times(2));
    let image = format!("items/{}/image", client.control.item_id(1));
    let mut seen = Vec::new();
    for target in ["items", &image, &image, "items", &image, &image] {
        seen.push(client.get(target).await.status);
    }
    assert_eq!(seen, [200, 200, 502, 200, 502, 200]);
    assert!(client.control.pending_faults().is_empty());
}

#[tokio::test]
async fn token_requests_have_faults_of_their_own() {
    let client = Client::with_items(3).await;
    client.control.fault(ZohoFaultRule::once(ZohoFault::AccessDenied).endpoint(ZohoEndpoint::Token));
    let answer = client.token_request(&client.form(), "").await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("Access Denied")));
    assert_eq!(client.token_request(&client.form(), "").await.status, 200);
}
