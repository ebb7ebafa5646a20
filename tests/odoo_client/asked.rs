//! A recorded request, understood as the call that our client would make for it.

use serde_json::{Map, Value};
use shared::odoo::{Access, Call, Dialect, Operation, Row, SearchRead};
use tests::recordings::Recording;

/// A call taken out of a recorded request, in whichever dialect it was made.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) dialect: Dialect,
    pub(super) model: String,
    pub(super) method: String,
    /// All arguments by name.
    arguments: Row,
}

/// The arguments of one call, owned.
#[derive(Debug)]
pub(super) struct Owned {
    search: SearchRead,
    ids: Vec<i64>,
    fields: Vec<String>,
    values: Row,
    rows: Vec<Row>,
    table: Vec<Vec<Value>>,
    access: Option<Access>,
    method: String,
    context: Row,
}

impl Asked {
    /// `None` for a request that calls no model's method, or calls it in a way of no use to us.
    pub(super) fn from(recording: &Recording) -> Option<Self> {
        let request = &recording.request;
        let path = request.path.as_str();
        if request.method != "POST" {
            return None;
        }
        if path == "/jsonrpc" {
            return Self::execute_kw(request.body.get("params")?);
        }
        if let Some(rest) = path.strip_prefix("/web/dataset/call_kw/") {
            let (model, method) = rest.split_once('/')?;
            let params = request.body.get("params")?;
            let cookie = request.headers.get("Cookie")?.as_str()?.strip_prefix("session_id=")?.into();
            let arguments = by_name(method, params.get("args")?, params.get("kwargs")?)?;
            return Some(Self::new(Dialect::Session { cookie }, model, method, arguments));
        }
        let (model, method) = path.strip_prefix("/json/2/")?.split_once('/')?;
        let key = request.headers.get("Authorization")?.as_str()?.strip_prefix("Bearer ")?.into();
        let database = request.headers.get("X-Odoo-Database")?.as_str()?.to_owned();
        let arguments = request.body.as_object()?.clone();
        Some(Self::new(Dialect::Json2 { database, key }, model, method, arguments))
    }

    fn execute_kw(params: &Value) -> Option<Self> {
        if params.get("service")? != "object" || params.get("method")? != "execute_kw" {
            return None;
        }
        let [database, uid, secret, model, method, args, kwargs] = params.get("args")?.as_array()?.as_slice()
        else {
            return None;
        };
        let dialect = Dialect::ExecuteKw {
            database: database.as_str()?.to_owned(),
            uid: uid.as_i64()?,
            secret: secret.as_str()?.into(),
        };
        let method = method.as_str()?;
        Some(Self::new(dialect, model.as_str()?, method, by_name(method, args, kwargs)?))
    }

    fn new(dialect: Dialect, model: &str, method: &str, arguments: Row) -> Self {
        Self { dialect, model: model.to_owned(), method: method.to_owned(), arguments }
    }

    /// The arguments as our operation takes them; `None` when it takes others.
    pub(super) fn owned(&self) -> Option<Owned> {
        let (needed, others) = takes(&self.method)?;
        let is_taken = |name: &String| name == "context" || name == needed || others.contains(&name.as_str());
        if !self.arguments.contains_key(needed) || !self.arguments.keys().all(is_taken) {
            return None;
        }
        let mut left = self.arguments.clone();
        let mut take = |name: &str| left.remove(name);
        let mut owned = Owned {
            search: SearchRead {
                model: self.model.clone(),
                domain: take("domain").unwrap_or_default(),
                fields: Vec::new(),
                order: take("order").and_then(|order| Some(order.as_str()?.to_owned())),
                limit: take("limit").and_then(|limit| limit.as_u64()),
                offset: take("offset").and_then(|offset| offset.as_u64()),
                context: Row::new(),
            },
            ids: take("ids").map_or(Some(Vec::new()), |ids| list(&ids, Value::as_i64))?,
            fields: take("fields")
                .or_else(|| take("attributes"))
                .map_or(Some(Vec::new()), |names| list(&names, |name| Some(name.as_str()?.to_owned())))?,
            values: take("vals").map_or(Some(Row::new()), |values| values.as_object().cloned())?,
            rows: take("vals_list").map_or(Some(Vec::new()), |rows| match rows {
                Value::Object(row) => Some(vec![row]),
                rows => list(&rows, |row| row.as_object().cloned()),
            })?,
            table: take("data")
                .map_or(Some(Vec::new()), |rows| list(&rows, |row| row.as_array().cloned()))?,
            access: take("operation").and_then(|operation| {
                let all = [Access::Read, Access::Create, Access::Write, Access::Unlink];
                all.into_iter().find(|access| operation == access.as_str())
            }),
            method: self.method.clone(),
            context: take("context").map_or(Some(Row::new()), |context| context.as_object().cloned())?,
        };
        owned.search.fields.clone_from(&owned.fields);
        Some(owned)
    }
}

impl Owned {
    /// The call; `None` for a method that is none of our operations.
    pub(super) fn ours(&self) -> Option<Call<'_>> {
        let operation = match self.method.as_str() {
            "search_read" => Operation::SearchRead(&self.search),
            "search" => Operation::Search(&self.search),
            "search_count" => Operation::SearchCount { domain: &self.search.domain },
            "read" => Operation::Read { ids: &self.ids, fields: &self.fields },
            "fields_get" => Operation::FieldsGet { attributes: &self.fields },
            "create" => Operation::Create { rows: &self.rows },
            "write" => Operation::Write { ids: &self.ids, values: &self.values },
            "load" => Operation::Load { fields: &self.fields, rows: &self.table },
            "action_archive" | "action_unarchive" => {
                Operation::Action { method: &self.method, ids: &self.ids }
            }
            "check_access_rights" => Operation::CheckAccess { access: self.access? },
            _ => return None,
        };
        Some(Call { model: &self.search.model, operation, context: self.context.clone() })
    }
}

/// The argument that a method of ours always has, and those it may have.
fn takes(method: &str) -> Option<(&'static str, &'static [&'static str])> {
    Some(match method {
        "search_read" => ("domain", &["fields", "offset", "limit", "order"]),
        "search" => ("domain", &["offset", "limit", "order"]),
        "search_count" => ("domain", &[]),
        "read" => ("ids", &["fields"]),
        "fields_get" => ("attributes", &[]),
        "create" => ("vals_list", &[]),
        "write" => ("ids", &["vals"]),
        "load" => ("data", &["fields"]),
        "action_archive" | "action_unarchive" => ("ids", &[]),
        "check_access_rights" => ("operation", &["raise_exception"]),
        _ => return None,
    })
}

/// Positional arguments under the names that JSON-2 knows them by.
fn by_name(method: &str, args: &Value, kwargs: &Value) -> Option<Map<String, Value>> {
    let names: &[&str] = match method {
        "search" | "search_count" => &["domain"],
        "read" | "action_archive" | "action_unarchive" => &["ids"],
        "create" => &["vals_list"],
        "write" => &["ids", "vals"],
        "load" => &["fields", "data"],
        "check_access_rights" => &["operation"],
        "fields_get" => &["allfields"],
        _ => &[],
    };
    let mut named = kwargs.as_object()?.clone();
    for (index, value) in args.as_array()?.iter().enumerate() {
        let name = names.get(index).map_or_else(|| format!("argument {index}"), |name| (*name).to_owned());
        named.insert(name, value.clone());
    }
    Some(named)
}

fn list<T>(values: &Value, of: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    values.as_array()?.iter().map(of).collect()
}
