//! JSON-2, new in 19: a path per method, named arguments, an API key, and errors as HTTP statuses.

use serde_json::{Map, Value as Json};

use crate::http::{Request, Response};
use crate::odoo::error::OdooError;
use crate::odoo::method::Answer;
use crate::odoo::page;
use crate::odoo::server::{Envelope, Task};
use crate::odoo::settings::OdooVersion;
use crate::odoo::state::{Arguments, ModelCall, State};

/// The bare result, or the bare error object with its status.
pub(crate) fn response(version: OdooVersion, answer: Answer) -> Response {
    match answer {
        Ok(result) => Response::json(200, page::JSON, &result.unwrap_or(Json::Null)),
        Err(error) => Response::new(error.json2_status(), page::JSON, error.data(version).to_string()),
    }
}

/// `/json/2/<model>/<method>`.
pub(crate) fn answer(state: &State, request: &Request) -> Task {
    let version = state.version();
    let asked = request.header("x-odoo-database").unwrap_or(&state.name);
    if asked != state.name {
        return Task::Plain { response: page::no_database(), method: None };
    }
    match call(state, request) {
        Ok(call) => Task::Call { call: Box::new(call), envelope: Envelope::Json2 },
        Err(Refusal::Page(response)) => Task::Plain { response, method: None },
        Err(Refusal::Error(error)) => {
            state.counters().error();
            let method = (error.status == Some(401)).then_some("authenticate");
            Task::Plain { response: response(version, Err(error)), method }
        }
    }
}

enum Refusal {
    Page(Response),
    Error(OdooError),
}

impl From<OdooError> for Refusal {
    fn from(error: OdooError) -> Self {
        Self::Error(error)
    }
}

fn call(state: &State, request: &Request) -> Result<ModelCall, Refusal> {
    let path = request.path.strip_prefix("/json/2/").unwrap_or("");
    let Some((model, method)) = path.split_once('/').filter(|_| request.method == "POST") else {
        return Err(OdooError::http(404, "Did you mean POST /json/2/<model>/<method>?").into());
    };
    let content_type = request.header("content-type").unwrap_or("application/json");
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        let route = "/json/2/<__model__>/<__method__>";
        return Err(Refusal::Page(page::wrong_type(OdooVersion::V19, route, "json2")));
    }
    let Some((_, key)) = request.header("authorization").and_then(bearer) else {
        return Err(OdooError::http(
            401,
            if request.header("cookie").is_some() {
                "Missing \"Authorization\" or Sec-headers for interactive usage."
            } else {
                "User not authenticated, use an API Key with a Bearer Authorization header."
            },
        )
        .into());
    };
    let user = state.users.iter().find(|user| user.api_key == key);
    let user = user.ok_or_else(|| OdooError::http(401, "Invalid apikey"))?;
    let body = if request.body.is_empty() {
        Map::new()
    } else {
        match serde_json::from_slice(&request.body) {
            Ok(Json::Object(body)) => body,
            // Anything else is taken for no arguments at all.
            Ok(_) => Map::new(),
            Err(error) => return Err(unreadable(&request.body, &error).into()),
        }
    };
    let (model, method) = (model.to_owned(), method.to_owned());
    Ok(ModelCall { user: user.clone(), model, method, arguments: Arguments::Named(body) })
}

fn bearer(header: &str) -> Option<(&str, &str)> {
    header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

/// The wording of Python's parser, which counts the place where a value should be.
fn unreadable(body: &[u8], error: &serde_json::Error) -> OdooError {
    let text = String::from_utf8_lossy(body);
    let before: String = if error.is_eof() {
        text.clone().into_owned()
    } else {
        let lines: Vec<&str> = text.split('\n').take(error.line()).collect();
        let cut = lines
            .last()
            .map_or(0, |line| line.chars().count().saturating_sub(error.column().saturating_sub(1)));
        let all = lines.join("\n");
        let keep = all.chars().count().saturating_sub(cut);
        all.chars().take(keep).collect()
    };
    let line = before.matches('\n').count() + 1;
    let place = before.chars().count();
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let message = format!(
        "could not parse the body as json: Expecting value: line {line} column {column} (char {place})"
    );
    OdooError::http(400, message)
}
