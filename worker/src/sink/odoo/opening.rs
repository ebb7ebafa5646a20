//! What is checked before a sink is opened.

use serde_json::json;
use shared::config::suggest;
use shared::failure::{Failure, Reason};
use shared::mapping::Missing;
use shared::odoo::{Access, OdooClient, Row};

use super::column::{ACTIVE, Column, Kind};
use super::external::DATA;
use super::reference::STATE;
use super::settings::OdooSinkSettings;
use super::translation;

/// The fields of all columns.
pub(super) fn find_columns(
    names: &[String],
    settings: &OdooSinkSettings,
    fields: &Row,
) -> Result<Vec<Column>, Failure> {
    let model = settings.model.as_str();
    let mut found: Vec<Column> = Vec::with_capacity(names.len());
    for name in names {
        let mut column = Column::find(name, model, fields)?;
        column.missing = settings.missing.get(name).copied().unwrap_or_default();
        check_missing(&column, model)?;
        if let Some(other) =
            found.iter().find(|other| other.field == column.field && other.lang == column.lang)
        {
            let what =
                format!("columns '{}' and '{name}' are both field '{}' of Odoo", other.name, column.field);
            return Err(Failure::systemic(Reason::Field, what).advise("keep one of them"));
        }
        if column.field == ACTIVE && column.kind != Kind::Flag {
            let what = format!("field '{ACTIVE}' of model '{model}' is no yes or no");
            return Err(Failure::systemic(Reason::Field, what).advise("take the column out of the mapping"));
        }
        found.push(column);
    }
    check_bases(&found, model)?;
    if found.is_empty() {
        return Err(Failure::configuration("the pipeline has no columns for Odoo")
            .advise("map at least one field (docs/mapping.md)"));
    }
    Ok(found)
}

/// What a translation translates is to be there: where it is empty, that shows.
fn check_bases(columns: &[Column], model: &str) -> Result<(), Failure> {
    let is_alone = |at: &usize| translation::base_of(columns, *at).is_none();
    let of = |at: usize| columns.get(at).filter(|column| column.lang.is_some());
    let Some(column) = (0..columns.len()).filter(is_alone).find_map(of) else { return Ok(()) };
    let (name, field) = (&column.name, &column.field);
    let what =
        format!("column '{name}' of model '{model}' translates '{field}', which the mapping does not have");
    Err(Failure::systemic(Reason::Field, what).advise(format!("map '{field}' beside it")))
}

/// Every language of a column is installed, and none is that in which the sink writes anyway.
pub(super) async fn check_languages(client: &OdooClient, columns: &[Column]) -> Result<(), Failure> {
    if columns.iter().all(|column| column.lang.is_none()) {
        return Ok(());
    }
    let installed = client.languages().await?;
    for (column, lang) in columns.iter().filter_map(|column| Some((column, column.lang.as_deref()?))) {
        if lang == client.language() {
            let what =
                format!("column '{}' is in the language in which this pipeline writes anyway", column.name);
            return Err(Failure::systemic(Reason::Field, what).advise(format!("write '{}'", column.field)));
        }
        if !installed.iter().any(|code| code == lang) {
            return Err(client.lacks_language(&column.name, lang, &installed));
        }
    }
    Ok(())
}

/// Only what is called by its name can be made, or can be meant to be somewhere else.
fn check_missing(column: &Column, model: &str) -> Result<(), Failure> {
    let name = &column.name;
    let why = match (column.missing, column.relation()) {
        (Missing::Fail, _) => return Ok(()),
        (_, None) => "refers to no other record",
        (Missing::Create, Some(STATE)) => "takes states, which need more than a name",
        (Missing::Create, _) if !column.is_by_name() => {
            "does not call records by name, so that none can be made"
        }
        (Missing::Empty, _) if column.required => "is required, and cannot stay empty",
        _ => return Ok(()),
    };
    let what = format!("column '{name}' of model '{model}' {why}");
    Err(Failure::systemic(Reason::Field, what).advise("take its `missing` out of the mapping"))
}

/// Positions of the columns that records are matched by.
pub(super) fn find_keys(names: &[String], columns: &[Column]) -> Result<Vec<usize>, Failure> {
    let find = |name: &String| {
        let found = columns.iter().position(|column| column.name == *name);
        let is_text = |at: &usize| {
            columns
                .get(*at)
                .is_some_and(|column| column.lang.is_none() && matches!(column.kind, Kind::Text(_)))
        };
        match (found, found.filter(is_text)) {
            (_, Some(at)) => Ok(at),
            (Some(_), None) => Err(Failure::configuration(format!(
                "records cannot be matched by '{name}': it is no text, or a translation"
            ))
            .advise("match by a column such as default_code, barcode or name")),
            (None, None) => {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                Err(Failure::configuration(format!(
                    "records cannot be matched by '{name}': the mapping has no such column"
                ))
                .advise(suggest(name, &known)))
            }
        }
    };
    names.iter().map(find).collect()
}

/// Whoever may not see the modules is spared the question: the names of Odoo's own are refused anyway.
pub(super) async fn check_prefix(client: &OdooClient, settings: &OdooSinkSettings) -> Result<(), Failure> {
    let domain = json!([["name", "=", settings.prefix]]);
    match client.search_count("ir.module.module", &domain).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(settings.prefix_is_taken()),
        Err(failure) if matches!(failure.reason, Reason::Rights | Reason::Model) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// Binding found records takes the right to make external ids, too; `load` makes its own without it.
pub(super) async fn check_rights(
    client: &OdooClient,
    settings: &OdooSinkSettings,
    columns: &[Column],
) -> Result<(), Failure> {
    let model = settings.model.as_str();
    let mut needed =
        vec![(model, Access::Read), (model, Access::Create), (model, Access::Write), (DATA, Access::Read)];
    if !settings.match_by.is_empty() {
        needed.push((DATA, Access::Create));
    }
    let made = columns.iter().filter(|column| column.missing == Missing::Create);
    needed.extend(made.filter_map(|column| Some((column.relation()?, Access::Create))));
    for (model, access) in needed {
        if client.check_access(model, access).await? {
            continue;
        }
        let user = client.place().user();
        let who = user.map_or_else(|| "the user of the API key".to_owned(), |user| format!("user '{user}'"));
        let what = format!("{who} may not {} records of '{model}'", access.as_str());
        return Err(Failure::systemic(Reason::Rights, what).advise(if model == DATA {
            "give the user the right Administration / Access Rights in Odoo: external ids are kept there"
        } else {
            "give the user this right in Odoo"
        }));
    }
    Ok(())
}
