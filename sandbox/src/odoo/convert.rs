//! Values of a `create` or `write` turned into columns, refused as Odoo refuses them.

use serde_json::{Map, Value as Json};

use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::{Field, FieldId, Kind, ModelId, Route, model};
use crate::odoo::settings::OdooVersion;
use crate::odoo::stamp::Stamp;
use crate::odoo::value::{Value, is_truthy, repr, repr_text, round};

/// Columns by field.
pub(crate) type Columns = Vec<(FieldId, Value)>;

/// What one `vals` dictionary changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// Columns of the record itself.
    pub(crate) own: Columns,
    /// Columns of its counterpart: the template's sole variant, the variant's template.
    pub(crate) other: Columns,
    /// The base64 text of `image_1920`; empty clears it.
    pub(crate) image: Option<String>,
    /// Content of an attachment.
    pub(crate) content: Option<String>,
}

impl Database {
    /// Reads the values of one record.
    pub(crate) fn change(&self, model: ModelId, vals: &Map<String, Json>) -> Result<Change, OdooError> {
        let schema = self.schema.clone();
        let described = schema.model(model);
        let mut change = Change::default();
        for name in vals.keys() {
            if described.field_id(name).is_none() {
                return Err(OdooError::unknown_field(self.version, described.name, name));
            }
        }
        for (name, json) in vals {
            let name = self.alias(model, name);
            let Some((id, field)) = described.named(name) else {
                continue;
            };
            if matches!(name, "id" | "create_date" | "write_date" | "create_uid" | "write_uid") {
                continue;
            }
            match (model, name) {
                (_, "image_1920" | "image_variant_1920") => change.image = Some(binary_text(json)),
                (model::ATTACHMENT, "datas" | "raw") => change.content = Some(binary_text(json)),
                (model::PRODUCT, "lst_price" | "list_price") => {
                    let price = schema.model(model::TEMPLATE).named("list_price");
                    if let Some((id, field)) = price {
                        change.other.push((id, self.given(model::TEMPLATE, field, json)?));
                    }
                }
                (model::PARTNER, "company_type") => {
                    if let Some(flag) = described.field_id("is_company") {
                        change.own.push((flag, Value::Bool(json.as_str() == Some("company"))));
                    }
                }
                _ => {
                    let counterpart = match field.route {
                        Route::Computed => continue,
                        Route::Own => None,
                        Route::Template => Some(model::TEMPLATE),
                        Route::Variant => Some(model::PRODUCT),
                    };
                    let value = self.given(model, field, json)?;
                    if let Some(counterpart) = counterpart {
                        let id = schema.model(counterpart).field_id(name);
                        change.other.extend(id.map(|id| (id, value)));
                    } else if field.store || field.company_dependent || !field.readonly {
                        change.own.push((id, value));
                    }
                }
            }
        }
        if self.version == OdooVersion::V17 {
            self.mirror_type(model, &mut change);
        }
        Ok(change)
    }

    /// On 17 `type` is computed from `detailed_type` and writing either sets both.
    fn alias<'a>(&self, model: ModelId, name: &'a str) -> &'a str {
        let product = model == model::TEMPLATE || model == model::PRODUCT;
        if self.version == OdooVersion::V17 && product && name == "type" { "detailed_type" } else { name }
    }

    fn mirror_type(&self, model: ModelId, change: &mut Change) {
        let template = self.schema.model(model::TEMPLATE);
        let (Some(detailed), Some(kind)) = (template.field_id("detailed_type"), template.field_id("type"))
        else {
            return;
        };
        let columns = if model == model::TEMPLATE { &mut change.own } else { &mut change.other };
        if model == model::TEMPLATE || model == model::PRODUCT {
            let value =
                columns.iter().rev().find(|column| column.0 == detailed).map(|column| column.1.clone());
            columns.extend(value.map(|value| (kind, value)));
        }
    }

    /// One value as the field stores it.
    fn given(&self, model: ModelId, field: &Field, json: &Json) -> Result<Value, OdooError> {
        let empty = matches!(json, Json::Null | Json::Bool(false));
        match field.kind {
            Kind::Boolean => Ok(Value::Bool(is_truthy(json))),
            Kind::Float => float(field, json),
            Kind::Integer => integer(json),
            Kind::Selection | Kind::Datetime if empty => Ok(Value::Null),
            Kind::Selection => self.selected(model, field, json),
            Kind::Many2one => many2one(json),
            Kind::ToMany => Ok(Value::Ids(commands(json).into())),
            Kind::Datetime => {
                let text = json.as_str().unwrap_or_default();
                Stamp::parse(text).map(Value::Stamp).ok_or_else(|| {
                    let format = "%Y-%m-%d %H:%M:%S";
                    OdooError::value(format!("time data {} does not match format '{format}'", repr(json)))
                })
            }
            Kind::Date | Kind::Text | Kind::Binary | Kind::Opaque => Ok(match json {
                Json::Null | Json::Bool(false) => Value::Null,
                Json::String(text) => Value::text(text.as_str()),
                Json::Bool(true) => Value::text("True"),
                other => Value::text(other.to_string()),
            }),
        }
    }

    fn selected(&self, model: ModelId, field: &Field, json: &Json) -> Result<Value, OdooError> {
        let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        if field.selection.is_empty() || field.selection.iter().any(|(value, _)| *value == text) {
            return Ok(Value::text(text));
        }
        let owner =
            if field.route == Route::Template { "product.template" } else { self.schema.model(model).name };
        Err(OdooError::value(format!("Wrong value for {owner}.{}: {}", field.name, repr(json))))
    }
}

fn binary_text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// Python's `float()` of a text.
pub(crate) fn python_float(text: &str) -> Option<f64> {
    let plain = text.trim();
    let word = plain.trim_start_matches(['+', '-']).to_lowercase();
    match word.as_str() {
        "nan" => Some(f64::NAN),
        "inf" | "infinity" => Some(if plain.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ => plain.parse().ok(),
    }
}

fn float(field: &Field, json: &Json) -> Result<Value, OdooError> {
    let number = match json {
        Json::Null | Json::Bool(false) => 0.0,
        Json::Bool(true) => 1.0,
        Json::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Json::String(text) if text.is_empty() => 0.0,
        Json::String(text) => python_float(text).ok_or_else(|| {
            OdooError::value(format!("could not convert string to float: {}", repr_text(text)))
        })?,
        other => {
            let kind = if other.is_array() { "list" } else { "dict" };
            let message = format!("float() argument must be a string or a real number, not '{kind}'");
            return Err(OdooError::type_error(message));
        }
    };
    if number.is_nan() {
        return Err(OdooError::value("cannot convert float NaN to integer"));
    }
    if number.is_infinite() {
        return Err(OdooError::new("builtins.OverflowError", "cannot convert float infinity to integer"));
    }
    Ok(Value::Float(field.decimals().map_or(number, |decimals| round(number, decimals))))
}

fn integer(json: &Json) -> Result<Value, OdooError> {
    #[expect(clippy::cast_possible_truncation, reason = "Python's int() cuts too, and such values are small")]
    let cut = |number: f64| number as i64;
    Ok(Value::Int(match json {
        Json::Null | Json::Bool(false) => 0,
        Json::Bool(true) => 1,
        Json::Number(number) => number.as_i64().or_else(|| number.as_f64().map(cut)).unwrap_or(0),
        Json::String(text) => text.trim().parse().map_err(|_| {
            OdooError::value(format!("invalid literal for int() with base 10: {}", repr_text(text)))
        })?,
        _ => {
            return Err(OdooError::type_error("int() argument must be a string or a real number"));
        }
    }))
}

fn many2one(json: &Json) -> Result<Value, OdooError> {
    match json {
        Json::Null | Json::Bool(false) => Ok(Value::Null),
        Json::Number(number) => Ok(Value::Int(number.as_i64().unwrap_or(0))),
        Json::String(text) if text.is_empty() => Ok(Value::Null),
        Json::String(text) => Err(OdooError::bad_integer_text(text)),
        Json::Array(pair) => Ok(pair.first().and_then(Json::as_i64).map_or(Value::Null, Value::Int)),
        other => Err(OdooError::value(format!("Wrong value for many2one: {}", repr(other)))),
    }
}

/// x2many commands applied to nothing: set, link, clear; a plain list of ids means "set".
fn commands(json: &Json) -> Vec<i64> {
    let mut ids = Vec::new();
    for command in json.as_array().map_or(&[][..], Vec::as_slice) {
        if let Some(id) = command.as_i64() {
            ids.push(id);
            continue;
        }
        let part = |at: usize| command.get(at);
        match part(0).and_then(Json::as_i64) {
            Some(4) => ids.extend(part(1).and_then(Json::as_i64)),
            Some(3 | 2) => ids.retain(|id| part(1).and_then(Json::as_i64) != Some(*id)),
            Some(5) => ids.clear(),
            Some(6) => {
                let set = part(2).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
                ids = set.iter().filter_map(Json::as_i64).collect();
            }
            _ => {}
        }
    }
    ids
}
