//! External ids as clients read them: metadata, references, exports.

use serde_json::{Value as Json, json};

use crate::odoo::call::Bound;
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::method::Answer;
use crate::odoo::render::Shape;
use crate::odoo::schema::{Kind, ModelId, model};

impl Database {
    pub(crate) fn metadata(&self, model: ModelId, ids: &[i64]) -> Json {
        let name = self.schema.model(model).name;
        let rows = ids.iter().filter(|id| self.exists(model, **id)).map(|id| {
            let cell = |field: &str| {
                let found = self.schema.model(model).named(field);
                found.map_or(Json::Null, |field| self.cell(model, *id, field, Shape { bin_size: false }))
            };
            let rows = self.external_ids(name, *id);
            let xmlids: Vec<Json> = rows
                .iter()
                .rev()
                .map(|row| {
                    let noupdate = self.named(model::DATA, *row, "noupdate").is_truthy();
                    json!({"xmlid": self.display_name(model::DATA, *row), "noupdate": noupdate})
                })
                .collect();
            let last = xmlids.last();
            json!({
                "id": id, "create_uid": cell("create_uid"), "create_date": cell("create_date"),
                "write_uid": cell("write_uid"), "write_date": cell("write_date"),
                "xmlid": last.map_or(json!(false), |last| last["xmlid"].clone()),
                "noupdate": last.map_or(json!(false), |last| last["noupdate"].clone()),
                "xmlids": xmlids,
            })
        });
        Json::Array(rows.collect())
    }

    pub(crate) fn external_id_names(&self, model: ModelId, ids: &[i64]) -> Json {
        let name = self.schema.model(model).name;
        let names = ids.iter().map(|id| {
            let first = self.external_ids(name, *id).first().map(|row| self.display_name(model::DATA, *row));
            (id.to_string(), json!(first.unwrap_or_default()))
        });
        Json::Object(names.collect())
    }

    pub(crate) fn check_object_reference(&self, call: &Bound) -> Answer {
        let (module, name) =
            (call.text("module").unwrap_or_default(), call.text("xml_id").unwrap_or_default());
        let full = format!("{module}.{name}");
        let Some((_, model, id)) = self.external(&full) else {
            let message = format!("External ID not found in the system: {full}");
            return Err(OdooError::value(message));
        };
        let exists = self.schema.id(&model).is_some_and(|model| self.exists(model, id));
        Ok(Some(json!([model, if exists { json!(id) } else { json!(false) }])))
    }

    /// `export_data`: asking for `id` gives records without an external id one, as a side effect.
    pub(crate) fn export_data(&mut self, model: ModelId, call: &Bound) -> Answer {
        let empty = Vec::new();
        let names = call.get("fields_to_export").and_then(Json::as_array).unwrap_or(&empty);
        let mut rows = Vec::new();
        for id in &call.ids {
            let mut row = Vec::new();
            for name in names.iter().filter_map(Json::as_str) {
                row.push(self.exported(model, *id, name)?);
            }
            rows.push(Json::Array(row));
        }
        Ok(Some(json!({"datas": rows})))
    }

    fn exported(&mut self, model: ModelId, id: i64, path: &str) -> Result<Json, OdooError> {
        if path == ".id" {
            return Ok(json!(id.to_string()));
        }
        if path == "id" {
            return self.export_name(model, id).map(|name| json!(name));
        }
        let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let schema = self.schema.clone();
        let Some((at, field)) = schema.model(model).named(name) else {
            return Err(OdooError::unknown_field(self.version, schema.model(model).name, name));
        };
        let target = self.named(model, id, name).as_int().zip(schema.id(field.relation));
        Ok(match (rest, target) {
            (Some(rest), Some((target, relation))) => self.exported(relation, target, rest)?,
            (None, Some((target, relation))) => json!(self.display_name(relation, target)),
            (Some(_), None) => json!(""),
            (None, None) => match self.cell(model, id, (at, field), Shape { bin_size: false }) {
                Json::Bool(false) if field.kind != Kind::Boolean => json!(""),
                cell => cell,
            },
        })
    }

    fn export_name(&mut self, model: ModelId, id: i64) -> Result<String, OdooError> {
        let name = self.schema.model(model).name;
        if let Some(row) = self.external_ids(name, id).first() {
            return Ok(self.display_name(model::DATA, *row));
        }
        let suffix = u64::from_ne_bytes(id.to_ne_bytes()).wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF;
        let short = format!("{}_{id}_{suffix:08x}", name.replace('.', "_"));
        self.bind_external(&format!("__export__.{short}"), model, id)?;
        Ok(format!("__export__.{short}"))
    }
}
