//! The remote methods.

use serde_json::{Map, Value as Json, json};

use crate::odoo::access::{Operation, User, plain_user_may, refusal};
use crate::odoo::call::Bound;
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::render::Shape;
use crate::odoo::schema::{Field, Kind, ModelId, model};
use crate::odoo::search::Query;
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::Value;

/// What a method answers; `None` is Python's, which JSON-RPC leaves out.
pub(crate) type Answer = Result<Option<Json>, OdooError>;

impl Database {
    /// Runs a method for a user.
    pub(crate) fn run(&mut self, user: &User, model: ModelId, method: &str, call: &Bound) -> Answer {
        if let Some(operation) = needed(method) {
            self.check_rights(user, model, operation)?;
        }
        match method {
            "search" => Ok(Some(json!(self.search(query(model, call))?))),
            "search_count" => Ok(Some(json!(self.count(query(model, call))?))),
            "search_read" => self.search_read(model, call),
            "web_search_read" => self.web_search_read(model, call),
            "read" => self.read(model, call),
            "fields_get" => Ok(Some(self.fields_get(model, call))),
            "default_get" => Ok(Some(self.default_get(model, call))),
            "name_search" => self.name_search(model, call),
            "name_create" => self.name_create(model, call.text("name").unwrap_or_default()),
            "check_access_rights" | "has_access" | "check_access_rule" | "check_access" => {
                self.access_question(user, model, method, call)
            }
            "create" => self.create_call(model, call),
            "write" => {
                let empty = Map::new();
                let vals = call.get("vals").and_then(Json::as_object).unwrap_or(&empty);
                self.write(model, &call.ids, vals)?;
                Ok(Some(json!(true)))
            }
            "unlink" => {
                self.unlink(model, &call.ids)?;
                Ok(Some(json!(true)))
            }
            "copy" => self.copy_call(model, call),
            "exists" if self.version == OdooVersion::V19 => Err(self.private(model, method)),
            "exists" => {
                let ids: Vec<i64> = call
                    .ids
                    .iter()
                    .copied()
                    .filter(|id| self.exists(model, *id))
                    .collect();
                Ok(Some(json!(ids)))
            }
            "action_archive" | "action_unarchive" => {
                self.archive(model, &call.ids, method == "action_unarchive")?;
                Ok(None)
            }
            "get_metadata" => Ok(Some(self.metadata(model, &call.ids))),
            "get_external_id" => Ok(Some(self.external_id_names(model, &call.ids))),
            "export_data" => self.export_data(model, call),
            "check_object_reference" => self.check_object_reference(call),
            "load" => self.load(user, model, call),
            _ => Err(self.no_method(model, method)),
        }
    }

    pub(crate) fn no_method(&self, model: ModelId, method: &str) -> OdooError {
        let name = self.schema.model(model).name;
        OdooError::new(
            "builtins.AttributeError",
            if self.version == OdooVersion::V17 {
                format!("The method '{method}' does not exist on the model '{name}'")
            } else {
                format!("The method '{name}.{method}' does not exist")
            },
        )
    }

    pub(crate) fn private(&self, model: ModelId, method: &str) -> OdooError {
        let name = self.schema.model(model).name;
        OdooError::access(if self.version == OdooVersion::V17 {
            format!("Private methods (such as {method}) cannot be called remotely.")
        } else {
            format!("Private methods (such as '{name}.{method}') cannot be called remotely.")
        })
    }

    pub(crate) fn check_rights(
        &self,
        user: &User,
        model: ModelId,
        operation: Operation,
    ) -> Result<(), OdooError> {
        let described = self.schema.model(model);
        if user.is_admin || plain_user_may(described.name, operation) {
            return Ok(());
        }
        Err(refusal(
            self.version,
            described.name,
            described.description,
            operation,
        ))
    }

    fn search_read(&mut self, model: ModelId, call: &Bound) -> Answer {
        let fields = self.field_ids(model, call.get("fields"))?;
        let ids = self.search(query(model, call))?;
        Ok(Some(self.records(model, &ids, &fields, call)))
    }

    fn records(&mut self, model: ModelId, ids: &[i64], fields: &[u16], call: &Bound) -> Json {
        self.tally.rows_read += u64::try_from(ids.len()).unwrap_or(0);
        let shape = Shape {
            bin_size: call.bin_size(),
        };
        Json::Array(
            ids.iter()
                .map(|id| self.record(model, *id, fields, shape))
                .collect(),
        )
    }

    fn read(&mut self, model: ModelId, call: &Bound) -> Answer {
        let fields = self.field_ids(model, call.get("fields"))?;
        let ids: Vec<i64> = call
            .ids
            .iter()
            .copied()
            .filter(|id| self.exists(model, *id))
            .collect();
        Ok(Some(self.records(model, &ids, &fields, call)))
    }

    fn web_search_read(&mut self, model: ModelId, call: &Bound) -> Answer {
        let ids = self.search(query(model, call))?;
        let length = self.count(Query {
            offset: 0,
            limit: None,
            ..query(model, call)
        })?;
        let empty = Map::new();
        let specification = call
            .get("specification")
            .and_then(Json::as_object)
            .unwrap_or(&empty);
        let records: Vec<Json> = ids
            .iter()
            .map(|id| self.specified(model, *id, specification))
            .collect();
        self.tally.rows_read += u64::try_from(ids.len()).unwrap_or(0);
        Ok(Some(json!({"length": length, "records": records})))
    }

    fn specified(&self, model: ModelId, id: i64, specification: &Map<String, Json>) -> Json {
        let mut record = Map::new();
        record.insert("id".to_owned(), json!(id));
        for (name, inner) in specification {
            let Some((_, field)) = self.schema.model(model).named(name) else {
                continue;
            };
            let target = self.named(model, id, name).as_int();
            let inner = inner.get("fields").and_then(Json::as_object);
            let cell = match (field.kind, target, self.schema.id(field.relation)) {
                (Kind::Many2one, Some(target), Some(relation)) => match inner {
                    Some(inner) => self.specified(relation, target, inner),
                    None => json!(target),
                },
                _ => self.cell(model, id, field, Shape { bin_size: true }),
            };
            record.insert(name.clone(), cell);
        }
        Json::Object(record)
    }

    fn create_call(&mut self, model: ModelId, call: &Bound) -> Answer {
        let vals = call.get("vals_list").cloned().unwrap_or_else(|| json!({}));
        let one = vals.is_object();
        let records: Vec<Map<String, Json>> = match vals {
            Json::Object(vals) => vec![vals],
            Json::Array(items) => items
                .into_iter()
                .filter_map(|item| item.as_object().cloned())
                .collect(),
            _ => Vec::new(),
        };
        let ids = self.create(model, &records)?;
        Ok(Some(match ids.as_slice() {
            [id] if one => json!(id),
            ids => json!(ids),
        }))
    }

    fn copy_call(&mut self, model: ModelId, call: &Bound) -> Answer {
        let ids = call
            .ids
            .iter()
            .map(|id| self.copy(model, *id))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Some(match (self.version, ids.as_slice()) {
            (OdooVersion::V17, [id]) => json!(id),
            (_, ids) => json!(ids),
        }))
    }

    fn access_question(&self, user: &User, model: ModelId, method: &str, call: &Bound) -> Answer {
        let operation = call
            .text("operation")
            .and_then(Operation::named)
            .unwrap_or(Operation::Read);
        let refused = self.check_rights(user, model, operation);
        match method {
            "has_access" => Ok(Some(json!(refused.is_ok()))),
            "check_access_rights"
                if call.get("raise_exception").is_some() && !call.flag("raise_exception") =>
            {
                Ok(Some(json!(refused.is_ok())))
            }
            "check_access_rights" => refused.map(|()| Some(json!(true))),
            _ => refused.map(|()| None),
        }
    }

    fn default_get(&self, model: ModelId, call: &Bound) -> Json {
        let described = self.schema.model(model);
        let wanted = call
            .get("fields_list")
            .or_else(|| call.get("fields"))
            .and_then(Json::as_array);
        let mut defaults = Map::new();
        for name in wanted.into_iter().flatten().filter_map(Json::as_str) {
            let Some((_, field)) = described.named(name) else {
                continue;
            };
            let computed = !field.store && !field.company_dependent;
            // On 17 `type` follows `detailed_type` and has no default of its own.
            let follows = self.version == OdooVersion::V17 && name == "type";
            if field.initial == Value::Null || computed || follows {
                continue;
            }
            let value = match (&field.initial, field.kind) {
                (Value::Ids(ids), _) => json!([[6, 0, ids]]),
                (initial, kind) => crate::odoo::render::plain(kind, initial),
            };
            defaults.insert(name.to_owned(), value);
        }
        Json::Object(defaults)
    }

    fn name_search(&self, model: ModelId, call: &Bound) -> Answer {
        let name = call.text("name").unwrap_or_default();
        let operator = call.text("operator").unwrap_or("ilike");
        let extra = call
            .get("args")
            .or_else(|| call.get("domain"))
            .cloned()
            .unwrap_or_else(|| json!([]));
        let ids = self.by_name(model, name, operator, &extra, call)?;
        let pairs: Vec<Json> = ids
            .iter()
            .map(|id| json!([id, self.display_name(model, *id)]))
            .collect();
        Ok(Some(json!(pairs)))
    }

    fn by_name(
        &self,
        model: ModelId,
        name: &str,
        operator: &str,
        extra: &Json,
        call: &Bound,
    ) -> Result<Vec<i64>, OdooError> {
        let mut domain = match (model, name.is_empty()) {
            (_, true) => json!([]),
            (model::TEMPLATE | model::PRODUCT, _) => {
                json!([
                    "|",
                    "|",
                    ["default_code", operator, name],
                    ["name", operator, name],
                    ["barcode", operator, name]
                ])
            }
            (model::PARTNER | model::CATEGORY, _) => json!([["complete_name", operator, name]]),
            _ => json!([["name", operator, name]]),
        };
        if let (Some(domain), Some(extra)) = (domain.as_array_mut(), extra.as_array()) {
            domain.extend(extra.iter().cloned());
        }
        let limit = Some(call.number("limit").unwrap_or(100));
        self.search(Query {
            model,
            domain: &domain,
            active_test: call.active_test(),
            order: "",
            offset: 0,
            limit,
        })
    }

    fn name_create(&mut self, model: ModelId, name: &str) -> Answer {
        let mut vals = Map::new();
        vals.insert("name".to_owned(), json!(name));
        let ids = self.create(model, &[vals])?;
        Ok(ids.first().map(|id| json!([id, self.display_name(model, *id)])))
    }

    fn metadata(&self, model: ModelId, ids: &[i64]) -> Json {
        let name = self.schema.model(model).name;
        let rows = ids.iter().filter(|id| self.exists(model, **id)).map(|id| {
            let cell = |field: &str| {
                let found = self.schema.model(model).named(field);
                found.map_or(Json::Null, |(_, field)| {
                    self.cell(model, *id, field, Shape { bin_size: false })
                })
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

    fn external_id_names(&self, model: ModelId, ids: &[i64]) -> Json {
        let name = self.schema.model(model).name;
        let names = ids.iter().map(|id| {
            let first = self
                .external_ids(name, *id)
                .first()
                .map(|row| self.display_name(model::DATA, *row));
            (id.to_string(), json!(first.unwrap_or_default()))
        });
        Json::Object(names.collect())
    }

    fn check_object_reference(&self, call: &Bound) -> Answer {
        let (module, name) = (
            call.text("module").unwrap_or_default(),
            call.text("xml_id").unwrap_or_default(),
        );
        let full = format!("{module}.{name}");
        let Some((_, model, id)) = self.external(&full) else {
            let message = format!("External ID not found in the system: {full}");
            return Err(OdooError::value(message));
        };
        let exists = self.schema.id(&model).is_some_and(|model| self.exists(model, id));
        Ok(Some(json!([
            model,
            if exists { json!(id) } else { json!(false) }
        ])))
    }

    /// `export_data`: asking for `id` gives records without an external id one, as a side effect.
    fn export_data(&mut self, model: ModelId, call: &Bound) -> Answer {
        let empty = Vec::new();
        let names = call
            .get("fields_to_export")
            .and_then(Json::as_array)
            .unwrap_or(&empty);
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
        let (name, rest) = path
            .split_once('/')
            .map_or((path, None), |(name, rest)| (name, Some(rest)));
        let schema = self.schema.clone();
        let Some((_, field)) = schema.model(model).named(name) else {
            return Err(OdooError::unknown_field(
                self.version,
                schema.model(model).name,
                name,
            ));
        };
        let target = self
            .named(model, id, name)
            .as_int()
            .zip(schema.id(field.relation));
        Ok(match (rest, target) {
            (Some(rest), Some((target, relation))) => self.exported(relation, target, rest)?,
            (None, Some((target, relation))) => json!(self.display_name(relation, target)),
            (Some(_), None) => json!(""),
            (None, None) => match self.cell(model, id, field, Shape { bin_size: false }) {
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

    /// The schema as clients see it.
    fn fields_get(&self, model: ModelId, call: &Bound) -> Json {
        let described = self.schema.model(model);
        let names = |key: &str| -> Vec<&str> {
            let list = call.get(key).and_then(Json::as_array);
            list.into_iter().flatten().filter_map(Json::as_str).collect()
        };
        let (wanted, attributes) = (names("allfields"), names("attributes"));
        let fields = described
            .fields
            .iter()
            .filter(|field| wanted.is_empty() || wanted.contains(&field.name));
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

/// A search's arguments.
fn query(model: ModelId, call: &Bound) -> Query<'_> {
    Query {
        model,
        domain: call.get("domain").unwrap_or(&Json::Null),
        active_test: call.active_test(),
        order: call.text("order").unwrap_or_default(),
        offset: call.number("offset").unwrap_or(0),
        limit: call.number("limit").filter(|limit| *limit > 0),
    }
}

fn needed(method: &str) -> Option<Operation> {
    Some(match method {
        "search" | "search_count" | "search_read" | "web_search_read" | "read" | "name_search"
        | "export_data" | "get_metadata" => Operation::Read,
        "create" | "copy" | "name_create" => Operation::Create,
        "write" | "action_archive" | "action_unarchive" => Operation::Write,
        "unlink" => Operation::Unlink,
        _ => return None,
    })
}

fn attributes_of(version: OdooVersion, field: &Field) -> Map<String, Json> {
    let mut all = Map::new();
    let mut put = |name: &str, value: Json| all.insert(name.to_owned(), value);
    put("change_default", json!(false));
    put("company_dependent", json!(field.company_dependent));
    put("default_export_compatible", json!(false));
    // On 17 `type` follows `detailed_type`; other dependencies are not told.
    let follows = version == OdooVersion::V17 && field.name == "type" && field.selection.len() == 3;
    put(
        "depends",
        if follows {
            json!(["detailed_type"])
        } else {
            json!([])
        },
    );
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
        let selection: Vec<Json> = field
            .selection
            .iter()
            .map(|(value, label)| json!([value, label]))
            .collect();
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
