//! The remote methods.

use serde_json::{Map, Value as Json, json};

use crate::odoo::access::{Operation, User, plain_user_may, refusal};
use crate::odoo::call::Bound;
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::render::Shape;
use crate::odoo::schema::{Kind, ModelId, model};
use crate::odoo::search::Query;
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::Value;

/// What a method answers; `None` is Python's, which JSON-RPC leaves out.
pub(crate) type Answer = Result<Option<Json>, OdooError>;

impl Database {
    /// Runs a method for a user, in the language of the call's context.
    pub(crate) fn run(&mut self, user: &User, model: ModelId, method: &str, call: &Bound) -> Answer {
        self.speak(call.context.get("lang").and_then(Json::as_str))?;
        let answer = self.run_spoken(user, model, method, call);
        self.lang = None;
        answer
    }

    fn run_spoken(&mut self, user: &User, model: ModelId, method: &str, call: &Bound) -> Answer {
        if let Some(operation) = needed(method) {
            self.check_rights(user, model, operation)?;
            self.check_rules(user, model, operation, &call.ids)?;
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
                let ids: Vec<i64> = call.ids.iter().copied().filter(|id| self.exists(model, *id)).collect();
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
        Err(refusal(self.version, described.name, described.description, operation))
    }

    fn search_read(&mut self, model: ModelId, call: &Bound) -> Answer {
        let fields = self.field_ids(model, call.get("fields"))?;
        let ids = self.search(query(model, call))?;
        Ok(Some(self.records(model, &ids, &fields, call)))
    }

    fn records(&mut self, model: ModelId, ids: &[i64], fields: &[u16], call: &Bound) -> Json {
        self.tally.rows_read += u64::try_from(ids.len()).unwrap_or(0);
        let shape = Shape { bin_size: call.bin_size() };
        Json::Array(ids.iter().map(|id| self.record(model, *id, fields, shape)).collect())
    }

    fn read(&mut self, model: ModelId, call: &Bound) -> Answer {
        let fields = self.field_ids(model, call.get("fields"))?;
        let ids: Vec<i64> = call.ids.iter().copied().filter(|id| self.exists(model, *id)).collect();
        Ok(Some(self.records(model, &ids, &fields, call)))
    }

    fn web_search_read(&mut self, model: ModelId, call: &Bound) -> Answer {
        let ids = self.search(query(model, call))?;
        let length = self.count(Query { offset: 0, limit: None, ..query(model, call) })?;
        let empty = Map::new();
        let specification = call.get("specification").and_then(Json::as_object).unwrap_or(&empty);
        let records: Vec<Json> = ids.iter().map(|id| self.specified(model, *id, specification)).collect();
        self.tally.rows_read += u64::try_from(ids.len()).unwrap_or(0);
        Ok(Some(json!({"length": length, "records": records})))
    }

    fn specified(&self, model: ModelId, id: i64, specification: &Map<String, Json>) -> Json {
        let mut record = Map::new();
        record.insert("id".to_owned(), json!(id));
        for (name, inner) in specification {
            let Some((at, field)) = self.schema.model(model).named(name) else {
                continue;
            };
            let target = self.named(model, id, name).as_int();
            let inner = inner.get("fields").and_then(Json::as_object);
            let cell = match (field.kind, target, self.schema.id(field.relation)) {
                (Kind::Many2one, Some(target), Some(relation)) => match inner {
                    Some(inner) => self.specified(relation, target, inner),
                    None => json!(target),
                },
                _ => self.cell(model, id, (at, field), Shape { bin_size: true }),
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
            Json::Array(items) => items.into_iter().filter_map(|item| item.as_object().cloned()).collect(),
            _ => Vec::new(),
        };
        let ids = self.create(model, &records)?;
        Ok(Some(match ids.as_slice() {
            [id] if one => json!(id),
            ids => json!(ids),
        }))
    }

    fn copy_call(&mut self, model: ModelId, call: &Bound) -> Answer {
        let ids = call.ids.iter().map(|id| self.copy(model, *id)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(match (self.version, ids.as_slice()) {
            (OdooVersion::V17, [id]) => json!(id),
            (_, ids) => json!(ids),
        }))
    }

    fn access_question(&self, user: &User, model: ModelId, method: &str, call: &Bound) -> Answer {
        let operation = call.text("operation").and_then(Operation::named).unwrap_or(Operation::Read);
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
        let wanted = call.get("fields_list").or_else(|| call.get("fields")).and_then(Json::as_array);
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
                (initial, kind) => crate::odoo::render::plain(kind, initial.clone()),
            };
            defaults.insert(name.to_owned(), value);
        }
        Json::Object(defaults)
    }

    fn name_search(&self, model: ModelId, call: &Bound) -> Answer {
        let name = call.text("name").unwrap_or_default();
        let operator = call.text("operator").unwrap_or("ilike");
        let extra = call.get("args").or_else(|| call.get("domain")).cloned().unwrap_or_else(|| json!([]));
        let ids = self.by_name(model, name, operator, &extra, call)?;
        let pairs: Vec<Json> = ids.iter().map(|id| json!([id, self.display_name(model, *id)])).collect();
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
