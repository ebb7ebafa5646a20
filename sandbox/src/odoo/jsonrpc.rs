//! JSON-RPC: `/jsonrpc` with its services, and the envelope every `type=json` route shares.

use serde_json::{Map, Value as Json, json};

use crate::http::{Request, Response};
use crate::odoo::error::OdooError;
use crate::odoo::method::Answer;
use crate::odoo::page;
use crate::odoo::server::{Envelope, Task};
use crate::odoo::settings::OdooVersion;
use crate::odoo::state::{Arguments, ModelCall, State};

/// A JSON-RPC request.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) id: Json,
    pub(crate) params: Map<String, Json>,
}

/// Reads the body, or says what the route answers instead.
pub(crate) fn body(version: OdooVersion, request: &Request) -> Result<Body, Response> {
    let content_type = request.header("content-type").unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if media_type != "application/json" && media_type != "application/json-rpc" {
        let route_type = if version < OdooVersion::V19 { "json" } else { "jsonrpc" };
        return Err(page::wrong_type(version, &request.path, route_type));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Json::Object(mut body)) => {
            let params = match body.remove("params") {
                Some(Json::Object(params)) => params,
                _ => Map::new(),
            };
            Ok(Body { id: body.remove("id").unwrap_or(Json::Null), params })
        }
        Ok(_) => Err(page::bad_json("Invalid JSON-RPC data")),
        Err(_) => Err(page::bad_json("Invalid JSON data")),
    }
}

/// The envelope around an answer. HTTP status 200 whatever happened; the code is 200 up to 18 and 0 from 19 on.
pub(crate) fn response(version: OdooVersion, id: &Json, answer: Answer) -> Response {
    let mut envelope = Map::new();
    envelope.insert("jsonrpc".to_owned(), json!("2.0"));
    envelope.insert("id".to_owned(), id.clone());
    match answer {
        Ok(Some(result)) => {
            envelope.insert("result".to_owned(), result);
        }
        Ok(None) => {}
        Err(error) => {
            let expired = error.name == OdooError::session_expired().name;
            let (code, message) = match (expired, version) {
                (true, _) => (100, "Odoo Session Expired"),
                (false, OdooVersion::V19) => (0, "Odoo Server Error"),
                (false, _) => (200, "Odoo Server Error"),
            };
            let error = json!({"code": code, "message": message, "data": error.data(version)});
            envelope.insert("error".to_owned(), error);
        }
    }
    Response::json(200, page::JSON, &Json::Object(envelope))
}

/// `/web/webclient/version_info`.
pub(crate) fn version_info(state: &State, request: &Request) -> Task {
    let version = state.version();
    let response = match body(version, request) {
        Ok(body) => response(version, &body.id, Ok(Some(page::version(version)))),
        Err(response) => response,
    };
    Task::Plain { response, method: Some("version") }
}

/// `/jsonrpc`.
pub(crate) fn answer(state: &State, request: &Request) -> Task {
    let version = state.version();
    let Body { id, mut params } = match body(version, request) {
        Ok(body) => body,
        Err(response) => {
            return Task::Plain { response, method: None };
        }
    };
    let plain = |answer, method| Task::Plain { response: response(version, &id, answer), method };
    let absent: Vec<String> = ["service", "method", "args"]
        .iter()
        .filter(|name| !params.contains_key(**name))
        .map(|name| format!("'{name}'"))
        .collect();
    if !absent.is_empty() {
        return plain(Err(missing_params(version, &absent)), None);
    }
    let service = params.remove("service").unwrap_or_default();
    let method = params.remove("method").unwrap_or_default();
    let args = match params.remove("args") {
        Some(Json::Array(args)) => args,
        _ => Vec::new(),
    };
    match (service.as_str().unwrap_or(""), method.as_str().unwrap_or("")) {
        ("common", "version") => plain(Ok(Some(page::version(version))), Some("version")),
        ("common", method @ ("login" | "authenticate")) => {
            let method = if method == "login" { "login" } else { "authenticate" };
            plain(login(state, &args), Some(method))
        }
        ("db", "list") => plain(Ok(Some(json!([state.name]))), None),
        ("db", "db_exist") => plain(Ok(Some(json!(text(&args, 0) == state.name))), None),
        ("db", "server_version") => plain(Ok(Some(json!(version.server_version()))), None),
        ("object", method @ ("execute" | "execute_kw")) => match object_call(state, method, args) {
            Ok(call) => Task::Call { call: Box::new(call), envelope: Envelope::JsonRpc { id } },
            Err(error) => {
                state.counters().error();
                plain(Err(error), Some("execute"))
            }
        },
        ("common" | "object" | "db", method) => {
            plain(Err(OdooError::new("builtins.Exception", format!("Method not found: {method}"))), None)
        }
        (service, _) => plain(Err(OdooError::new("builtins.KeyError", service)), None),
    }
}

fn missing_params(version: OdooVersion, names: &[String]) -> OdooError {
    let class = if version < OdooVersion::V19 { "RPC" } else { "JSONRPC" };
    let (count, list) = match names {
        [one] => (1, one.clone()),
        [one, two] => (2, format!("{one} and {two}")),
        _ => (3, "'service', 'method', and 'args'".to_owned()),
    };
    let plural = if count == 1 { "" } else { "s" };
    OdooError::type_error(format!(
        "{class}.jsonrpc() missing {count} required positional argument{plural}: {list}"
    ))
}

fn text(args: &[Json], at: usize) -> &str {
    args.get(at).and_then(Json::as_str).unwrap_or("")
}

fn check_database(state: &State, name: &str) -> Result<(), OdooError> {
    if name == state.name {
        return Ok(());
    }
    let message = format!(
        "connection to server at \"db.example\", port 5432 failed: FATAL:  database \"{name}\" does not exist\n"
    );
    Err(OdooError::new("psycopg2.OperationalError", message))
}

/// Wrong credentials are an answer here, `false`, not an error.
fn login(state: &State, args: &[Json]) -> Answer {
    check_database(state, text(args, 0))?;
    let user = state.login(text(args, 1), text(args, 2), true);
    Ok(Some(user.map_or(json!(false), |user| json!(user.uid))))
}

fn object_call(state: &State, method: &str, args: Vec<Json>) -> Result<ModelCall, OdooError> {
    check_database(state, text(&args, 0))?;
    let uid = args.get(1).and_then(Json::as_i64).unwrap_or(0);
    let user = state.user(uid).ok_or_else(|| OdooError::missing("res.users", uid, uid))?;
    let secret = text(&args, 2);
    if secret != user.password && secret != user.api_key {
        return Err(OdooError::access_denied());
    }
    let (model, name) = (text(&args, 3).to_owned(), text(&args, 4).to_owned());
    let mut rest = args.into_iter().skip(5);
    let arguments = if method == "execute" {
        Arguments::Positional(rest.collect(), Map::new())
    } else {
        let positional = match rest.next() {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        };
        let keywords = match rest.next() {
            Some(Json::Object(keywords)) => keywords,
            _ => Map::new(),
        };
        Arguments::Positional(positional, keywords)
    };
    Ok(ModelCall { user: user.clone(), model, method: name, arguments })
}
