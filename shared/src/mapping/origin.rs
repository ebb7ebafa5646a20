//! Where the value of a sink column comes from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::Form;
use crate::record::Values;

/// Any other value, in [`Origin::Field::values`].
const OTHER: &str = "*";

/// Where the value of a sink column comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A field of the source row.
    Field {
        /// Its name.
        name: String,
        /// Taken where the source has nothing (null, `false` of a field that is not boolean, or empty text), and where
        /// `values` does not name what it has.
        default: Option<Value>,
        /// What the source's values become, by their text; `*` is any other one, and what becomes `*` stays as it is.
        /// Empty: all stay as they are.
        values: BTreeMap<String, Value>,
    },
    /// The same for every record.
    Constant(Value),
    /// Several fields of the source row as one text; those that are empty leave no gap.
    Concat {
        /// In this order.
        parts: Vec<Part>,
        /// What stands between two of them.
        with: String,
    },
    /// The value of another origin in another form.
    Formed(Box<Self>, Form),
}

/// A field in [`Origin::Concat`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub field: String,
    /// The source may have no such field.
    pub optional: bool,
}

impl Origin {
    /// A field as it is.
    pub fn field(name: &str) -> Self {
        Self::Field { name: name.to_owned(), default: None, values: BTreeMap::new() }
    }

    /// The source fields that it reads, and for each whether the source may lack it though the column may not.
    pub fn fields(&self) -> Vec<(&str, bool)> {
        match self {
            Self::Field { name, .. } => vec![(name, false)],
            Self::Constant(_) => Vec::new(),
            Self::Concat { parts, .. } => {
                parts.iter().map(|part| (part.field.as_str(), part.optional)).collect()
            }
            Self::Formed(origin, _) => origin.fields(),
        }
    }

    /// Its value for a row; the error ends before the name of the column.
    pub(super) fn value<'a>(&'a self, row: &'a Values) -> Result<Cow<'a, Value>, String> {
        match self {
            Self::Constant(value) => Ok(Cow::Borrowed(value)),
            Self::Field { name, default, values } => field_value(row.get(name), default.as_ref(), values)
                .map_err(|what| format!("{what} '{name}', which")),
            Self::Concat { parts, with } => concat(row, parts, with).map(Cow::Owned),
            Self::Formed(origin, form) => form.of(origin.value(row)?.into_owned()).map(Cow::Owned),
        }
    }

    /// Its parts, for the mapping's checksum.
    pub(super) fn describe(&self) -> Value {
        match self {
            Self::Field { name, default, values } => serde_json::json!(["field", name, default, values]),
            Self::Constant(value) => serde_json::json!(["constant", value]),
            Self::Concat { parts, with } => {
                let parts: Vec<(&str, bool)> =
                    parts.iter().map(|part| (part.field.as_str(), part.optional)).collect();
                serde_json::json!(["concat", with, parts])
            }
            Self::Formed(origin, form) => {
                serde_json::json!(["formed", form.describe(), origin.describe()])
            }
        }
    }
}

/// The value of a column; the error says what is wrong with the field.
fn field_value<'a>(
    value: Option<&'a Value>,
    default: Option<&'a Value>,
    values: &'a BTreeMap<String, Value>,
) -> Result<Cow<'a, Value>, String> {
    let given = match value {
        None if default.is_none() => return Err("has no field".to_owned()),
        Some(Value::Bool(false))
            if default.is_some_and(|default| !default.is_boolean()) && values.is_empty() =>
        {
            None
        }
        Some(Value::String(text)) if text.is_empty() && default.is_some() => None,
        Some(Value::Null) if default.is_some() => None,
        given => given,
    };
    let Some(given) = given else {
        return Ok(default.map_or(Cow::Owned(Value::Null), Cow::Borrowed));
    };
    if values.is_empty() {
        return Ok(Cow::Borrowed(given));
    }
    let text = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    match values.get(&text).or_else(|| values.get(OTHER)).or(default) {
        Some(Value::String(kept)) if kept == OTHER => Ok(Cow::Borrowed(given)),
        Some(value) => Ok(Cow::Borrowed(value)),
        None => Err(format!("has the value '{text}', which `values` does not name, in")),
    }
}

/// Fields as one text; the error is that of [`Origin::value`].
fn concat(row: &Values, parts: &[Part], with: &str) -> Result<Value, String> {
    let mut texts = Vec::with_capacity(parts.len());
    for Part { field, optional } in parts {
        match row.get(field) {
            None if !optional => return Err(format!("has no field '{field}', which")),
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::String(text)) => texts.push(text.trim().to_owned()),
            Some(Value::Number(number)) => texts.push(number.to_string()),
            // A reference, as Odoo tells it.
            Some(Value::Array(pair)) if matches!(pair.as_slice(), [Value::Number(_), Value::String(_)]) => {
                texts.extend(pair.get(1).and_then(Value::as_str).map(str::to_owned));
            }
            Some(_) => return Err(format!("has neither text nor number in '{field}', which")),
        }
    }
    texts.retain(|text| !text.is_empty());
    Ok(texts.join(with).into())
}
