//! Every recorded answer, judged, against the table that was reviewed by eye.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use shared::failure::Failure;
use shared::odoo::{Answer, Call, Envelope, Expected, LoadAnswer, Operation, Place, Purpose, Row};
use tests::recordings::{Recording, recordings};

use super::asked::Asked;

const REVIEWED: &str = include_str!("classes.txt");

#[test]
fn every_recorded_answer_has_its_reviewed_class() {
    let mut table = String::new();
    let mut results = BTreeMap::new();
    for recording in recordings() {
        let lines = judge(&recording);
        if lines.is_empty() {
            *results.entry(recording.version.clone()).or_insert(0) += 1;
        }
        for line in lines {
            writeln!(table, "{} {}: {line}", recording.version, recording.name).unwrap();
        }
    }
    for (version, count) in results {
        writeln!(table, "{version}: {count} plain results").unwrap();
    }
    if table != REVIEWED {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("classes.txt");
        std::fs::write(&path, &table).unwrap();
        panic!("the classes differ from tests/odoo_client/classes.txt; review {}", path.display());
    }
}

/// One line for a failure, one for each remark of a `load`, none for a plain result.
fn judge(recording: &Recording) -> Vec<String> {
    let place = Place::new("https://erp.example", "odoo", Some("admin")).expect("a good address");
    let answer = Answer {
        status: recording.response.status,
        content_type: recording.response.content_type.clone(),
        location: (recording.response.status == 303).then(|| "/web/login?redirect=%2F".to_owned()),
        body: recording.response.bytes(),
        ..Answer::default()
    };
    let envelope =
        if recording.request.path.starts_with("/json/2/") { Envelope::Bare } else { Envelope::JsonRpc };
    let asked = Asked::from(recording);
    if let Some(asked) = &asked
        && let Some(owned) = asked.owned()
        && let Some(call) = owned.ours()
    {
        return judge_as(&place, envelope, &answer, Purpose::Call(&call));
    }
    if let Some(asked) = &asked {
        let operation = Operation::Action { method: &asked.method, ids: &[] };
        return judge_as(
            &place,
            envelope,
            &answer,
            Purpose::Call(&Call { model: &asked.model, operation, context: Row::new() }),
        );
    }
    if recording.request.path == "/jsonrpc" || recording.request.path == "/web/session/authenticate" {
        return judge_as(&place, envelope, &answer, Purpose::Login);
    }
    if let Some((model, method)) =
        recording.request.path.strip_prefix("/json/2/").and_then(|rest| rest.split_once('/'))
    {
        let operation = match method {
            "search_count" => Operation::SearchCount { domain: &serde_json::Value::Null },
            method => Operation::Action { method, ids: &[] },
        };
        return judge_as(
            &place,
            envelope,
            &answer,
            Purpose::Call(&Call { model, operation, context: Row::new() }),
        );
    }
    judge_as(&place, envelope, &answer, Purpose::Version)
}

fn judge_as(place: &Place, envelope: Envelope, answer: &Answer, purpose: Purpose<'_>) -> Vec<String> {
    let expected = Expected { place, purpose, envelope };
    let result = match expected.classify(answer) {
        Ok(result) => result,
        Err(failure) => return vec![line(&failure)],
    };
    let Purpose::Call(call) = purpose else {
        return Vec::new();
    };
    if !matches!(call.operation, Operation::Load { .. }) {
        return Vec::new();
    }
    let answer = LoadAnswer::from_json(&result, &expected).expect("load answers with ids and messages");
    let remarks = answer.messages.iter();
    remarks
        .map(|remark| {
            let record = remark.record.map_or_else(|| "batch".to_owned(), |record| format!("row {record}"));
            match &remark.failure {
                Some(failure) => format!("{record} {}", line(failure)),
                None => format!("{record} warning: {}", remark.text),
            }
        })
        .collect()
}

fn line(failure: &Failure) -> String {
    format!("{:?}/{:?}: {}", failure.class, failure.reason, failure.what())
}
