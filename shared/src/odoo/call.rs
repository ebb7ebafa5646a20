//! The calls we make, spelt once for both dialects.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::base64::Base64;

/// Field names and values of one record, as Odoo gives and takes them: a many2one is `[id, "name"]` or `false`, empty text,
/// dates and images are `false`, datetimes are UTC without zone.
pub type Row = serde_json::Map<String, Value>;

/// A search that answers with rows.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRead {
    /// Model, such as `product.template`.
    pub model: String,
    /// Odoo domain; `[]` is everything.
    pub domain: Value,
    /// Fields to read; `id` comes always.
    pub fields: Vec<String>,
    /// Such as `id asc`.
    pub order: Option<String>,
    /// Most rows.
    pub limit: Option<u64>,
    /// Rows to leave out at the start.
    pub offset: Option<u64>,
    /// Odoo context of this call, over the client's own; `{"active_test": false}` shows archived records.
    pub context: Row,
}

impl SearchRead {
    /// Everything of a model; set the fields.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            domain: Value::Array(Vec::new()),
            fields: Vec::new(),
            order: None,
            limit: None,
            offset: None,
            context: Row::new(),
        }
    }
}

/// What a user may do with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// See records.
    Read,
    /// Make records.
    Create,
    /// Change records.
    Write,
    /// Delete records.
    Unlink,
}

impl Access {
    /// As Odoo names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Write => "write",
            Self::Unlink => "unlink",
        }
    }
}

/// A method of a model with its arguments, borrowed: a batch of images is never copied on its way out.
#[derive(Debug, Clone, Copy)]
pub enum Operation<'a> {
    /// Rows of a domain.
    SearchRead(&'a SearchRead),
    /// Ids of a domain, in its order.
    Search(&'a SearchRead),
    /// Number of rows of a domain.
    SearchCount {
        /// Odoo domain.
        domain: &'a Value,
    },
    /// Rows of ids; ids that do not exist are left out.
    Read {
        /// Ids to read.
        ids: &'a [i64],
        /// Fields to read.
        fields: &'a [String],
    },
    /// Descriptions of the fields.
    FieldsGet {
        /// Attributes to tell, such as `type`.
        attributes: &'a [String],
    },
    /// New records in one transaction.
    Create {
        /// One per record.
        rows: &'a [Row],
    },
    /// The same values into all ids, in one transaction.
    Write {
        /// Ids to change.
        ids: &'a [i64],
        /// What to set.
        values: &'a Row,
    },
    /// The same of one binary field.
    WriteBinary {
        /// Ids to change.
        ids: &'a [i64],
        /// Its name.
        field: &'a str,
        /// What to set; `None` clears it.
        content: Option<&'a Base64>,
    },
    /// Upsert by external id, in one transaction.
    Load {
        /// Columns, such as `id`, `name`, `categ_id/.id`.
        fields: &'a [String],
        /// One list of cells per record.
        rows: &'a [Vec<Value>],
    },
    /// A method of records without further arguments, such as `action_archive`.
    Action {
        /// Its name.
        method: &'a str,
        /// Ids it is for.
        ids: &'a [i64],
    },
    /// Whether the user may do this to the model at all.
    CheckAccess {
        /// What.
        access: Access,
    },
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Model, such as `res.partner`.
    pub model: &'a str,
    /// Method and arguments.
    pub operation: Operation<'a>,
    /// Odoo context; left out when empty.
    pub context: Row,
}

impl Operation<'_> {
    /// Name of the method.
    pub fn method(&self) -> &str {
        match self {
            Self::SearchRead(_) => "search_read",
            Self::Search(_) => "search",
            Self::SearchCount { .. } => "search_count",
            Self::Read { .. } => "read",
            Self::FieldsGet { .. } => "fields_get",
            Self::Create { .. } => "create",
            Self::Write { .. } | Self::WriteBinary { .. } => "write",
            Self::Load { .. } => "load",
            Self::Action { method, .. } => method,
            Self::CheckAccess { .. } => "check_access_rights",
        }
    }

    /// Bytes that its arguments take at least, so that long ones are not copied again and again while a request grows.
    pub(super) fn bytes(&self) -> usize {
        if let Self::WriteBinary { content: Some(content), .. } = self { content.text().len() } else { 0 }
    }

    /// Whether it changes nothing, so that repeating it is harmless. Each is named: one that is forgotten would be repeated.
    pub(crate) fn is_read(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Write { .. }
            | Self::WriteBinary { .. }
            | Self::Load { .. }
            | Self::Action { .. } => false,
            Self::SearchRead(_)
            | Self::Search(_)
            | Self::SearchCount { .. }
            | Self::Read { .. }
            | Self::FieldsGet { .. }
            | Self::CheckAccess { .. } => true,
        }
    }
}

/// One value among the arguments. Only ever written, so that numbers keep their text.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Argument<'a> {
    Json(&'a Value),
    Row(&'a Row),
    Binary(Binary<'a>),
    Rows(&'a [Row]),
    Table(&'a [Vec<Value>]),
    Texts(&'a [String]),
    Ids(&'a [i64]),
    Text(&'a str),
    Count(u64),
    Flag(bool),
}

/// Values of a record that are one binary field.
pub(super) struct Binary<'a> {
    field: &'a str,
    content: Option<&'a Base64>,
}

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_map(Some(1))?;
        match self.content {
            Some(content) => values.serialize_entry(self.field, content)?,
            None => values.serialize_entry(self.field, &false)?,
        }
        values.end()
    }
}

/// Arguments under the names of the Python parameters. JSON-2 takes all by name; JSON-RPC takes the first ones by position.
pub(super) struct Arguments<'a> {
    pub(super) positional: Vec<(&'static str, Argument<'a>)>,
    pub(super) named: Vec<(&'static str, Argument<'a>)>,
}

impl<'a> Operation<'a> {
    /// `create` by name would be refused by JSON-RPC's `call_kw` of some versions, so whatever Odoo's own web client gives
    /// by position is positional here too.
    pub(super) fn arguments(&self) -> Arguments<'a> {
        let (positional, named) = match *self {
            Self::SearchRead(search) => {
                let mut named = vec![
                    ("domain", Argument::Json(&search.domain)),
                    ("fields", Argument::Texts(&search.fields)),
                ];
                named.extend(window(search));
                (vec![], named)
            }
            Self::Search(search) => (vec![("domain", Argument::Json(&search.domain))], window(search)),
            Self::SearchCount { domain } => (vec![("domain", Argument::Json(domain))], vec![]),
            Self::Read { ids, fields } => {
                (vec![("ids", Argument::Ids(ids))], vec![("fields", Argument::Texts(fields))])
            }
            Self::FieldsGet { attributes } => (vec![], vec![("attributes", Argument::Texts(attributes))]),
            Self::Create { rows } => (vec![("vals_list", Argument::Rows(rows))], vec![]),
            Self::Write { ids, values } => {
                (vec![("ids", Argument::Ids(ids)), ("vals", Argument::Row(values))], vec![])
            }
            Self::WriteBinary { ids, field, content } => (
                vec![("ids", Argument::Ids(ids)), ("vals", Argument::Binary(Binary { field, content }))],
                vec![],
            ),
            Self::Load { fields, rows } => {
                (vec![("fields", Argument::Texts(fields)), ("data", Argument::Table(rows))], vec![])
            }
            Self::Action { ids, .. } => (vec![("ids", Argument::Ids(ids))], vec![]),
            Self::CheckAccess { access } => (
                vec![("operation", Argument::Text(access.as_str()))],
                vec![("raise_exception", Argument::Flag(false))],
            ),
        };
        Arguments { positional, named }
    }
}

fn window(search: &SearchRead) -> Vec<(&'static str, Argument<'_>)> {
    let offset = search.offset.map(|offset| ("offset", Argument::Count(offset)));
    let limit = search.limit.map(|limit| ("limit", Argument::Count(limit)));
    let order = search.order.as_deref().map(|order| ("order", Argument::Text(order)));
    offset.into_iter().chain(limit).chain(order).collect()
}

/// Positional arguments as a JSON list.
pub(super) struct Positional<'a>(pub(super) &'a [(&'static str, Argument<'a>)]);

impl Serialize for Positional<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (_, argument) in self.0 {
            list.serialize_element(argument)?;
        }
        list.end()
    }
}

/// Arguments by name, and the context where there is one, as a JSON object.
pub(super) struct Named<'a> {
    pub(super) lists: [&'a [(&'static str, Argument<'a>)]; 2],
    pub(super) context: &'a Row,
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, argument) in self.lists.into_iter().flatten() {
            map.serialize_entry(name, argument)?;
        }
        if !self.context.is_empty() {
            map.serialize_entry("context", self.context)?;
        }
        map.end()
    }
}
