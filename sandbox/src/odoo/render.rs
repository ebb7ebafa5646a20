//! Values as the answers carry them.

use serde_json::{Map, Number, Value as Json, json};

use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::{Field, FieldId, Kind, ModelId};
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::Value;

/// The parts of a call's context that change what is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Binary fields answer their size in words.
    pub(crate) bin_size: bool,
}

impl Database {
    /// One record with the asked fields, `id` first.
    pub(crate) fn record(&self, model: ModelId, id: i64, fields: &[FieldId], shape: Shape) -> Json {
        let mut record = Map::with_capacity(fields.len() + 1);
        record.insert("id".to_owned(), json!(id));
        let described = self.schema.model(model);
        for (at, field) in fields.iter().filter_map(|at| Some((*at, described.field(*at)?))) {
            if field.name != "id" {
                record.insert(field.name.to_owned(), self.cell(model, id, (at, field), shape));
            }
        }
        Json::Object(record)
    }

    /// The names of a `read` as field indices; every field when there are none.
    pub(crate) fn field_ids(&self, model: ModelId, names: Option<&Json>) -> Result<Vec<FieldId>, OdooError> {
        let described = self.schema.model(model);
        let names = names.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        if names.is_empty() {
            return Ok((0..).zip(&described.fields).map(|(id, _)| id).collect());
        }
        names
            .iter()
            .map(|name| {
                let name = name.as_str().unwrap_or_default();
                described.field_id(name).ok_or_else(|| {
                    let place = if self.version < OdooVersion::V19 { "on model" } else { "on" };
                    OdooError::value(format!("Invalid field '{name}' {place} '{}'", described.name))
                })
            })
            .collect()
    }

    /// One field of one record as JSON.
    pub(crate) fn cell(&self, model: ModelId, id: i64, (at, field): (FieldId, &Field), shape: Shape) -> Json {
        if field.kind == Kind::Binary {
            return self.binary(model, id, field.name, shape.bin_size);
        }
        match (field.kind, self.value(model, id, at)) {
            (Kind::Many2one, Value::Int(target)) => self.pair(field.relation, target),
            (Kind::ToMany, Value::Ids(ids)) => json!(self.visible(field.relation, &ids)),
            (Kind::Opaque, _) if field.type_name != "json" => json!([]),
            (kind, value) => plain(kind, value),
        }
    }

    /// `[id, name]` of a many2one, or false when the record is gone.
    fn pair(&self, relation: &str, target: i64) -> Json {
        match self.schema.id(relation) {
            Some(model) if self.exists(model, target) => json!([target, self.display_name(model, target)]),
            Some(_) => Json::Bool(false),
            None => json!([target, ""]),
        }
    }

    fn visible(&self, relation: &str, ids: &[i64]) -> Vec<i64> {
        let Some(model) = self.schema.id(relation) else {
            return ids.to_vec();
        };
        ids.iter().copied().filter(|id| self.exists(model, *id)).collect()
    }
}

/// A value that refers to no other record.
pub(crate) fn plain(kind: Kind, value: Value) -> Json {
    match value {
        Value::Null => match kind {
            Kind::Integer => json!(0),
            Kind::Float => float(0.0),
            Kind::ToMany => json!([]),
            _ => Json::Bool(false),
        },
        Value::Bool(flag) => Json::Bool(flag),
        Value::Int(number) => json!(number),
        Value::Float(number) => float(number),
        Value::Text(text) | Value::Translated(text, _) => Json::String(text.into()),
        Value::Stamp(stamp) => Json::String(stamp.to_string()),
        Value::Ids(ids) => json!(ids),
    }
}

fn float(number: f64) -> Json {
    Number::from_f64(number).map_or(Json::Null, Json::Number)
}
