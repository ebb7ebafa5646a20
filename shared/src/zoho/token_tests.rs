//! What the accounts server answers, word for word where a recording is known.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::token::form;
use super::{Answer, Granted, ZohoSecret, read_token};
use crate::failure::{Class, Failure, Reason};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn read(status: u16, body: &str) -> Result<Granted, Failure> {
    let answer = Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() };
    read_token("accounts.zoho.eu", &answer, now())
}

#[test]
fn token_is_renewed_five_minutes_early() {
    let body = r#"{"access_token":"1000.aaaa.bbbb","scope":"ZohoInventory.items.READ","api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600}"#;
    let granted = read(200, body).unwrap();
    assert_eq!(granted.token.access.expose_secret(), "1000.aaaa.bbbb");
    assert_eq!(granted.token.expires_at.to_string(), "2026-11-21T13:00:00Z");
    assert_eq!(granted.token.renew_at.to_string(), "2026-11-21T12:55:00Z");
    assert_eq!(granted.api_domain.as_deref(), Some("https://www.zohoapis.eu"));
    assert!(!format!("{granted:?}").contains("aaaa"));
}

#[test]
fn odd_lifetimes_are_bounded() {
    let expires = |body: &str| read(200, body).unwrap().token;
    let short = expires(r#"{"access_token":"a","expires_in":60}"#);
    assert_eq!(short.renew_at.to_string(), "2026-11-21T12:00:30Z");
    let old = expires(r#"{"access_token":"a","expires_in":3600000,"expires_in_sec":3600}"#);
    assert_eq!(old.expires_at.to_string(), "2026-11-21T13:00:00Z");
    let none = expires(r#"{"access_token":"a"}"#);
    assert_eq!(none.expires_at.to_string(), "2026-11-21T13:00:00Z");
    let negative = expires(r#"{"access_token":"a","expires_in":-5}"#);
    assert!(negative.expires_at > now());
}

#[test]
fn error_with_status_200_names_the_setting() {
    for (error, setting) in [
        ("invalid_code", "refresh token"),
        ("invalid_client", "client id"),
        ("invalid_client_secret", "client secret"),
        ("unsupported", "request for an access token (unsupported)"),
    ] {
        for status in [200, 400, 401] {
            let failure = read(status, &format!(r#"{{"error":"{error}"}}"#)).unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
            assert!(failure.what().contains(setting), "{failure}");
        }
    }
}

#[test]
fn access_denied_is_a_throttle_and_no_wrong_secret() {
    let body = r#"{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}"#;
    let failure = read(400, body).unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Throttled, Reason::Throttled));
    assert_eq!(failure.retry_after, Some(Duration::from_mins(10)));
}

#[test]
fn echo_of_a_secret_is_not_repeated() {
    let failure = read(200, r#"{"error":"bad token 1000.3f9a.77"}"#).unwrap_err();
    assert!(!format!("{failure:#}").contains("3f9a"), "{failure:#}");
}

#[test]
fn what_is_no_token_has_the_class_of_its_status() {
    for (status, body, class, reason) in [
        (503, "<html>", Class::Transient, Reason::ServerError),
        (200, "<html>", Class::Transient, Reason::Protocol),
        (200, "{}", Class::Transient, Reason::Protocol),
        (200, r#"{"access_token":""}"#, Class::Transient, Reason::Protocol),
        (404, "<html>", Class::Systemic, Reason::Configuration),
        (302, "", Class::Systemic, Reason::Configuration),
        (429, "", Class::Throttled, Reason::Throttled),
        (500, r#"{"error":"general_error"}"#, Class::Transient, Reason::ServerError),
    ] {
        let failure = read(status, body).unwrap_err();
        assert_eq!((failure.class, failure.reason), (class, reason), "{status} {body}");
    }
}

#[test]
fn form_encodes_what_would_end_a_value() {
    let secret = ZohoSecret {
        client_id: "1000.ID".to_owned(),
        client_secret: "a&b=c+d e".into(),
        refresh_token: "1000.x-y_z".into(),
    };
    assert_eq!(
        form(&secret).expose_secret(),
        "refresh_token=1000.x-y_z&client_id=1000.ID&client_secret=a%26b%3Dc%2Bd%20e&grant_type=refresh_token"
    );
}

proptest! {
    #[test]
    fn reading_a_token_never_panics(status in 0u16..700, body in any::<Vec<u8>>()) {
        let answer = Answer { status, body, ..Answer::default() };
        drop(read_token("h", &answer, now()));
    }

    #[test]
    fn reading_odd_json_never_panics(error in ".*", lifetime in any::<i64>()) {
        let body = serde_json::json!({"error": error, "access_token": "a", "expires_in": lifetime});
        drop(read(200, &body.to_string()));
        let body = serde_json::json!({"access_token": "a", "expires_in": lifetime});
        prop_assert!(read(200, &body.to_string()).is_ok());
    }
}
