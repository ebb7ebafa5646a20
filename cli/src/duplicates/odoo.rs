//! Records of Odoo by one of their fields.

use std::collections::HashMap;

use serde_json::{Value, json};
use shared::config::{OdooTarget, suggest};
use shared::failure::{Failure, Reason};
use shared::odoo::{OdooClient, Row, SearchRead};

use super::tally::Tally;

/// Rows of one call.
const PAGE: u64 = 2_000;

/// Records that are named by one call.
const NAMES: usize = 500;

/// All records of a model by a text field, archived ones too. Odoo has a call that groups, but another one from version to
/// version; pages by id are the same everywhere.
pub(super) async fn by_field(
    client: &OdooClient,
    model: &str,
    domain: &Value,
    field: &str,
) -> Result<Tally, Failure> {
    let fields = client.fields_get(model, &["type", "store"].map(str::to_owned)).await?;
    let described = fields.get(field).ok_or_else(|| {
        let mut known: Vec<&str> = fields.keys().map(String::as_str).collect();
        known.sort_unstable();
        Failure::systemic(Reason::Field, format!("model '{model}' of this Odoo has no field '{field}'"))
            .advise(suggest(field, &known))
    })?;
    if !["char", "text", "selection"].iter().any(|kind| described.get("type") == Some(&json!(kind))) {
        return Err(Failure::configuration(format!(
            "records cannot be compared by '{field}': it is no text"
        ))
        .advise("choose a field such as default_code, barcode, email or name"));
    }
    let mut tally = Tally::default();
    let text = |row: &Row| row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    walk(client, model, domain, &[field], |row, id| tally.add(&text(row), &id.to_string(), "")).await?;
    name(client, model, &mut tally).await?;
    Ok(tally)
}

/// Records that carry several of our external ids: two records of the source are bound to them.
pub(super) async fn bound_twice(client: &OdooClient, target: &OdooTarget) -> Result<Tally, Failure> {
    // '_' stands for any character in a pattern of Odoo unless it is escaped.
    let pattern = format!("{}\\_%", target.entity.replace('_', "\\_"));
    let domain =
        json!([["module", "=", target.prefix], ["model", "=", target.model], ["name", "=like", pattern]]);
    let mut tally = Tally::default();
    walk(client, "ir.model.data", &domain, &["res_id", "name"], |row, _| {
        let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
        let id = row.get("res_id").and_then(Value::as_i64).unwrap_or_default();
        tally.add(&id.to_string(), name, "")
    })
    .await?;
    Ok(tally)
}

async fn walk(
    client: &OdooClient,
    model: &str,
    domain: &Value,
    fields: &[&str],
    mut each: impl FnMut(&Row, i64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut last = 0;
    loop {
        let mut search = search(model);
        let mut terms = vec![json!(["id", ">", last])];
        terms.extend(domain.as_array().cloned().unwrap_or_default());
        search.domain = Value::Array(terms);
        search.fields = fields.iter().map(|field| (*field).to_owned()).collect();
        search.order = Some("id asc".to_owned());
        search.limit = Some(PAGE);
        let rows = client.search_read(&search).await?;
        for row in &rows {
            let id = row.get("id").and_then(Value::as_i64).unwrap_or_default();
            each(row, id)?;
            last = last.max(id);
        }
        if (rows.len() as u64) < PAGE {
            return Ok(());
        }
    }
}

/// Only those that are double are worth their names.
async fn name(client: &OdooClient, model: &str, tally: &mut Tally) -> Result<(), Failure> {
    let ids: Vec<i64> = tally.twins().filter_map(|twin| twin.id.parse().ok()).collect();
    let mut names: HashMap<String, String> = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(NAMES) {
        let mut search = search(model);
        search.domain = json!([["id", "in", ids]]);
        search.fields = vec!["display_name".to_owned()];
        for row in client.search_read(&search).await? {
            let shown = row.get("display_name").and_then(Value::as_str).unwrap_or_default();
            let id = row.get("id").and_then(Value::as_i64).unwrap_or_default();
            names.insert(id.to_string(), shown.to_owned());
        }
    }
    for twin in tally.twins() {
        if let Some(name) = names.remove(&twin.id) {
            twin.name = name;
        }
    }
    Ok(())
}

fn search(model: &str) -> SearchRead {
    let mut search = SearchRead::new(model);
    search.context = std::iter::once(("active_test".to_owned(), Value::Bool(false))).collect();
    search
}
