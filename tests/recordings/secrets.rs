//! What the recordings mask: passwords, keys, cookies, and pictures too long to keep.

use sandbox::OdooSandbox;
use serde_json::{Map, Value, json};
use tests::recordings::Recording;

/// Puts the stand-in's credentials where the recording shows asterisks.
pub(crate) fn unmask(
    one: &Recording,
    server: &OdooSandbox,
    cookie: Option<&str>,
) -> (Map<String, Value>, Value) {
    let mut headers = one.request.headers.clone();
    for (name, value) in &mut headers {
        match name.as_str() {
            "Authorization" => *value = json!(authorization(one, server)),
            "Cookie" => *value = json!(cookie.unwrap_or("session_id=none")),
            _ => {}
        }
    }
    let mut body = one.request.body.clone();
    if let Some(secret) = body.pointer_mut("/params/password") {
        unmask_text(one, server, secret, 2);
    }
    let service = body.pointer("/params/service").and_then(Value::as_str).unwrap_or("").to_owned();
    let uid = body.pointer("/params/args/1").and_then(Value::as_i64).unwrap_or(2);
    if let Some(secret) =
        body.pointer_mut("/params/args/2").filter(|_| service == "object" || service == "common")
    {
        unmask_text(one, server, secret, uid);
    }
    (headers, body)
}

fn is_wrong(one: &Recording) -> bool {
    let name = one.name.as_str();
    let throttled = name.split_once("throttle-").is_some_and(|(_, rest)| rest.parse::<u8>().is_ok());
    throttled || name.ends_with("wrong-password") || name.ends_with("wrong-key")
}

fn unmask_text(one: &Recording, server: &OdooSandbox, secret: &mut Value, uid: i64) {
    let plain = server.plain_user();
    let text = match secret.as_str() {
        Some("***") if is_wrong(one) => "wrong".to_owned(),
        Some("***") if one.name.ends_with("execute_kw-apikey") => server.api_key().to_owned(),
        Some("***") if uid == plain.uid => plain.password,
        Some("***") => server.password().to_owned(),
        Some("***APIKEY***") => server.api_key().to_owned(),
        _ => return,
    };
    *secret = json!(text);
}

fn authorization(one: &Recording, server: &OdooSandbox) -> String {
    let restricted = one.name.contains("-access-denied") || one.name.contains("-access-restricted");
    if one.name.ends_with("basic-auth") {
        return "Basic YWRtaW46YWRtaW4=".to_owned();
    }
    let key = if is_wrong(one) {
        "wrong".to_owned()
    } else if one.name.ends_with("password-as-key") {
        server.password().to_owned()
    } else if restricted {
        server.plain_user().api_key
    } else {
        server.api_key().to_owned()
    };
    format!("Bearer {key}")
}
