//! Sends recorded requests to the stand-in and compares what it answers.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use sandbox::OdooSandbox;
use serde_json::{Value, json};
use tests::recordings::Recording;

use crate::recordings::compare::{Place, difference, short};
use crate::recordings::{exceptions, pictures, preparation, secrets};

/// Recorded ids and the stand-in's, by model.
#[derive(Debug, Default)]
pub(crate) struct Ids(HashMap<(String, i64), i64>);

impl Ids {
    pub(crate) fn knows(&self, model: &str, recorded: i64) -> bool {
        self.0.contains_key(&(model.to_owned(), recorded))
    }

    /// The stand-in's id; the recorded one where none was learnt.
    pub(crate) fn of(&self, model: &str, recorded: i64) -> i64 {
        self.0.get(&(model.to_owned(), recorded)).copied().unwrap_or(recorded)
    }

    pub(crate) fn learn(&mut self, model: &str, recorded: i64, got: i64) {
        self.0.insert((model.to_owned(), recorded), got);
    }

    /// Whether two ids mean one record, learning it when the recorded one is new. `*` is any product model.
    fn agree(&mut self, model: &str, recorded: i64, got: i64) -> bool {
        if model == "*" {
            return ["product.template", "product.product"]
                .iter()
                .any(|model| self.of(model, recorded) == got);
        }
        *self.0.entry((model.to_owned(), recorded)).or_insert(got) == got
    }

    fn translate(&self, model: &str, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.translate(model, item)),
            Value::Number(number) => {
                if let Some(id) = number.as_i64() {
                    *value = json!(self.of(model, id));
                }
            }
            _ => {}
        }
    }
}

/// A model call inside a request.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) model: String,
    pub(crate) method: String,
    /// Where its arguments are: JSON pointers into the body.
    ids_at: String,
    vals_at: String,
    domain_at: String,
    columns_at: String,
    rows_at: String,
    body: Value,
}

const ON_RECORDS: [&str; 10] = [
    "read",
    "write",
    "unlink",
    "exists",
    "copy",
    "get_metadata",
    "get_external_id",
    "export_data",
    "action_archive",
    "action_unarchive",
];

impl Call {
    fn of(one: &Recording) -> Self {
        let body = one.request.body.clone();
        if let Some(rest) = one.request.path.strip_prefix("/json/2/") {
            let (model, method) = rest.split_once('/').unwrap_or((rest, ""));
            let vals_at = if method == "create" { "/vals_list" } else { "/vals" };
            return Self {
                model: model.to_owned(),
                method: method.to_owned(),
                ids_at: "/ids".to_owned(),
                vals_at: vals_at.to_owned(),
                domain_at: "/domain".to_owned(),
                columns_at: "/fields".to_owned(),
                rows_at: "/data".to_owned(),
                body,
            };
        }
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
        let (model, method) = (text("/params/args/3"), text("/params/args/4"));
        let on_records = ON_RECORDS.contains(&method.as_str());
        let at = |place: &str| format!("/params/args/5/{place}");
        let keyword_domain = body.pointer("/params/args/6/domain").is_some();
        Self {
            ids_at: if on_records { at("0") } else { String::from("/none") },
            vals_at: at(if on_records { "1" } else { "0" }),
            domain_at: if keyword_domain { "/params/args/6/domain".to_owned() } else { at("0") },
            columns_at: at("0"),
            rows_at: at("1"),
            model,
            method,
            body,
        }
    }

    pub(crate) fn rows(&self) -> &[Value] {
        let rows = self.body.pointer(&self.rows_at).filter(|_| self.method == "load");
        rows.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn domain(&self) -> &Value {
        self.body.pointer(&self.domain_at).unwrap()
    }

    pub(crate) fn ids(&self) -> Vec<i64> {
        let ids = self.body.pointer(&self.ids_at).and_then(Value::as_array);
        ids.into_iter().flatten().filter_map(Value::as_i64).collect()
    }

    /// Records the call changes by their ids.
    pub(crate) fn changed_ids(&self) -> Vec<i64> {
        if matches!(self.method.as_str(), "write" | "copy" | "action_archive" | "action_unarchive") {
            return self.ids();
        }
        let at = self.database_id_column();
        let cells = at.into_iter().flat_map(|at| self.rows().iter().filter_map(move |row| row.get(at)));
        cells.filter_map(|cell| cell.as_str()?.parse().ok()).collect()
    }

    fn database_id_column(&self) -> Option<usize> {
        let columns = self.body.pointer(&self.columns_at).filter(|_| self.method == "load")?;
        columns.as_array()?.iter().position(|column| column == ".id")
    }

    /// The request's body with the stand-in's ids.
    fn translated(&self, mut body: Value, ids: &Ids) -> Value {
        if self.model.is_empty() {
            return body;
        }
        if let Some(value) = body.pointer_mut(&self.ids_at) {
            ids.translate(&self.model, value);
        }
        if matches!(self.method.as_str(), "create" | "write")
            && let Some(vals) = body.pointer_mut(&self.vals_at)
        {
            self.translate_vals(vals, ids);
        }
        if let Some(at) = self.database_id_column()
            && let Some(rows) = body.pointer_mut(&self.rows_at).and_then(Value::as_array_mut)
        {
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(at)) {
                if let Some(id) = cell.as_str().and_then(|text| text.parse().ok()) {
                    *cell = json!(ids.of(&self.model, id).to_string());
                }
            }
        }
        if self.method.contains("search")
            && let Some(Value::Array(leaves)) = body.pointer_mut(&self.domain_at)
        {
            let target = leaves.iter().find(|leaf| leaf[0] == "res_model" || leaf[0] == "model");
            let target = target.and_then(|leaf| leaf[2].as_str()).unwrap_or("").to_owned();
            for leaf in leaves.iter_mut().filter_map(Value::as_array_mut).filter(|leaf| leaf.len() == 3) {
                if leaf[0] == "id" {
                    ids.translate(&self.model, &mut leaf[2]);
                } else if leaf[0] == "res_id" {
                    ids.translate(&target, &mut leaf[2]);
                }
            }
        }
        body
    }

    fn translate_vals(&self, vals: &mut Value, ids: &Ids) {
        match vals {
            Value::Array(items) => items.iter_mut().for_each(|item| self.translate_vals(item, ids)),
            Value::Object(fields) => {
                let target =
                    fields.get("model").and_then(Value::as_str).unwrap_or("product.template").to_owned();
                if let Some(id) = fields.get_mut("res_id") {
                    ids.translate(&target, id);
                }
                if let Some(parent) = fields.get_mut("parent_id") {
                    ids.translate(&self.model, parent);
                }
            }
            _ => {}
        }
    }

    /// The key under which the result is compared.
    fn result_key(&self, path: &str) -> &'static str {
        match self.method.as_str() {
            "create" | "copy" | "search" | "exists" | "name_search" => "ids",
            "get_external_id" => "by_id",
            "check_object_reference" => "res_id",
            _ if path == "/web/session/authenticate" => "session",
            _ => "value",
        }
    }
}

/// A replay against one server.
pub(crate) struct Replay<'a> {
    server: &'a OdooSandbox,
    client: reqwest::Client,
    label: String,
    ids: Ids,
    cookie: Option<String>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(server: &'a OdooSandbox, label: &str) -> Self {
        let builder = reqwest::Client::builder().timeout(Duration::from_mins(2)).no_proxy();
        let client = builder.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, client, label: label.to_owned(), ids: Ids::default(), cookie: None }
    }

    /// Sends a recorded request; how the answer differs from the recorded one, if it does.
    pub(crate) async fn differs(&mut self, one: &Recording) -> Option<String> {
        let call = Call::of(one);
        preparation::prepare(one, &call, &self.server.control(), &mut self.ids);
        let (headers, mut body) = secrets::unmask(one, self.server, self.cookie.as_deref());
        pictures::restore(&one.name, &mut body);
        let body = call.translated(body, &self.ids);
        let method = Method::from_bytes(one.request.method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{}", self.server.url(), one.request.path));
        for (name, value) in &headers {
            request = request.header(name, value.as_str().unwrap());
        }
        request = match &body {
            Value::Null => request,
            Value::String(text) => request.body(text.clone()),
            json => request.body(json.to_string()),
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        if let Some(cookie) = response.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let content_type =
            response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        if status != one.response.status {
            return Some(format!(
                "status {status} instead of {}: {}",
                one.response.status,
                text.chars().take(200).collect::<String>()
            ));
        }
        if content_type != one.response.content_type {
            return Some(format!("content type {content_type:?} instead of {:?}", one.response.content_type));
        }
        let got = serde_json::from_str(&text).unwrap_or(Value::String(text));
        self.compare(one, &call, &got)
    }

    fn compare(&mut self, one: &Recording, call: &Call, got: &Value) -> Option<String> {
        let ids = &mut self.ids;
        let mut translate = |model: &str, recorded: i64, got: i64| ids.agree(model, recorded, got);
        let shape_only = exceptions::shape_only(&self.label, &one.name);
        let place = |key| Place { model: &call.model, key, shape_only };
        let recorded = &one.response.body;
        let key = call.result_key(&one.request.path);
        if recorded.get("jsonrpc").is_none() {
            let is_page = recorded.is_string();
            return difference(place(if is_page { "page" } else { key }), recorded, got, &mut translate);
        }
        for part in ["jsonrpc", "id"] {
            if recorded.get(part) != got.get(part) {
                return Some(format!("{part}: {} instead of {}", short(&got[part]), short(&recorded[part])));
            }
        }
        match (recorded.get("result"), got.get("result")) {
            (Some(recorded), Some(got)) => difference(place(key), recorded, got, &mut translate),
            (None, None) => difference(place("error"), &recorded["error"], &got["error"], &mut translate),
            _ => Some(format!("{} instead of {}", short(got), short(recorded))),
        }
    }
}
