//! Requests to real Odoo servers and their answers, masked where they held secrets.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Map, Value};

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Recording {
    /// `17`, `18`, `19`, or `19-json2` for the newer dialect.
    pub version: String,
    /// What it shows.
    pub name: String,
    /// What was asked.
    pub request: RecordedRequest,
    /// What came back.
    pub response: RecordedResponse,
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Header names and values.
    pub headers: Map<String, Value>,
    /// JSON body, or the text that was sent instead, or null.
    pub body: Value,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct RecordedResponse {
    /// HTTP status.
    pub status: u16,
    /// Header `Content-Type`.
    pub content_type: Option<String>,
    /// JSON body, or the text of an answer that is no JSON.
    pub body: Value,
}

impl RecordedResponse {
    /// The body as it came over the wire, white space and masks aside.
    pub fn bytes(&self) -> Vec<u8> {
        let is_json = self.content_type.as_deref().is_some_and(|kind| kind.contains("json"));
        match &self.body {
            Value::String(text) if !is_json => text.clone().into_bytes(),
            Value::Null if !is_json => Vec::new(),
            json => json.to_string().into_bytes(),
        }
    }
}

/// All of them, by version and name.
pub fn recordings() -> Vec<Recording> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/odoo-recordings.jsonl.gz");
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BufReader::new(GzDecoder::new(file))
        .lines()
        .map(|line| {
            parse(&line.expect("the fixture is readable")).expect("the fixture has one recording per line")
        })
        .collect()
}

fn parse(line: &str) -> Option<Recording> {
    let line: Value = serde_json::from_str(line).ok()?;
    let (request, response) = (line.get("request")?, line.get("response")?);
    Some(Recording {
        version: text(&line, "version")?,
        name: text(&line, "name")?,
        request: RecordedRequest {
            method: text(request, "method")?,
            path: text(request, "path")?,
            headers: request.get("headers")?.as_object()?.clone(),
            body: request.get("body").cloned().unwrap_or_default(),
        },
        response: RecordedResponse {
            status: u16::try_from(response.get("status")?.as_u64()?).ok()?,
            content_type: text(response, "content_type"),
            body: response.get("body").cloned().unwrap_or_default(),
        },
    })
}

fn text(object: &Value, key: &str) -> Option<String> {
    Some(object.get(key)?.as_str()?.to_owned())
}
