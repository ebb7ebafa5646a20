//! The controls over HTTP, for tests in other languages and for people with `curl`.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sandbox/counts` | the counters |
//! | `POST /_sandbox/counts/reset` | sets them to zero |
//! | `GET /_sandbox/clock` | `{"now": ...}` |
//! | `POST /_sandbox/clock` | `{"set": time}`, `{"freeze": time}`, `{"advance_millis": n}` or `{}` for real time |
//! | `POST /_sandbox/edit` | a list of edits (see [`crate::Edit`]), one transaction; answers the created ids |
//! | `POST /_sandbox/begin` | the same, invisible until committed; answers the transaction |
//! | `POST /_sandbox/commit` | the transaction; answers the created ids |
//! | `GET /_sandbox/rows/<model>` | all records of a model |
//! | `GET /_sandbox/text/<language>/<model>/<id>/<field>` | a text as that language shows it, or `null` |
//! | `GET /_sandbox/ids/<model>` | their ids |
//! | `GET /_sandbox/external_ids/<model>` | their external ids |
//! | `GET /_sandbox/faults` | the faults still to come |
//! | `POST /_sandbox/faults` | adds a rule (see [`crate::FaultRule`]) |
//! | `POST /_sandbox/faults/clear` | withdraws them |
//! | `POST /_sandbox/sessions/expire` | ends all sessions |
//!
//! Failures answer 400 with `{"error": ...}`.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::http::{Request, Response};
use crate::odoo::control::Control;
use crate::odoo::page;
use crate::odoo::state::State;

/// Answers `/_sandbox/<path>`.
pub(crate) fn answer(state: &Arc<State>, request: &Request, path: &str) -> Response {
    let control = Control::new(Arc::clone(state));
    match act(&control, request, path) {
        Ok(answer) => Response::new(200, page::JSON, answer.to_string()),
        Err(error) => Response::new(400, page::JSON, json!({"error": error}).to_string()),
    }
}

fn act(control: &Control, request: &Request, path: &str) -> Result<Json, String> {
    let done = Ok(json!({"done": true}));
    match (request.method.as_str(), path.split_once('/').unwrap_or((path, ""))) {
        ("GET", ("counts", _)) => serde_json::to_value(control.counts()).map_err(|error| error.to_string()),
        ("POST", ("counts", "reset")) => {
            control.reset_counts();
            done
        }
        ("GET", ("clock", _)) => Ok(json!({"now": control.now()})),
        ("POST", ("clock", _)) => set_clock(control, &read(request)?),
        ("POST", ("edit", _)) => words(control.edit(read(request)?)).map(|ids| json!(ids)),
        ("POST", ("begin", _)) => words(control.begin(read(request)?)).map(|id| json!(id)),
        ("POST", ("commit", _)) => words(control.commit(read(request)?)).map(|ids| json!(ids)),
        ("GET", ("rows", model)) => words(control.rows(model)).map(|rows| json!(rows)),
        ("GET", ("text", place)) => text(control, place),
        ("GET", ("ids", model)) => words(control.ids(model)).map(|ids| json!(ids)),
        ("GET", ("external_ids", model)) => Ok(json!(control.external_ids(model))),
        ("GET", ("faults", _)) => Ok(json!(control.pending_faults())),
        ("POST", ("faults", "clear")) => {
            control.clear_faults();
            done
        }
        ("POST", ("faults", _)) => {
            control.fault(read(request)?);
            done
        }
        ("POST", ("sessions", "expire")) => {
            control.expire_sessions();
            done
        }
        (method, _) => Err(format!("no control answers {method} {path}")),
    }
}

fn text(control: &Control, place: &str) -> Result<Json, String> {
    let [lang, model, id, field] = place.split('/').collect::<Vec<_>>()[..] else {
        return Err("a text is at <language>/<model>/<id>/<field>".to_owned());
    };
    let id = id.parse().map_err(|_| format!("{id} is no id"))?;
    words(control.text_in(lang, model, id, field)).map(|text| json!(text))
}

fn set_clock(control: &Control, asked: &Json) -> Result<Json, String> {
    if let Some(time) = asked.get("set").and_then(Json::as_str) {
        words(control.set_clock(time))?;
    } else if let Some(time) = asked.get("freeze").and_then(Json::as_str) {
        words(control.freeze_clock(time))?;
    } else if let Some(millis) = asked.get("advance_millis").and_then(Json::as_u64) {
        control.advance_clock(Duration::from_millis(millis));
    } else {
        control.reset_clock();
    }
    Ok(json!({"now": control.now()}))
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}

fn words<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
