//! `load`: upsert by external id, all rows or none.
//!
//! The batch is tried in one go, then row by row to find out which rows are at fault; if any is, everything is
//! undone and `ids` is false. Row errors are messages, not errors of the call.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use crate::odoo::access::{Operation, User};
use crate::odoo::call::Bound;
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::import::{Cells, text_of};
use crate::odoo::method::Answer;
use crate::odoo::schema::{ModelId, model};
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::{Value, is_truthy};

/// A converted row.
struct Upsert {
    /// Index in the batch.
    record: usize,
    /// `module.name`, when an external id was given.
    external: Option<String>,
    /// A database id that was given and exists.
    id: Option<i64>,
    vals: Map<String, Json>,
}

impl Upsert {
    fn message(&self, message: &str) -> Json {
        json!({
            "rows": {"from": self.record, "to": self.record}, "record": self.record, "type": "error",
            "message": message,
        })
    }
}

impl Database {
    pub(crate) fn load(&mut self, user: &User, model: ModelId, call: &Bound) -> Answer {
        let columns: Vec<&str> = call
            .get("fields")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let rows = call.get("data").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        self.check_columns(model, &columns, rows)?;
        let limit = call.context.get("_import_limit").and_then(Json::as_u64);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let savepoint = self.savepoint();
        let before = self.tally;
        let mut messages = Vec::new();
        let mut batch = Vec::new();
        for (record, row) in rows.iter().enumerate().take(limit) {
            let cells = cells(&columns, row);
            if let Some(upsert) = self.converted(model, record, &cells, call, &mut messages)? {
                batch.push(upsert);
            }
        }
        let update_only = call.context.get("mode").and_then(Json::as_str) == Some("update");
        let ids = self.flush(user, model, &batch, update_only, &mut messages);
        let failed = messages.iter().any(|message| message["type"] == "error");
        if failed {
            self.rollback(savepoint);
            self.tally = before;
        }
        let nextrow = if rows.len() > limit { limit } else { 0 };
        let ids = if failed { json!(false) } else { json!(ids) };
        Ok(Some(json!({"ids": ids, "messages": messages, "nextrow": nextrow})))
    }

    fn check_columns(&self, model: ModelId, columns: &[&str], rows: &[Json]) -> Result<(), OdooError> {
        let described = self.schema.model(model);
        let root = |column: &&str| column.split('/').next().unwrap_or("").to_owned();
        let unknown =
            columns.iter().map(root).find(|name| name != ".id" && described.field_id(name).is_none());
        match unknown.filter(|_| !rows.is_empty()) {
            None => Ok(()),
            Some(name) if self.version == OdooVersion::V17 => Err(OdooError::new("builtins.KeyError", name)),
            Some(name) => Err(OdooError::value(format!("Invalid field name '{name}'"))),
        }
    }

    fn converted(
        &mut self,
        model: ModelId,
        record: usize,
        cells: &Cells,
        call: &Bound,
        messages: &mut Vec<Json>,
    ) -> Result<Option<Upsert>, OdooError> {
        let own = |name: &str| cells.get(name).and_then(|cell| cell.get("")).filter(|cell| is_truthy(cell));
        let module = call.context.get("module").and_then(Json::as_str).unwrap_or("__import__");
        let external = own("id")
            .map(text_of)
            .map(|name| if name.contains('.') { name } else { format!("{module}.{name}") });
        let mut id = None;
        if let Some(given) = own(".id").map(text_of) {
            id = given.trim().parse::<i64>().ok().filter(|id| self.exists(model, *id));
            if id.is_none() {
                messages.push(json!({
                    "rows": {"from": record, "to": record}, "type": "error", "record": record, "field": ".id",
                    "message": format!("Unknown database identifier '{given}'"),
                }));
            }
        }
        let fields: Cells = cells
            .iter()
            .filter(|(name, _)| *name != "id" && *name != ".id")
            .map(|(name, cell)| (name.clone(), cell.clone()))
            .collect();
        let imported = self.import(model, record, &fields, &call.context)?;
        messages.extend(imported.messages);
        Ok((!imported.skipped).then_some(Upsert { record, external, id, vals: imported.vals }))
    }

    /// Writes the batch in one go or, where that fails, row by row.
    fn flush(
        &mut self,
        user: &User,
        model: ModelId,
        batch: &[Upsert],
        update_only: bool,
        messages: &mut Vec<Json>,
    ) -> Vec<i64> {
        let savepoint = self.savepoint();
        let whole = match self.upsert(user, model, batch, update_only) {
            Ok(ids) => return ids,
            Err(error) => error,
        };
        self.rollback(savepoint);
        let (mut ids, mut errors) = (Vec::new(), 0);
        let first = messages.len();
        for (done, one) in (1..).zip(batch) {
            let savepoint = self.savepoint();
            match self.upsert(user, model, std::slice::from_ref(one), update_only) {
                Ok(created) => ids.extend(created),
                Err(error) => {
                    self.rollback(savepoint);
                    messages.push(explained(one, &error));
                    errors += 1;
                }
            }
            if errors >= 10 && errors * 10 >= done {
                messages.push(json!({
                    "type": "warning",
                    "message": "Found more than 10 errors and more than one error per 10 records, interrupted to \
                                avoid showing too many errors.",
                }));
                break;
            }
        }
        // From 18 on the batch's own error is shown first, for its first row, unless a row said the same.
        if let (Some(one), true, true) = (batch.first(), errors > 0, whole.is_user_error())
            && self.version >= OdooVersion::V18
        {
            let global = one.message(&whole.message);
            if !messages.contains(&global) {
                messages.insert(first.min(messages.len()), global);
            }
        }
        ids
    }

    fn upsert(
        &mut self,
        user: &User,
        model: ModelId,
        batch: &[Upsert],
        update_only: bool,
    ) -> Result<Vec<i64>, OdooError> {
        let mut ids: Vec<Option<i64>> = Vec::with_capacity(batch.len());
        for one in batch {
            let target = self.target(model, one)?;
            ids.push(target);
            let Some(id) = target else { continue };
            if update_only && self.is_frozen(one) {
                continue;
            }
            self.check_rights(user, model, Operation::Write)?;
            self.check_rules(user, model, Operation::Write, &[id])?;
            self.write(model, &[id], &one.vals)?;
        }
        let new: Vec<&Upsert> =
            batch.iter().zip(&ids).filter(|(_, id)| id.is_none()).map(|(one, _)| one).collect();
        if new.is_empty() {
            return Ok(ids.into_iter().flatten().collect());
        }
        self.check_rights(user, model, Operation::Create)?;
        let vals: Vec<Map<String, Json>> = new.iter().map(|one| one.vals.clone()).collect();
        let created = self.create(model, &vals)?;
        self.bind_all(model, &new, &created)?;
        let mut created = created.into_iter();
        Ok(ids.into_iter().filter_map(|id| id.or_else(|| created.next())).collect())
    }

    /// The existing record of a row.
    fn target(&self, model: ModelId, one: &Upsert) -> Result<Option<i64>, OdooError> {
        let Some(external) = &one.external else {
            return Ok(one.id);
        };
        let Some((row, found, id)) = self.external(external) else {
            return Ok(one.id);
        };
        let name = self.schema.model(model).name;
        if *found != *name {
            return Err(OdooError::validation(format!(
                "For external id {external} when trying to create/update a record of model {name} found record of \
                 different model {found} ({row})"
            )));
        }
        // An external id whose record is gone is pointed to a new one.
        Ok(self.exists(model, id).then_some(id))
    }

    fn is_frozen(&self, one: &Upsert) -> bool {
        let row = one.external.as_deref().and_then(|external| self.external(external));
        row.is_some_and(|(row, _, _)| self.named(model::DATA, row, "noupdate").is_truthy())
    }

    fn bind_all(&mut self, model: ModelId, new: &[&Upsert], ids: &[i64]) -> Result<(), OdooError> {
        let mut seen = HashSet::new();
        let twice =
            new.iter().filter_map(|one| one.external.as_deref()).any(|external| !seen.insert(external));
        if twice {
            let message = "ON CONFLICT DO UPDATE command cannot affect row a second time\n";
            return Err(OdooError::new("psycopg2.errors.CardinalityViolation", message));
        }
        for (one, id) in new.iter().zip(ids) {
            let Some(external) = &one.external else { continue };
            self.bind_external(external, model, *id)?;
            // A new variant's template gets an external id, too.
            if let Some(template) = self.template_of(*id).filter(|_| model == model::PRODUCT) {
                self.bind_external(&format!("{external}_product_template"), model::TEMPLATE, template)?;
            }
        }
        Ok(())
    }

    /// Gives a record an external id, or points an existing one to it.
    pub(crate) fn bind_external(&mut self, full: &str, model: ModelId, id: i64) -> Result<(), OdooError> {
        let (module, name) = full.split_once('.').unwrap_or(("", full));
        let known = self.external(full).map(|(row, _, _)| row);
        let row = known.unwrap_or_else(|| self.table_mut(model::DATA).next_id());
        let schema = self.schema.clone();
        let described = schema.model(model::DATA);
        let mut columns = vec![
            ("module", Value::text(module)),
            ("name", Value::text(name)),
            ("model", Value::text(schema.model(model).name)),
            ("res_id", Value::Int(id)),
            ("write_date", Value::Stamp(self.now)),
            ("write_uid", Value::Int(self.uid)),
        ];
        if known.is_none() {
            columns.push(("create_date", Value::Stamp(self.now)));
            columns.push(("create_uid", Value::Int(self.uid)));
        }
        let columns =
            columns.into_iter().filter_map(|(name, value)| Some((described.field_id(name)?, value)));
        self.set_columns(model::DATA, row, columns);
        self.check_external(row)
    }
}

/// The cells of a row by field and subfield. Missing cells are left out, surplus ones ignored.
fn cells(columns: &[&str], row: &Json) -> Cells {
    let values = row.as_array().map_or(&[][..], Vec::as_slice);
    let mut cells = Cells::new();
    for (column, value) in columns.iter().zip(values) {
        let (name, subfield) = column.split_once('/').unwrap_or((column, ""));
        let cell = cells.entry(name.to_owned()).or_insert_with(|| json!({}));
        if let Some(cell) = cell.as_object_mut() {
            cell.insert(subfield.to_owned(), value.clone());
        }
    }
    cells
}

/// The message of a row that failed by itself.
fn explained(one: &Upsert, error: &OdooError) -> Json {
    if let Some(refused) = &error.refused {
        let mut message = one.message(&refused.row_message);
        if let (Some(field), Some(message)) = (refused.field, message.as_object_mut()) {
            message.insert("field".to_owned(), json!(field));
        }
        return message;
    }
    if error.is_user_error() {
        return one.message(&error.message);
    }
    let class = error.name.strip_prefix("builtins.").unwrap_or(error.name);
    let mut message =
        one.message(&format!("Unknown error during import: <class '{class}'>: {}", error.message));
    if let Some(message) = message.as_object_mut() {
        message.insert("moreinfo".to_owned(), json!("Resolve other errors first"));
    }
    message
}
