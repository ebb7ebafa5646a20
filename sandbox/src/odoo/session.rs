//! Sessions: a cookie instead of a password with every call.

use serde_json::{Map, Value as Json, json};

use crate::http::Request;
use crate::odoo::access::User;
use crate::odoo::error::OdooError;
use crate::odoo::jsonrpc::{Body, body, response};
use crate::odoo::page;
use crate::odoo::server::{Envelope, Task};
use crate::odoo::settings::OdooVersion;
use crate::odoo::state::{Arguments, ModelCall, State};

/// `/web/session/authenticate`: login and password; an API key is refused.
pub(crate) fn authenticate(state: &State, request: &Request) -> Task {
    let version = state.version();
    let method = Some("authenticate");
    let Body { id, params } = match body(version, request) {
        Ok(body) => body,
        Err(response) => return Task::Plain { response, method },
    };
    let text = |name: &str| params.get(name).and_then(Json::as_str).unwrap_or("");
    let user = state.login(text("login"), text("password"), false).filter(|_| text("db") == state.name);
    let Some(user) = user else {
        state.counters().error();
        return Task::Plain { response: response(version, &id, Err(OdooError::access_denied())), method };
    };
    let token = format!(
        "{:040x}",
        u128::from(state.serial()).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    );
    state.sessions().insert(token.clone(), user.uid);
    let mut response = response(version, &id, Ok(Some(info(version, &state.name, user))));
    let cookie = format!("session_id={token}; Max-Age=604800; HttpOnly; Path=/");
    response.headers.push(("Set-Cookie", cookie));
    Task::Plain { response, method }
}

/// `/web/dataset/call_kw`: a model call for the session's user.
pub(crate) fn call_kw(state: &State, request: &Request) -> Task {
    let version = state.version();
    let Body { id, mut params } = match body(version, request) {
        Ok(body) => body,
        Err(response) => {
            return Task::Plain { response, method: None };
        }
    };
    let user = token(request).and_then(|token| state.sessions().get(token).copied());
    let Some(user) = user.and_then(|uid| state.user(uid)) else {
        state.counters().error();
        // Without a session the request is refused before its id is looked at.
        let response = response(version, &Json::Null, Err(OdooError::session_expired()));
        return Task::Plain { response, method: Some("call_kw") };
    };
    let text = |name: &str, params: &Map<String, Json>| {
        params.get(name).and_then(Json::as_str).unwrap_or("").to_owned()
    };
    let (model, method) = (text("model", &params), text("method", &params));
    let args = match params.remove("args") {
        Some(Json::Array(args)) => args,
        _ => Vec::new(),
    };
    let kwargs = match params.remove("kwargs") {
        Some(Json::Object(kwargs)) => kwargs,
        _ => Map::new(),
    };
    let call =
        ModelCall { user: user.clone(), model, method, arguments: Arguments::Positional(args, kwargs) };
    Task::Call { call: Box::new(call), envelope: Envelope::JsonRpc { id } }
}

fn token(request: &Request) -> Option<&str> {
    let cookies = request.header("cookie")?;
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("session_id="))
}

/// The session's facts, as far as clients use them; the real answer is longer.
fn info(version: OdooVersion, database: &str, user: &User) -> Json {
    let mut info = json!({
        "uid": user.uid,
        "is_system": user.is_admin,
        "is_admin": user.is_admin,
        "is_internal_user": true,
        "user_context": {"lang": "en_US", "tz": false, "uid": user.uid},
        "db": database,
        "user_settings": {"id": 1, "user_id": {"id": user.uid}},
        "server_version": version.server_version(),
        "server_version_info": page::version_info(version),
        "support_url": "https://www.odoo.com/buy",
        "name": user.name,
        "username": user.login,
        "partner_display_name": user.name,
        "partner_id": user.partner,
        "web.base.url": "http://odoo.example",
        "active_ids_limit": 20000,
        "max_file_upload_size": 134_217_728,
        "home_action_id": false,
        "currencies": {"1": {"symbol": "$", "position": "before", "digits": [69, 2]}},
        "user_companies": {
            "current_company": 1,
            "allowed_companies": {
                "1": {"id": 1, "name": "My Company", "sequence": 0, "child_ids": [], "parent_id": false}
            },
            "disallowed_ancestor_companies": {}
        },
    });
    if let (true, Some(info)) = (version >= OdooVersion::V18, info.as_object_mut()) {
        info.insert("is_public".to_owned(), json!(false));
    }
    if version >= OdooVersion::V19 {
        let named = [
            ("/currencies/1", "name", json!("USD")),
            ("/user_companies/allowed_companies/1", "currency_id", json!(1)),
        ];
        for (place, key, value) in named {
            if let Some(object) = info.pointer_mut(place).and_then(Json::as_object_mut) {
                object.insert(key.to_owned(), value);
            }
        }
    }
    info
}
