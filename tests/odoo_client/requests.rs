//! For every recorded request that is one of our operations or logins, ours equals it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;
use shared::odoo::{Dialect, Request};
use tests::recordings::{Recording, recordings};

use super::asked::Asked;

#[test]
fn our_request_equals_the_recorded_one() {
    let mut replayed = BTreeMap::new();
    for recording in recordings() {
        let request = our_login(&recording).or_else(|| our_call(&recording));
        if let Some(request) = request {
            compare(&recording, &request);
            *replayed.entry(recording.version).or_insert(0) += 1;
        }
    }
    let expected = [("17", 360), ("18", 349), ("19", 350), ("19-json2", 251)];
    let expected = expected.map(|(version, count)| (version.to_owned(), count));
    assert_eq!(replayed, BTreeMap::from(expected));
}

fn our_call(recording: &Recording) -> Option<Request> {
    let asked = Asked::from(recording)?;
    let owned = asked.owned()?;
    let call = owned.ours()?;
    Some(asked.dialect.build(&call).expect("a request can be built"))
}

fn our_login(recording: &Recording) -> Option<Request> {
    let request = &recording.request;
    let params = request.body.get("params");
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    let secret = |value: &Value| Some(SecretString::from(value.as_str()?));
    match request.path.as_str() {
        "/web/webclient/version_info" if request.body == Value::Object(serde_json::Map::new()) => {
            Some(Request::version().expect("a request can be built"))
        }
        "/web/session/authenticate" => {
            let (database, login) = (text(params?.get("db")?)?, text(params?.get("login")?)?);
            Some(
                Request::session_login(&database, &login, &secret(params?.get("password")?)?)
                    .expect("a request can be built"),
            )
        }
        "/jsonrpc" if params?.get("method")? == "authenticate" => {
            let args = params?.get("args")?;
            let (database, login) = (text(args.get(0)?)?, text(args.get(1)?)?);
            Some(
                Request::service_login(&database, &login, &secret(args.get(2)?)?)
                    .expect("a request can be built"),
            )
        }
        _ => None,
    }
}

fn compare(recording: &Recording, ours: &Request) {
    let recorded = &recording.request;
    let name = format!("{} {}", recording.version, recording.name);
    assert_eq!(ours.path, recorded.path, "{name}");
    for (header, value) in &ours.headers {
        assert_eq!(recorded.headers.get(*header).and_then(Value::as_str), Some(value.as_str()), "{name}");
    }
    let mut our_body: Value = serde_json::from_slice(&ours.body).expect("a body is JSON");
    let mut recorded_body = recorded.body.clone();
    as_list(&mut recorded_body);
    // The envelope's members that the server does not look at were left out in some recordings.
    for member in ["id", "method"] {
        if recorded_body.get(member).is_none()
            && let Some(envelope) = our_body.as_object_mut().filter(|body| body.contains_key("jsonrpc"))
        {
            envelope.remove(member);
        }
    }
    assert_eq!(our_body, recorded_body, "{name}");
}

/// `create` of one record may be asked for without a list; ours always has one.
fn as_list(body: &mut Value) {
    for place in ["/vals_list", "/params/args/5/0"] {
        let is_create =
            place == "/vals_list" || body.pointer("/params/args/4").is_some_and(|method| method == "create");
        if let Some(row) = body.pointer_mut(place).filter(|row| is_create && row.is_object()) {
            *row = Value::Array(vec![row.take()]);
        }
    }
}

#[test]
fn both_dialects_of_one_call_name_the_same_arguments() {
    let recordings = recordings();
    let mut compared = 0;
    for recording in recordings.iter().filter(|recording| recording.version == "19") {
        let Some(asked) = Asked::from(recording) else {
            continue;
        };
        let Some(owned) = asked.owned() else { continue };
        let Some(call) = owned.ours() else {
            continue;
        };
        let dialect = Dialect::Json2 { database: "shop".to_owned(), key: "key".into() };
        let request = dialect.build(&call).unwrap();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(request.path, format!("/json/2/{}/{}", asked.model, asked.method));
        assert!(body.as_object().is_some_and(|named| !named.is_empty()), "{}", recording.name);
        compared += 1;
    }
    assert!(compared > 300, "{compared}");
}
