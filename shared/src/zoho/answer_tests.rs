//! What the answers of the API mean.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::{Answer, Api, Expected, Kind, Order, Quota, Refusal, Request};
use crate::failure::{Class, Reason};

fn classify(request: &Request, answer: &Answer) -> Result<Value, Refusal> {
    let expected = Expected { host: "www.zohoapis.eu", organization: "2006", request };
    expected.classify(answer)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() }
}

fn list() -> Request {
    Request::list(Api::Inventory, Kind::Items, Order::Name, 1, 200)
}

fn refusal(status: u16, body: &str) -> Refusal {
    classify(&list(), &answer(status, body)).unwrap_err()
}

#[test]
fn success_needs_the_code_zero() {
    let body = r#"{"code":0,"message":"success","items":[{"rate":129.50}]}"#;
    let json = classify(&list(), &answer(200, body)).unwrap();
    assert_eq!(json["items"][0]["rate"].to_string(), "129.50");
    for body in ["{}", "[]", "", "<html>", r#"{"code":0"#, r#"{"items":[]}"#] {
        let refusal = refusal(200, body);
        assert_eq!(refusal.failure.class, Class::Transient, "{body}");
        assert_eq!(refusal.failure.reason, Reason::Protocol, "{body}");
    }
}

#[test]
fn codes_have_their_class() {
    let cases = [
        (401, 57, Class::Systemic, Reason::Rights, "ZohoInventory.items.READ"),
        (401, 14, Class::Systemic, Reason::Credentials, "data centre"),
        (401, 6041, Class::Systemic, Reason::Configuration, "organization_id"),
        (400, 2, Class::Systemic, Reason::Configuration, "Invalid value"),
        (400, 4, Class::Systemic, Reason::Configuration, "Invalid value"),
        (404, 5, Class::Systemic, Reason::Configuration, "Inventory items"),
        (500, 1000, Class::Transient, Reason::ServerError, "HTTP 500"),
        (429, 43, Class::Throttled, Reason::Throttled, "code 43"),
        (429, 44, Class::Throttled, Reason::Throttled, "code 44"),
        (429, 45, Class::Throttled, Reason::Throttled, "calls of its day"),
        (429, 1070, Class::Throttled, Reason::Throttled, "under way"),
        (400, 36, Class::Systemic, Reason::Protocol, "code 36"),
        (200, 43, Class::Throttled, Reason::Throttled, "code 43"),
        (200, 9999, Class::Systemic, Reason::Protocol, "code 9999"),
    ];
    for (status, code, class, reason, words) in cases {
        let refusal = refusal(status, &format!(r#"{{"code":{code},"message":"Invalid value"}}"#));
        let failure = &refusal.failure;
        assert_eq!((failure.class, failure.reason), (class, reason), "{code}");
        assert!(failure.to_string().contains(words), "{failure}");
        assert_eq!(refusal.code, Some(code));
    }
    assert_eq!(refusal(200, r#"{"code":"43"}"#).failure.class, Class::Throttled);
}

#[test]
fn only_codes_that_a_new_token_may_cure_ask_for_one() {
    let asks = |status, body: &str| refusal(status, body).may_be_the_token();
    assert!(asks(401, r#"{"code":57,"message":"x"}"#));
    assert!(asks(401, r#"{"code":14,"message":"x"}"#));
    assert!(asks(401, "<html>"));
    assert!(!asks(401, r#"{"code":6041,"message":"x"}"#));
    assert!(!asks(403, "<html>"));
}

#[test]
fn wait_is_as_told_or_known() {
    let wait = |code: u64, retry_after: Option<u64>, reset: Option<u64>| {
        let now = Timestamp::UNIX_EPOCH;
        let quota = reset.map(|seconds| Quota {
            limit: 1000,
            remaining: 0,
            resets_at: now + Duration::from_secs(seconds),
            told_at: now,
        });
        let answer = Answer {
            retry_after: retry_after.map(Duration::from_secs),
            quota,
            ..answer(429, &format!(r#"{{"code":{code}}}"#))
        };
        let refusal = classify(&list(), &answer).unwrap_err();
        assert_eq!(refusal.is_daily(), code == 45);
        refusal.failure.retry_after.unwrap().as_secs()
    };
    assert_eq!(wait(43, Some(3600), None), 3600);
    assert_eq!(wait(44, None, None), 60);
    assert_eq!(wait(45, Some(60), Some(18811)), 18811);
    assert_eq!(wait(45, Some(60), None), 60);
    assert_eq!(wait(45, None, None), 3600);
    assert_eq!(wait(1070, None, None), 2);
}

#[test]
fn page_of_a_proxy_is_judged_by_its_status() {
    let cases = [
        (502, Class::Transient, Reason::ServerError),
        (503, Class::Transient, Reason::ServerError),
        (408, Class::Transient, Reason::Timeout),
        (429, Class::Throttled, Reason::Throttled),
        (401, Class::Systemic, Reason::Credentials),
        (403, Class::Systemic, Reason::Rights),
        (404, Class::Systemic, Reason::Configuration),
    ];
    for (status, class, reason) in cases {
        let failure = refusal(status, "<html>Bad gateway</html>").failure;
        assert_eq!((failure.class, failure.reason), (class, reason), "{status}");
    }
    let busy = Answer { retry_after: Some(Duration::from_secs(30)), ..answer(503, "") };
    let failure = classify(&list(), &busy).unwrap_err().failure;
    assert_eq!((failure.class, failure.retry_after), (Class::Throttled, Some(Duration::from_secs(30))));
}

#[test]
fn record_that_is_gone_is_missing_and_nothing_more() {
    let detail = Request::detail(Api::Books, Kind::Contacts, "1");
    let image = Request::item_image(Api::Inventory, "1");
    for request in [&detail, &image] {
        for body in ["", r#"{"code":1002,"message":"gone"}"#, r#"{"code":5,"message":"Invalid URL Passed"}"#]
        {
            let failure = classify(request, &answer(404, body)).unwrap_err().failure;
            assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::Missing));
        }
    }
    let odd = classify(&detail, &answer(400, r#"{"code":36,"message":"x"}"#)).unwrap_err();
    assert_eq!(odd.failure.class, Class::Permanent);
}

#[test]
fn words_of_zoho_are_one_short_line() {
    let message = format!("Invalid\\n value {}", "x".repeat(500));
    let failure = refusal(400, &format!(r#"{{"code":2,"message":"{message}"}}"#)).failure;
    assert!(failure.what().contains("Invalid value x"), "{failure}");
    assert!(failure.what().len() < 300, "{failure}");
}

proptest! {
    #[test]
    fn classify_never_panics(status in 0u16..700, body in any::<Vec<u8>>(), wait in any::<Option<u32>>()) {
        let answer = Answer {
            status,
            body,
            retry_after: wait.map(|seconds| Duration::from_secs(u64::from(seconds))),
            ..Answer::default()
        };
        drop(classify(&list(), &answer));
    }

    #[test]
    fn classify_never_panics_on_odd_json(status in 0u16..700, code in "-?[0-9]{1,25}|\"[^\"\\\\]*\"|null", message in ".*") {
        let message = serde_json::to_string(&message).unwrap();
        let body = format!(r#"{{"code":{code},"message":{message}}}"#);
        let result = classify(&list(), &answer(status, &body));
        prop_assert!(result.is_err() || code.trim_matches('"').bytes().all(|digit| digit == b'0' || digit == b'-'));
    }
}
