//! `fields_get`: the schema as clients see it.

use serde_json::{Map, Value as Json, json};

use crate::odoo::call::Bound;
use crate::odoo::database::Database;
use crate::odoo::schema::{Field, Kind, ModelId};
use crate::odoo::settings::OdooVersion;

impl Database {
    /// The schema as clients see it.
    pub(crate) fn fields_get(&self, model: ModelId, call: &Bound) -> Json {
        let described = self.schema.model(model);
        let names = |key: &str| -> Vec<&str> {
            let list = call.get(key).and_then(Json::as_array);
            list.into_iter().flatten().filter_map(Json::as_str).collect()
        };
        let (wanted, attributes) = (names("allfields"), names("attributes"));
        let fields =
            described.fields.iter().filter(|field| wanted.is_empty() || wanted.contains(&field.name));
        let described = fields.map(|field| {
            let mut all = attributes_of(self.version, field);
            if !attributes.is_empty() {
                all.retain(|name, _| attributes.contains(&name.as_str()));
            }
            (field.name.to_owned(), Json::Object(all))
        });
        Json::Object(described.collect())
    }
}

fn attributes_of(version: OdooVersion, field: &Field) -> Map<String, Json> {
    let mut all = Map::new();
    let mut put = |name: &str, value: Json| all.insert(name.to_owned(), value);
    put("change_default", json!(false));
    put("company_dependent", json!(field.company_dependent));
    put("default_export_compatible", json!(false));
    // On 17 `type` follows `detailed_type`; other dependencies are not told.
    let follows = version == OdooVersion::V17 && field.name == "type" && field.selection.len() == 3;
    put("depends", if follows { json!(["detailed_type"]) } else { json!([]) });
    if let Ok(digits) = serde_json::from_str(field.digits) {
        put("digits", digits);
    }
    put("exportable", json!(true));
    if version >= OdooVersion::V18 {
        put("groupable", json!(field.store));
    }
    if !field.help.is_empty() {
        put("help", json!(field.help));
    }
    put("manual", json!(false));
    put("name", json!(field.name));
    put("readonly", json!(field.readonly));
    if !field.relation.is_empty() {
        put("relation", json!(field.relation));
    }
    put("required", json!(field.required));
    put("searchable", json!(field.store));
    if field.kind == Kind::Selection {
        let selection: Vec<Json> =
            field.selection.iter().map(|(value, label)| json!([value, label])).collect();
        put("selection", json!(selection));
    }
    put("sortable", json!(field.store));
    put("store", json!(field.store));
    put("string", json!(field.label));
    if field.kind == Kind::Text {
        put("translate", json!(field.translate));
    }
    put("type", json!(field.type_name));
    all
}
