//! `check --duplicates`: which values that should tell records apart several records have, in Odoo or in Zoho, without
//! changing anything.

mod odoo;
mod tally;

use std::sync::Arc;

use producer::source::{Source, ZohoSource};
use serde::Serialize;
use serde_json::{Value, json};
use shared::config::{Config, OdooTarget, Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::mapping::{Origin, SourceColumn};
use shared::odoo::OdooClient;
use shared::state::Window;
use shared::systems::Systems;
use shared::zoho::{Kind, ZohoEntity};

use self::tally::{Tally, Twin};
use crate::arguments::Check;
use crate::exit::Exit;
use crate::output::Output;
use crate::state::known_state;

/// Records of one system that have the same value.
#[derive(Debug, Serialize)]
struct Double {
    pipeline: String,
    system: String,
    by: String,
    value: String,
    records: Vec<Twin>,
    /// Of records of Zoho: the one of Odoo that each of them would be bound to, since `match_by` names this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<String>,
}

/// What was looked at, and what is double of it.
#[derive(Debug, Default)]
struct Report {
    examined: Vec<Value>,
    double: Vec<Double>,
    untold: usize,
    /// Columns that anything was compared by.
    columns: usize,
}

/// A place that is looked through.
struct Place<'a> {
    pipeline: &'a Pipeline,
    system: &'a str,
    by: &'a str,
}

impl Report {
    fn note(&mut self, place: &Place<'_>, tally: &Tally, wanted: impl Fn(&str) -> Option<String>) {
        let (pipeline, system, by) =
            (place.pipeline.name.to_string(), place.system.to_owned(), place.by.to_owned());
        self.examined
            .push(json!({ "pipeline": pipeline, "system": system, "by": by, "records": tally.records }));
        self.untold += tally.untold;
        for (value, records) in tally.double() {
            self.double.push(Double {
                pipeline: pipeline.clone(),
                system: system.clone(),
                by: by.clone(),
                value: value.clone(),
                records: records.clone(),
                wanted: wanted(value),
            });
        }
    }

    fn tell(&self, output: Output) {
        for examined in &self.examined {
            let text = |key: &str| examined.get(key).and_then(Value::as_str).unwrap_or_default();
            let records = examined.get("records").and_then(Value::as_u64).unwrap_or_default();
            output.line(format!(
                "{}: {} of {records} records compared by '{}'",
                text("pipeline"),
                text("system"),
                text("by")
            ));
        }
        for double in &self.double {
            let records: Vec<String> =
                double.records.iter().map(|twin| format!("{} \"{}\"", twin.id, twin.name)).collect();
            let count = records.len();
            let mut line = format!(
                "double {}: {count} records of {} have {} '{}': {}",
                double.pipeline,
                double.system,
                double.by,
                double.value,
                records.join(", ")
            );
            if let Some(wanted) = &double.wanted {
                line += &format!(
                    "; each would be bound to record {wanted} of Odoo, which can be only one of them"
                );
            }
            output.line(line);
        }
        match (self.double.len(), self.untold) {
            (0, _) => output.line("Nothing is double."),
            (_, 0) => {}
            (_, untold) => output.line(format!("... and {untold} records more")),
        }
    }
}

pub(crate) async fn run(config: &Arc<Config>, check: &Check) -> Result<Exit, Failure> {
    let output = Output::new(check.json);
    let systems = Systems::new(Arc::clone(config));
    let systems = match known_state(config).await? {
        Some(state) => systems.governed_by(&state),
        None => systems,
    };
    let mut report = Report::default();
    for pipeline in &config.pipelines {
        examine(&systems, pipeline, &check.by, &mut report).await?;
    }
    if report.columns == 0 {
        let what = "no pipeline has such a column, or field of its source, as it is";
        let named = if check.by.is_empty() { "a SKU, email or name".to_owned() } else { check.by.join(", ") };
        return Err(Failure::configuration(format!("records cannot be compared by {named}: {what}"))
            .advise("name one of a mapping with --by, such as default_code, sku, email or barcode"));
    }
    report.tell(output);
    output.object(&json!({
        "examined": report.examined, "duplicates": report.double, "untold": report.untold
    }));
    Ok(if report.double.is_empty() { Exit::Done } else { Exit::RecordsFailed })
}

async fn examine(
    systems: &Systems,
    pipeline: &Pipeline,
    by: &[String],
    report: &mut Report,
) -> Result<(), Failure> {
    match &pipeline.source {
        SourceConfig::Odoo(entity) => {
            let client = systems.odoo(&entity.server).await?;
            let keys = keys(&entity.columns, &[], by, usual_of_model(&entity.model));
            let system = format!("Odoo {} {}", client.identity(), entity.model);
            report.columns += keys.len();
            for (_, field) in keys {
                let domain = Value::Array(entity.domain.clone());
                let tally = odoo::by_field(&client, &entity.model, &domain, &field).await?;
                report.note(&Place { pipeline, system: &system, by: &field }, &tally, |_| None);
            }
        }
        SourceConfig::Zoho(entity) => {
            let target = match &pipeline.sink {
                SinkConfig::Odoo(target) => Some((target, systems.odoo(&target.server).await?)),
                SinkConfig::Json(_) => None,
            };
            from_zoho(systems, pipeline, entity, target.as_ref(), by, report).await?;
        }
    }
    Ok(())
}

async fn from_zoho(
    systems: &Systems,
    pipeline: &Pipeline,
    entity: &ZohoEntity,
    target: Option<&(&OdooTarget, OdooClient)>,
    by: &[String],
    report: &mut Report,
) -> Result<(), Failure> {
    let match_by = target.map_or(&[][..], |(target, _)| &target.match_by);
    let usual: &[&str] = match entity.kind {
        Kind::Items => &["sku"],
        Kind::Contacts => &["email", "contact_name"],
    };
    let keys = keys(&entity.columns, match_by, by, usual);
    report.columns += keys.len();
    if keys.is_empty() {
        return Ok(());
    }
    let source = systems.zoho(&entity.server).await?;
    let tallies = of_zoho(&Source::Zoho(ZohoSource::new(&source, entity)), entity.kind, &keys).await?;
    let system = format!("{} {}", source.identity(), entity.kind.as_str());
    for ((column, _), tally) in keys.iter().zip(tallies) {
        let place = Place { pipeline, system: &system, by: column };
        let Some((target, client)) = target else {
            report.note(&place, &tally, |_| None);
            continue;
        };
        let field = column.split('/').next().unwrap_or(column);
        let kept = odoo::by_field(client, &target.model, &json!([]), field).await?;
        let is_matched = match_by.contains(column);
        report.note(&place, &tally, |value| kept.first(value).filter(|_| is_matched).map(str::to_owned));
        let in_odoo = format!("Odoo {} {}", client.identity(), target.model);
        report.note(&Place { system: &in_odoo, ..place }, &kept, |_| None);
    }
    if let Some((target, client)) = target {
        let bound = odoo::bound_twice(client, target).await?;
        let system = format!("Odoo {} {}", client.identity(), target.model);
        let by = format!("external ids {}.{}_...", target.prefix, target.entity);
        report.note(&Place { pipeline, system: &system, by: &by }, &bound, |_| None);
    }
    Ok(())
}

/// All records of Zoho by each key, in one walk through its list.
async fn of_zoho(source: &Source, kind: Kind, keys: &[(String, String)]) -> Result<Vec<Tally>, Failure> {
    let mut tallies: Vec<Tally> = keys.iter().map(|_| Tally::default()).collect();
    let window = Window { start: None, end: jiff::Timestamp::MAX };
    let mut position = None;
    loop {
        let page = source.page(window, position.as_deref()).await?;
        for row in &page.rows {
            let text = |field: &str| row.values.get(field).and_then(Value::as_str).unwrap_or_default();
            let name = text(if kind == Kind::Items { "name" } else { "contact_name" });
            for ((_, field), tally) in keys.iter().zip(&mut tallies) {
                tally.add(text(field), row.key.as_str(), name)?;
            }
        }
        position = page.next;
        if position.is_none() {
            return Ok(tallies);
        }
    }
}

/// What records are compared by, as the column of the sink and the field of the source: what the command line says, else
/// the configured `match_by`, else what usually tells such records apart.
fn keys(
    columns: &[SourceColumn],
    match_by: &[String],
    by: &[String],
    usual: &[&str],
) -> Vec<(String, String)> {
    let pairs: Vec<(&str, &str)> = columns
        .iter()
        .filter_map(|column| match &column.column.origin {
            Origin::Field { name, .. } => Some((column.column.name.as_str(), name.as_str())),
            _ => None,
        })
        .collect();
    let chosen = if by.is_empty() { match_by } else { by };
    let is_key = |(column, field): &(&str, &str)| {
        if chosen.is_empty() {
            usual.contains(field)
        } else {
            chosen.iter().any(|name| name == column || (!by.is_empty() && name == field))
        }
    };
    let pairs = pairs.into_iter().filter(is_key);
    pairs.map(|(column, field)| (column.to_owned(), field.to_owned())).collect()
}

fn usual_of_model(model: &str) -> &'static [&'static str] {
    match model {
        "product.template" | "product.product" => &["default_code"],
        "res.partner" => &["email", "name"],
        _ => &["name"],
    }
}
