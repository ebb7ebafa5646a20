//! From the keys of the file to values that are ready to use: defaults filled in, contradictions refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::draft::Draft;
use super::file::{File, Span};
use super::fleet::Fleet;
use super::metrics::Metrics;
use super::notify::Notify;
use super::page::Page;
use super::pipeline::{Pipeline, SinkConfig};
use super::system::{OdooServer, ZohoAccount};
use super::{Config, clash};
use crate::failure::Failure;

/// Runs are shown for so long where nothing else is said.
const KEEP_RUNS: Duration = Duration::from_hours(90 * 24);

/// Who looks in the morning wants to see the night.
const KEEP_RUNS_MIN: Duration = Duration::from_hours(24);

/// Checks a file that was read from `path`.
pub(super) fn config(
    file: &File,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Failure> {
    let mut odoo = BTreeMap::new();
    for (name, server) in &file.odoo {
        odoo.insert(name.clone(), OdooServer::check(name, server, path, environment)?);
    }
    let mut zoho = BTreeMap::new();
    for (name, account) in &file.zoho {
        zoho.insert(name.clone(), ZohoAccount::check(name, account, path, environment)?);
    }
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for (name, keys) in &file.pipeline {
        let pipeline = Draft { path, file, name, keys }.pipeline()?;
        if let Some(other) = pipelines.iter().find(|other| same_place(&other.sink, &pipeline.sink)) {
            return Err(in_file(
                path,
                format!("pipelines '{}' and '{name}' both write {}", other.name, place(&pipeline.sink)),
            )
            .advise("give each its own `file`, or its own `prefix` and `entity`"));
        }
        if let Some(failure) = pipelines.iter().find_map(|other| clash::between(other, &pipeline)) {
            return Err(in_file(path, failure.0).advise(failure.1));
        }
        pipelines.push(pipeline);
    }
    if pipelines.is_empty() {
        return Err(in_file(path, "it has no pipeline")
            .advise("add a [pipeline.NAME] table; `catalog-sync config example` shows one"));
    }
    let state = folder_of(path).join(file.state.as_deref().unwrap_or(Path::new("catalog-sync.db")));
    let fleet = match &file.fleet {
        Some(keys) => Some(Fleet::check(keys, path, environment)?),
        None => None,
    };
    let metrics = Metrics::check(&file.metrics, path, environment)?;
    let page = Page::check(&file.page, path, environment)?;
    let notify = Notify::check(&file.notify, path, environment)?;
    let disable_after = file.schedule.disable_after.unwrap_or(5);
    if disable_after == 0 {
        return Err(in_file(path, "schedule.disable_after is 0").advise("use 1 at least; 5 is usual"));
    }
    let keep_runs = file.schedule.keep_runs.map_or(KEEP_RUNS, |Span(span)| span);
    if keep_runs < KEEP_RUNS_MIN {
        return Err(
            in_file(path, "schedule.keep_runs is less than a day").advise("use \"90d\", or 1d at least")
        );
    }
    Ok(Config { state, fleet, metrics, page, notify, disable_after, keep_runs, odoo, zoho, pipelines })
}

/// Something is wrong with the file, or with what it says.
pub(super) fn in_file(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::configuration(format!("{}: {what}", path.display()))
}

/// Relative paths are relative to the folder of the file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn same_place(a: &SinkConfig, b: &SinkConfig) -> bool {
    match (a, b) {
        (SinkConfig::Json(a), SinkConfig::Json(b)) => a.path == b.path,
        (SinkConfig::Odoo(a), SinkConfig::Odoo(b)) => {
            (&a.server, &a.prefix, &a.entity) == (&b.server, &b.prefix, &b.entity)
        }
        _ => false,
    }
}

fn place(sink: &SinkConfig) -> String {
    match sink {
        SinkConfig::Json(file) => file.path.display().to_string(),
        SinkConfig::Odoo(target) => {
            format!("external ids {}.{}_... in odoo.{}", target.prefix, target.entity, target.server)
        }
    }
}
