//! What must hold for any bytes: a function for each decoder, which panics where it does not. The fuzz targets (`fuzz/`) and
//! the tests of their corpus call them.
//!
//! A decoder may refuse whatever it likes, in words that fit on one line of a log, and must not panic. What it takes must
//! be what it says that it takes.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::checksum::Checksum;
use crate::config::Config;
use crate::failure::Failure;
use crate::job::{DecodeError, FORMAT, Job};
use crate::{http, odoo, zoho};

/// Longer sentences are no sentences.
const MOST_WORDS: usize = 2_000;

/// [`Job::decode`].
pub fn job(bytes: &[u8]) {
    match Job::decode(bytes) {
        Ok(job) => {
            assert!((1..=FORMAT).contains(&job.format) && job.attempt > 0);
            let again = Job::decode(&job.encode()).expect("it was one");
            let sum = |job: &Job| Checksum::of_values(&job.checksum, &job.values);
            assert_eq!(sum(&again), sum(&job));
            assert_eq!(again, job);
        }
        Err(DecodeError::Newer(format)) => assert!(format > FORMAT),
        Err(error) => one_line(&error.to_string()),
    }
}

/// What the client of Odoo makes of an answer: two bytes of status, one of what was asked, then the body.
pub fn odoo_answer(bytes: &[u8]) {
    let Some(([high, low, asked], body)) = bytes.split_first_chunk() else { return };
    let status = u16::from_be_bytes([*high, *low]) % 1_000;
    let place = odoo::Place::new("http://erp.example", "shop", Some("admin"));
    let place = place.expect("the address is one");
    let search = odoo::SearchRead::new("product.template");
    let read = odoo::Call {
        model: "product.template",
        operation: odoo::Operation::SearchRead(&search),
        context: odoo::Row::new(),
    };
    let load = odoo::Call { operation: odoo::Operation::Load { fields: &[], rows: &[] }, ..read.clone() };
    let purpose = match asked % 4 {
        0 => odoo::Purpose::Version,
        1 => odoo::Purpose::Login,
        2 => odoo::Purpose::Call(&read),
        _ => odoo::Purpose::Call(&load),
    };
    let envelope = if asked & 4 == 0 { odoo::Envelope::JsonRpc } else { odoo::Envelope::Bare };
    let retry_after = (asked & 8 != 0).then_some(Duration::from_secs(7));
    let answer = odoo::Answer { status, retry_after, body: body.to_vec(), ..odoo::Answer::default() };
    let expected = odoo::Expected { place: &place, purpose, envelope };
    match expected.classify(&answer) {
        Ok(result) => {
            assert_eq!(status, 200);
            if let Some(version) = odoo::ServerVersion::from_info(&result) {
                one_line(&version.to_string());
            }
            for message in
                odoo::LoadAnswer::from_json(&result, &expected).into_iter().flat_map(|it| it.messages)
            {
                one_line(&message.text);
                message.failure.iter().for_each(in_words);
            }
        }
        Err(failure) => in_words(&failure),
    }
}

/// What the client of Zoho makes of an answer: two bytes of status, one of what was asked, then the body.
pub fn zoho_answer(bytes: &[u8]) {
    let Some(([high, low, asked], body)) = bytes.split_first_chunk() else { return };
    let status = u16::from_be_bytes([*high, *low]) % 1_000;
    let (api, kind) = (zoho::Api::Inventory, zoho::Kind::Items);
    let request = match asked % 4 {
        0 => zoho::Request::list(api, kind, zoho::Order::Name, 1, 200),
        1 => zoho::Request::detail(api, kind, "1"),
        2 => zoho::Request::item_image(api, "1"),
        _ => zoho::Request::item_details(api, &["1".to_owned()]),
    };
    let answer = zoho::Answer {
        status,
        content_type: (asked & 16 != 0).then(|| "application/json;charset=UTF-8".to_owned()),
        retry_after: (asked & 4 != 0).then_some(Duration::from_secs(7)),
        is_foreign: asked & 8 != 0,
        body: body.to_vec(),
        ..zoho::Answer::default()
    };
    let expected = zoho::Expected { host: "www.zohoapis.eu", organization: "2006", request: &request };
    match expected.classify(&answer) {
        Ok(json) => {
            assert!((200..300).contains(&status) && !answer.is_foreign);
            zoho_rows(kind, json);
        }
        Err(refusal) => in_words(&refusal.failure),
    }
    match zoho::fuzzing::read_image(&expected, answer) {
        Ok(image) => assert_eq!(zoho::ImageFormat::sniff(&image.bytes), Some(image.format)),
        Err(refusal) => in_words(&refusal.failure),
    }
}

/// Each row has an id; a page of them leads to a position that is read back.
fn zoho_rows(kind: zoho::Kind, mut json: Value) {
    let Some(Value::Array(values)) = json.get_mut(kind.as_str()).map(Value::take) else { return };
    let rows: Vec<zoho::Row> = values.into_iter().filter_map(|value| zoho::Row::new(kind, value)).collect();
    for row in &rows {
        assert!(!row.id().is_empty());
        row.image();
    }
    let read = rows.len();
    match zoho::Position::first(zoho::Api::Inventory, None).turn(rows, true) {
        Ok(page) => {
            assert!(page.distrust.is_some() || page.rows.len() == read);
            assert_eq!(page.after.to_string().parse().ok(), Some(page.after));
        }
        Err(failure) => in_words(&failure),
    }
}

/// A position in a walk as the state keeps it, and the page that comes for it.
pub fn zoho_position(bytes: &[u8]) {
    let Some(position) = str::from_utf8(bytes).ok().and_then(|text| text.parse::<zoho::Position>().ok())
    else {
        return;
    };
    assert_eq!(position.to_string().parse().ok().as_ref(), Some(&position));
    let row = |id: u32, time: &str| {
        let value = serde_json::json!({ "item_id": id.to_string(), "last_modified_time": time });
        zoho::Row::new(zoho::Kind::Items, value)
    };
    let rows = [row(1, "2026-10-09T13:20:00-0400"), row(2, "2026-10-09T17:20:00+0000")];
    let page = position.turn(rows.into_iter().flatten().collect(), true);
    let page = page.expect("a page with rows leads on");
    assert_eq!(page.after.to_string().parse().ok(), Some(page.after));
}

/// The answer to a request for an access token: two bytes of status, then the body.
pub fn zoho_token(bytes: &[u8]) {
    let Some(([high, low], body)) = bytes.split_first_chunk() else { return };
    let status = u16::from_be_bytes([*high, *low]) % 1_000;
    let answer = zoho::Answer { status, body: body.to_vec(), ..zoho::Answer::default() };
    for now in [Timestamp::UNIX_EPOCH, Timestamp::MIN, Timestamp::MAX] {
        match zoho::read_token("accounts.zoho.eu", &answer, now) {
            Ok(granted) => {
                let token = &granted.token;
                assert!(!token.access.expose_secret().is_empty());
                assert!(now <= token.expires_at && token.renew_at <= token.expires_at);
            }
            Err(failure) => in_words(&failure),
        }
    }
}

/// Headers that tell times and quotas: the same text in each of them.
pub fn headers(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let names = ["retry-after", "x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"];
    let headers: HeaderMap = names
        .into_iter()
        .map(|name| (reqwest::header::HeaderName::from_static(name), value.clone()))
        .collect();
    let text = http::header::text(&headers, &reqwest::header::RETRY_AFTER);
    if let Some(wait) = text.as_deref().and_then(http::header::retry_after) {
        assert!(wait <= Duration::from_hours(24));
    }
    for now in [Timestamp::UNIX_EPOCH, Timestamp::MIN, Timestamp::MAX] {
        if let Some(quota) = zoho::Quota::from_headers(&headers, now) {
            assert_eq!(quota.resets_in(now).as_secs(), quota.limit);
        }
    }
}

/// A configuration file, with and without secrets in the environment.
pub fn config(bytes: &[u8]) {
    const SECRET: &str = "correct-horse-battery-staple";
    let Ok(text) = str::from_utf8(bytes) else { return };
    let path = Path::new("/etc/catalog-sync/catalog-sync.toml");
    // An address to listen on is no secret: an error may show it.
    let holds_a_secret = |name: &str| !name.ends_with("_FILE") && !name.ends_with("_LISTEN");
    let with_secrets = |name: &str| holds_a_secret(name).then(|| SECRET.to_owned());
    for environment in [&|_: &str| None, &with_secrets] as [&dyn Fn(&str) -> Option<String>; 2] {
        let checked = Config::of_text(text, path, environment);
        assert!(!format!("{checked:?}").contains(SECRET));
        match checked {
            Ok(config) => {
                assert!(!config.pipelines.is_empty());
                assert_eq!(config.choose(&[]).map(|all| all.len()).ok(), Some(config.pipelines.len()));
                drop(config.choose(&["customers".to_owned()]));
                drop(config.odoo.values().map(|server| server.connection().is_ok()).collect::<Vec<_>>());
                drop(config.zoho.values().map(|account| account.connection().is_ok()).collect::<Vec<_>>());
            }
            Err(failure) => {
                assert!(!failure.to_string().contains(SECRET));
                assert!(!failure.what().is_empty());
            }
        }
    }
}

/// A failure says what happened, see [`one_line`].
pub fn in_words(failure: &Failure) {
    one_line(&failure.to_string());
}

/// A sentence that a log can hold: neither empty nor endless, on one line, and nothing that a terminal would obey.
pub fn one_line(text: &str) {
    assert!(!text.is_empty(), "no words");
    assert!(text.chars().count() <= MOST_WORDS, "{} characters", text.chars().count());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
