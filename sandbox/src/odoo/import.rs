//! Cells of a `load` turned into values, with the messages Odoo has for those it cannot read.

use serde_json::{Map, Value as Json, json};

use crate::odoo::convert::python_float;
use crate::odoo::database::Database;
use crate::odoo::error::OdooError;
use crate::odoo::schema::{Field, Kind, ModelId};
use crate::odoo::search::Query;
use crate::odoo::settings::OdooVersion;
use crate::odoo::stamp::Stamp;
use crate::odoo::value::is_truthy;

/// One record of the batch: its cells by field, each by subfield (empty, `id` or `.id`).
pub(crate) type Cells = Map<String, Json>;

/// What the cells of one record came to.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    pub(crate) vals: Map<String, Json>,
    pub(crate) messages: Vec<Json>,
    /// `import_skip_records` asked to leave the record out.
    pub(crate) skipped: bool,
}

/// A cell that cannot be read.
enum Unreadable {
    /// Reported for the row; the batch will not be kept.
    Row { message: String, moreinfo: Option<Json>, named: bool },
    /// Ends the whole call.
    Call(OdooError),
    /// Leaves the record out.
    Skip,
}

fn row(message: String) -> Unreadable {
    Unreadable::Row { message, moreinfo: None, named: true }
}

impl Database {
    /// Reads the cells of one record. A bad cell is left out and reported; the others are still read.
    pub(crate) fn import(
        &mut self,
        model: ModelId,
        record: usize,
        cells: &Cells,
        context: &Map<String, Json>,
    ) -> Result<Imported, OdooError> {
        let schema = self.schema.clone();
        let mut imported = Imported::default();
        for (name, cell) in cells {
            let Some((_, field)) = schema.model(model).named(name) else {
                continue;
            };
            let mut warnings = Vec::new();
            match self.cell_value(field, cell, context, &mut warnings) {
                Ok(value) => {
                    imported.vals.insert(name.clone(), value);
                }
                Err(Unreadable::Call(error)) => return Err(error),
                Err(Unreadable::Skip) => imported.skipped = true,
                Err(Unreadable::Row { message, moreinfo, named }) => {
                    let mut entry = json!({
                        "rows": {"from": record, "to": record}, "type": "error", "record": record, "field": name,
                        "message": message,
                    });
                    if let Some(entry) = entry.as_object_mut() {
                        entry.extend(moreinfo.map(|info| ("moreinfo".to_owned(), info)));
                        entry.extend(named.then(|| ("field_name".to_owned(), json!(field.label))));
                    }
                    imported.messages.push(entry);
                }
            }
            imported.messages.extend(warnings.into_iter().map(|message| {
                json!({
                    "rows": {"from": record, "to": record}, "type": "warning", "record": record, "field": name,
                    "message": message,
                })
            }));
        }
        Ok(imported)
    }

    fn cell_value(
        &mut self,
        field: &Field,
        cell: &Json,
        context: &Map<String, Json>,
        warnings: &mut Vec<String>,
    ) -> Result<Json, Unreadable> {
        let plain = cell.get("").cloned().unwrap_or(Json::Null);
        match field.kind {
            Kind::Many2one => self.reference(field, cell, context, warnings),
            Kind::ToMany => {
                let (subfield, value) = specification(field, cell)?;
                let text = text_of(&value);
                let mut ids = Vec::new();
                for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    let id = self.referenced(field, subfield, &json!(part), context, warnings)?;
                    ids.extend(id.as_i64());
                }
                Ok(json!([[6, 0, ids]]))
            }
            // Empty means clear, whatever the type.
            _ if !is_truthy(&plain) => Ok(Json::Bool(false)),
            Kind::Boolean => boolean(field, &plain),
            Kind::Float => float(field, &plain),
            Kind::Integer => {
                let number = text_of(&plain).trim().parse::<i64>();
                let message = || {
                    format!(
                        "'{}' does not seem to be an integer for field '{}'",
                        text_of(&plain),
                        field.label
                    )
                };
                number.map(|number| json!(number)).map_err(|_| row(message()))
            }
            Kind::Selection => selection(field, &plain),
            Kind::Datetime | Kind::Date => {
                let text = text_of(&plain);
                let what = if field.kind == Kind::Date { "date" } else { "datetime" };
                if Stamp::parse(&text).is_some() {
                    return Ok(json!(text));
                }
                let format = if field.kind == Kind::Date { "2012-12-31" } else { "2012-12-31 23:59:59" };
                Err(Unreadable::Row {
                    message: format!(
                        "'{text}' does not seem to be a valid {what} for field '{}'",
                        field.label
                    ),
                    moreinfo: Some(json!(format!("Use the format '{format}'"))),
                    named: true,
                })
            }
            Kind::Text | Kind::Binary | Kind::Opaque => Ok(json!(text_of(&plain))),
        }
    }

    fn reference(
        &mut self,
        field: &Field,
        cell: &Json,
        context: &Map<String, Json>,
        warnings: &mut Vec<String>,
    ) -> Result<Json, Unreadable> {
        let (subfield, value) = specification(field, cell)?;
        if !is_truthy(&value) {
            return Ok(Json::Bool(false));
        }
        self.referenced(field, subfield, &value, context, warnings)
    }

    /// Finds one related record by name, external id or database id.
    fn referenced(
        &mut self,
        field: &Field,
        subfield: &str,
        value: &Json,
        context: &Map<String, Json>,
        warnings: &mut Vec<String>,
    ) -> Result<Json, Unreadable> {
        let text = text_of(value);
        let label = field.label;
        let Some(target) = self.schema.id(field.relation) else {
            return Err(row(format!("No matching record found for name '{text}' in field '{label}'")));
        };
        let (found, kind) = match subfield {
            ".id" => {
                let Ok(id) = text.trim().parse::<i64>() else {
                    let message = format!("Invalid database id '{text}' for the field '{label}'");
                    let moreinfo = Some(self.possible_values(field, true));
                    return Err(Unreadable::Row { message, moreinfo, named: true });
                };
                (self.exists(target, id).then_some(id), "database id")
            }
            "id" => {
                let full = if text.contains('.') { text.clone() } else { format!("__import__.{text}") };
                let found = self
                    .external(&full)
                    .filter(|(_, model, id)| **model == *field.relation && self.exists(target, *id));
                (found.map(|(_, _, id)| id), "external id")
            }
            _ => {
                let ids = self.found_by_name(target, &text).map_err(Unreadable::Call)?;
                if ids.len() > 1 {
                    let quote = if self.version == OdooVersion::V17 { '\'' } else { '"' };
                    warnings.push(format!(
                        "Found multiple matches for value {quote}{text}{quote} in field {quote}{label}{quote} ({} \
                         matches)",
                        ids.len()
                    ));
                }
                (ids.first().copied(), "name")
            }
        };
        if let Some(id) = found {
            return Ok(json!(id));
        }
        if kind == "name" && asked(context, "name_create_enabled_fields", field.name) {
            let mut vals = Map::new();
            vals.insert("name".to_owned(), json!(text));
            let ids = self.create(target, &[vals]).map_err(Unreadable::Call)?;
            return Ok(json!(ids.first()));
        }
        if context.get("import_file").is_some_and(is_truthy) {
            if asked(context, "import_set_empty_fields", field.name) {
                return Ok(Json::Bool(false));
            }
            if asked(context, "import_skip_records", field.name) {
                return Err(Unreadable::Skip);
            }
        }
        Err(Unreadable::Row {
            message: format!("No matching record found for {kind} '{text}' in field '{label}'"),
            moreinfo: Some(self.possible_values(field, kind != "name")),
            named: true,
        })
    }

    fn found_by_name(&self, model: ModelId, name: &str) -> Result<Vec<i64>, OdooError> {
        let described = self.schema.model(model);
        let field = if described.field_id("complete_name").is_some() { "complete_name" } else { "name" };
        let domain = json!(["|", [field, "=", name], ["name", "=", name]]);
        let query =
            Query { model, domain: &domain, active_test: true, order: "", offset: 0, limit: Some(100) };
        self.search(query)
    }

    /// The window action Odoo offers to people; of no use to programs.
    fn possible_values(&self, field: &Field, by_id: bool) -> Json {
        let modes = if self.version == OdooVersion::V17 { "tree,form" } else { "list,form" };
        let mut info = json!({
            "name": "Possible Values", "type": "ir.actions.act_window", "target": "new", "view_mode": modes,
            "views": [[false, "list"], [false, "form"]], "context": {"create": false},
            "help": "See all possible values",
            "res_model": if by_id { "ir.model.data" } else { field.relation },
        });
        if let (true, Some(info)) = (by_id, info.as_object_mut()) {
            info.insert("domain".to_owned(), json!([["model", "=", field.relation]]));
        }
        info
    }
}

/// Whether a context entry, a list or a dictionary, names the field.
fn asked(context: &Map<String, Json>, entry: &str, field: &str) -> bool {
    match context.get(entry) {
        Some(Json::Array(names)) => names.iter().any(|name| name.as_str() == Some(field)),
        Some(Json::Object(names)) => names.get(field).is_some_and(is_truthy),
        _ => false,
    }
}

/// The subfield a relation is given by; two of them are too many.
fn specification<'a>(field: &Field, cell: &'a Json) -> Result<(&'a str, Json), Unreadable> {
    let mut given = cell.as_object().into_iter().flatten();
    let first = given.next().map_or(("", Json::Null), |(subfield, value)| (subfield.as_str(), value.clone()));
    if given.next().is_some() {
        let message = format!(
            "Ambiguous specification for field '{}', only provide one of name, external id or database id",
            field.label
        );
        return Err(Unreadable::Row { message, moreinfo: None, named: false });
    }
    Ok(first)
}

/// A cell as text, as Python's `str()` gives it.
pub(crate) fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null | Json::Bool(false) => String::new(),
        Json::Bool(true) => "True".to_owned(),
        other => other.to_string(),
    }
}

/// Booleans must be texts: anything else has no `lower` and ends the call.
fn boolean(field: &Field, value: &Json) -> Result<Json, Unreadable> {
    let Json::String(text) = value else {
        let kind = match value {
            Json::Bool(_) => "bool",
            Json::Number(number) if number.is_f64() && number.as_i64().is_none() => "float",
            _ => "int",
        };
        let message = format!("'{kind}' object has no attribute 'lower'");
        return Err(Unreadable::Call(OdooError::new("builtins.AttributeError", message)));
    };
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" => Ok(Json::Bool(true)),
        "" | "0" | "false" | "no" => Ok(Json::Bool(false)),
        _ => Err(Unreadable::Row {
            message: format!("Unknown value '{text}' for boolean field '{}'", field.label),
            moreinfo: Some(json!("Use '1' for yes and '0' for no")),
            named: true,
        }),
    }
}

fn float(field: &Field, value: &Json) -> Result<Json, Unreadable> {
    let text = text_of(value);
    match value {
        Json::Bool(true) => Ok(json!(1.0)),
        _ if python_float(&text).is_some() => Ok(json!(text)),
        _ => Err(row(format!("'{text}' does not seem to be a number for field '{}'", field.label))),
    }
}

fn selection(field: &Field, value: &Json) -> Result<Json, Unreadable> {
    let text = text_of(value);
    let wanted = text.to_lowercase();
    let found =
        field.selection.iter().find(|(value, label)| *value == text || label.to_lowercase() == wanted);
    found.map(|(value, _)| json!(value)).ok_or_else(|| {
        let labels: Vec<&str> = field.selection.iter().map(|(_, label)| *label).collect();
        Unreadable::Row {
            message: format!("Value '{text}' not found in selection field '{}'", field.label),
            moreinfo: Some(json!(labels)),
            named: true,
        }
    })
}
