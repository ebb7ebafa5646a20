//! From the keys of the file to values that are ready to use: references resolved, defaults filled in, contradictions
//! refused.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use super::entity::{self, Entity};
use super::file::{self, File, Interval, Span};
use super::fleet::Fleet;
use super::metrics::Metrics;
use super::notify::Notify;
use super::page::Page;
use super::pipeline::{
    Gone, JsonFile, JsonFormat, OdooEntity, OdooTarget, Pipeline, Rhythm, SinkConfig, SourceConfig, Sweep,
};
use super::system::{OdooServer, ZohoAccount};
use super::{Config, secret, suggest};
use super::{clash, column};
use crate::failure::Failure;
use crate::mapping::{Missing, SourceColumn};
use crate::record::PipelineName;
use crate::zoho::{Api, Kind, ZohoEntity};

/// Who leaves more than this of an organisation's day to others, in percent, has nearly nothing to work with.
const RESERVE_MAX: u8 = 90;

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
        odoo.insert(name.clone(), odoo_server(path, name, server, environment)?);
    }
    let mut zoho = BTreeMap::new();
    for (name, account) in &file.zoho {
        zoho.insert(name.clone(), zoho_account(path, name, account, environment)?);
    }
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for (name, keys) in &file.pipeline {
        let pipeline = Draft { path, file, name, keys }.pipeline()?;
        if let Some(other) = pipelines.iter().find(|other| same_place(&other.sink, &pipeline.sink)) {
            return Err(wrong(
                path,
                format!("pipelines '{}' and '{name}' both write {}", other.name, place(&pipeline.sink)),
            )
            .advise("give each its own `file`, or its own `prefix` and `entity`"));
        }
        if let Some(failure) = pipelines.iter().find_map(|other| clash::between(other, &pipeline)) {
            return Err(wrong(path, failure.0).advise(failure.1));
        }
        pipelines.push(pipeline);
    }
    if pipelines.is_empty() {
        return Err(wrong(path, "it has no pipeline")
            .advise("add a [pipeline.NAME] table; `catalog-sync config example` shows one"));
    }
    let state = folder_of(path).join(file.state.as_deref().unwrap_or(Path::new("catalog-sync.db")));
    let fleet = match &file.fleet {
        Some(keys) => Some(Fleet::check(keys, &|what| wrong(path, what), environment)?),
        None => None,
    };
    let metrics = Metrics::check(&file.metrics, &|what| wrong(path, what), environment)?;
    let page = Page::check(&file.page, &|what| wrong(path, what), environment)?;
    let notify = Notify::check(&file.notify, folder_of(path), &|what| wrong(path, what), environment)?;
    let disable_after = file.schedule.disable_after.unwrap_or(5);
    if disable_after == 0 {
        return Err(wrong(path, "schedule.disable_after is 0").advise("use 1 at least; 5 is usual"));
    }
    let keep_runs = file.schedule.keep_runs.map_or(KEEP_RUNS, |Span(span)| span);
    if keep_runs < KEEP_RUNS_MIN {
        return Err(
            wrong(path, "schedule.keep_runs is less than a day").advise("use \"90d\", or 1d at least")
        );
    }
    Ok(Config { state, fleet, metrics, page, notify, disable_after, keep_runs, odoo, zoho, pipelines })
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::configuration(format!("{}: {what}", path.display()))
}

/// Relative paths are relative to the folder of the file.
fn folder_of(path: &Path) -> &Path {
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

fn odoo_server(
    path: &Path,
    name: &str,
    server: &file::Odoo,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<OdooServer, Failure> {
    if !server.url.starts_with("http://") && !server.url.starts_with("https://") {
        return Err(wrong(path, format!("odoo.{name}.url is '{}'", server.url))
            .advise("start it with https:// (or http:// on a trusted network)"));
    }
    Ok(OdooServer {
        name: name.to_owned(),
        url: server.url.clone(),
        database: server.database.clone(),
        user: server.user.clone(),
        secret: secret::odoo(name, environment)?,
        transport: server.transport.unwrap_or_default(),
        timeout: server.timeout.map(|Span(span)| span),
        limit_time_real: server.limit_time_real.map_or(Duration::from_mins(2), |Span(span)| span),
        context: file::values(&server.context),
    })
}

fn zoho_account(
    path: &Path,
    name: &str,
    account: &file::Zoho,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<ZohoAccount, Failure> {
    if account.reserve_percent.is_some_and(|percent| percent > RESERVE_MAX) {
        return Err(wrong(path, format!("zoho.{name}.reserve_percent is more than {RESERVE_MAX}"))
            .advise("leave it out: 5 is usual"));
    }
    Ok(ZohoAccount {
        name: name.to_owned(),
        data_center: account.data_center,
        organization_id: account.organization_id.clone(),
        secret: secret::zoho(name, &account.client_id, environment)?,
        accounts_url: account.accounts_url.clone(),
        api_url: account.api_url.clone(),
        calls_per_minute: account.calls_per_minute,
        concurrent_calls: account.concurrent_calls,
        reserve_percent: account.reserve_percent,
        redirect_hosts: account.redirect_hosts.clone(),
        private_hosts: account.private_hosts.clone(),
    })
}

/// The kinds of tables that a pipeline may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Odoo,
    Zoho,
    Json,
}

/// One pipeline of the file, on its way to be checked.
struct Draft<'a> {
    path: &'a Path,
    file: &'a File,
    name: &'a str,
    keys: &'a file::Pipeline,
}

impl<'a> Draft<'a> {
    fn wrong(&self, what: impl std::fmt::Display) -> Failure {
        wrong(self.path, what)
    }

    fn at(&self, key: &str) -> String {
        format!("pipeline.{}.{key}", self.name)
    }

    fn pipeline(&self) -> Result<Pipeline, Failure> {
        let name: PipelineName = self.name.parse().map_err(|error| {
            self.wrong(format!("[pipeline.{}]: {error}", self.name)).advise("give it another name")
        })?;
        let (from, server) = self.refer("source", &self.keys.source, &[System::Odoo, System::Zoho])?;
        let (to, target) = self.refer("sink", &self.keys.sink, &[System::Json, System::Odoo])?;
        if from == System::Odoo && to == System::Odoo {
            return Err(self
                .wrong(format!("pipeline '{}' reads Odoo and writes Odoo", self.name))
                .advise("Odoo is written from Zoho; from Odoo, write JSON files"));
        }
        let entity = self.entity(from)?;
        let columns = self.columns(entity, to)?;
        let source = match from {
            System::Zoho => SourceConfig::Zoho(self.zoho_entity(server, entity, columns)?),
            System::Odoo | System::Json => SourceConfig::Odoo(self.odoo_entity(server, entity, columns)?),
        };
        let sink = match to {
            System::Odoo => SinkConfig::Odoo(self.odoo_target(target, entity)?),
            System::Json | System::Zoho => SinkConfig::Json(self.json_file(target, entity)?),
        };
        let every = self.keys.every.map_or(Duration::from_mins(15), |Span(span)| span);
        if every < Duration::from_secs(1) {
            return Err(self
                .wrong(format!("{} is 0", self.at("every")))
                .advise("use \"15m\", or 1s at least"));
        }
        let sweep = self.sweep(to, &source)?;
        let of = |interval: Option<Interval>, usual| interval.map_or(usual, |Interval(interval)| interval);
        let rhythm = Rhythm {
            every,
            compare_every: of(self.keys.compare_every, Some(Duration::from_hours(24))),
            full_every: of(self.keys.full_every, None),
            // Where what is gone is kept, there is no need to look for it.
            sweep_every: of(
                self.keys.sweep_every,
                Some(Duration::from_hours(7 * 24)).filter(|_| sweep.gone != Gone::Keep),
            ),
        };
        Ok(Pipeline { name, source, sink, rhythm, sweep })
    }

    fn sweep(&self, to: System, source: &SourceConfig) -> Result<Sweep, Failure> {
        let (usual, fitting): (_, &[Gone]) = match to {
            System::Odoo => (Gone::Archive, &[Gone::Archive, Gone::Keep]),
            System::Json | System::Zoho => (Gone::Keep, &[Gone::Keep, Gone::Mark, Gone::Remove]),
        };
        let gone = self.keys.gone.unwrap_or(usual);
        if !fitting.contains(&gone) {
            let advice = match to {
                System::Odoo => "use \"archive\" or \"keep\": nothing is ever deleted in Odoo",
                System::Json | System::Zoho => "use \"keep\", \"mark\" or \"remove\"",
            };
            return Err(self.wrong(format!("{} does not fit its sink", self.at("gone"))).advise(advice));
        }
        let at_most_percent = self.keys.gone_at_most_percent.unwrap_or(10);
        if at_most_percent > 100 {
            return Err(self
                .wrong(format!("{} is {at_most_percent}", self.at("gone_at_most_percent")))
                .advise("use 0 to 100; 10 is usual"));
        }
        let left_is_gone = self.keys.left_is_gone.unwrap_or(false);
        if left_is_gone && !source.is_selection() {
            return Err(self
                .wrong(format!("{} is set, but the pipeline reads all records", self.at("left_is_gone")))
                .advise("take it out, or set a `domain` (Odoo) or a `contact_type` (Zoho)"));
        }
        Ok(Sweep { gone, at_most_percent, left_is_gone })
    }

    /// Resolves "odoo.erp" to the table of that name.
    fn refer(&self, key: &str, reference: &'a str, allowed: &[System]) -> Result<(System, &'a str), Failure> {
        let known = |system: &System| -> Vec<String> {
            match system {
                System::Odoo => self.file.odoo.keys().map(|name| format!("odoo.{name}")).collect(),
                System::Zoho => self.file.zoho.keys().map(|name| format!("zoho.{name}")).collect(),
                System::Json => self.file.json.keys().map(|name| format!("json.{name}")).collect(),
            }
        };
        let found = allowed.iter().find(|system| known(system).iter().any(|name| name == reference));
        if let (Some(system), Some((_, name))) = (found, reference.split_once('.')) {
            return Ok((*system, name));
        }
        let all: Vec<String> = allowed.iter().flat_map(known).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let advice = match all.as_slice() {
            [] => "add the table of the system first; `catalog-sync config example` shows them".to_owned(),
            all => suggest(reference, all),
        };
        Err(self
            .wrong(format!(
                "{} is '{reference}', which is no table of this file that fits there",
                self.at(key)
            ))
            .advise(advice))
    }

    /// The entity that is named, or that is called like the pipeline.
    fn entity(&self, from: System) -> Result<Option<&'static Entity>, Failure> {
        let of = if from == System::Zoho { entity::ZOHO } else { entity::ODOO };
        let named = self.keys.entity.as_deref();
        let entity = of.iter().find(|entity| entity.name == named.unwrap_or(self.name));
        if let (Some(named), None) = (named, entity) {
            let names: Vec<&str> = of.iter().map(|entity| entity.name).collect();
            let advice = match from {
                System::Zoho => suggest(named, &names),
                _ => format!("{}; or set `model` and `fields`", suggest(named, &names)),
            };
            return Err(self.wrong(format!("{} is '{named}'", self.at("entity"))).advise(advice));
        }
        match (&self.keys.model, entity) {
            (Some(model), Some(entity)) if entity.model != model => Ok(None),
            (_, entity) => Ok(entity),
        }
    }

    fn columns(&self, entity: Option<&Entity>, to: System) -> Result<Vec<SourceColumn>, Failure> {
        let mut columns = Vec::new();
        if let Some(mapping) = &self.keys.mapping {
            if !self.keys.fields.is_empty() {
                return Err(self
                    .wrong(format!("pipeline '{}' has both `fields` and `mapping`", self.name))
                    .advise("keep one: `fields` keeps the source's names, `mapping` renames"));
            }
            for (name, value) in mapping {
                let at = self.at(&format!("mapping.{name}"));
                columns.push(column::column(name, value).map_err(|what| {
                    self.wrong(format!("{at} {what}")).advise("docs/mapping.md says what a column may hold")
                })?);
            }
        } else if !self.keys.fields.is_empty() {
            columns.extend(self.keys.fields.iter().map(|field| SourceColumn::kept(field)));
        } else if let Some(entity) = entity {
            columns = entity.columns(to == System::Odoo);
        }
        if columns.is_empty() {
            return Err(self
                .wrong(format!("pipeline '{}' does not say which fields it reads", self.name))
                .advise("set `fields = [\"name\", ...]` or a `mapping`"));
        }
        if to == System::Json {
            if let Some(column) = columns.iter().find(|column| column.missing != Missing::Fail) {
                let at = self.at(&format!("mapping.{}", column.column.name));
                return Err(self
                    .wrong(format!("{at} has `missing`, but a file refers to no records"))
                    .advise("take it out"));
            }
            columns.retain(|column| column.column.name != "id");
            let id = entity.map_or("id", |entity| entity.id_field);
            columns.insert(0, SourceColumn::renamed("id", id));
        }
        let mut seen = HashSet::new();
        match columns.iter().find(|column| !seen.insert(column.column.name.clone())) {
            Some(twice) => Err(self
                .wrong(format!("pipeline '{}' names '{}' twice", self.name, twice.column.name))
                .advise("keep one of them")),
            None => Ok(columns),
        }
    }

    fn page_size(&self, usual: usize, most: usize) -> Result<usize, Failure> {
        let page_size = self.keys.page_size.unwrap_or(usual);
        if (1..=most).contains(&page_size) {
            return Ok(page_size);
        }
        Err(self.wrong(format!("{} is {page_size}", self.at("page_size"))).advise(format!("use 1 to {most}")))
    }

    fn overlap(&self) -> Duration {
        self.keys.overlap.map_or(Duration::from_mins(15), |Span(span)| span)
    }

    fn odoo_entity(
        &self,
        server: &str,
        entity: Option<&Entity>,
        columns: Vec<SourceColumn>,
    ) -> Result<OdooEntity, Failure> {
        let model = self.keys.model.clone().or_else(|| entity.map(|entity| entity.model.to_owned()));
        let model = model.ok_or_else(|| {
            self.wrong(format!("pipeline '{}' does not say what it reads", self.name))
                .advise("set `entity = \"customers\"` or `\"products\"`, or `model` and `fields`")
        })?;
        Ok(OdooEntity {
            server: server.to_owned(),
            model,
            columns,
            domain: self.keys.domain.iter().cloned().map(file::json).collect(),
            overlap: self.overlap(),
            page_size: self.page_size(500, 5_000)?,
        })
    }

    fn zoho_entity(
        &self,
        server: &str,
        entity: Option<&Entity>,
        columns: Vec<SourceColumn>,
    ) -> Result<ZohoEntity, Failure> {
        let kind = match entity.map(|entity| entity.name) {
            Some("items") => Kind::Items,
            Some("contacts") => Kind::Contacts,
            _ => {
                return Err(self
                    .wrong(format!("pipeline '{}' does not say what it reads", self.name))
                    .advise("set `entity = \"items\"` or `\"contacts\"`"));
            }
        };
        if kind == Kind::Items && self.keys.contact_type.is_some() {
            return Err(self
                .wrong(format!("{} is set, but items have none", self.at("contact_type")))
                .advise("take it out, or set `entity = \"contacts\"`"));
        }
        Ok(ZohoEntity {
            contact_type: self.keys.contact_type,
            server: server.to_owned(),
            api: self.file.zoho.get(server).and_then(|account| account.api).unwrap_or(Api::Inventory),
            kind,
            columns,
            overlap: self.overlap(),
            page_size: self.page_size(200, 200)?,
        })
    }

    fn json_file(&self, target: &str, entity: Option<&Entity>) -> Result<JsonFile, Failure> {
        let table = self.file.json.get(target).ok_or_else(|| {
            self.wrong(format!("there is no [json.{target}]"))
                .advise("add that table; `catalog-sync config example` shows one")
        })?;
        let file = self.keys.file.clone().or_else(|| entity.map(|entity| entity.file.into()));
        let file = file.unwrap_or_else(|| format!("{}.json", self.name).into());
        Ok(JsonFile {
            path: folder_of(self.path).join(&table.folder).join(file),
            format: self.keys.format.or(table.format).unwrap_or(JsonFormat::Json),
        })
    }

    fn odoo_target(&self, target: &str, entity: Option<&Entity>) -> Result<OdooTarget, Failure> {
        let model =
            self.keys.target.clone().or_else(|| entity.and_then(|entity| entity.target).map(str::to_owned));
        let model = model.ok_or_else(|| {
            self.wrong(format!("pipeline '{}' does not say which Odoo model it writes", self.name))
                .advise("set `target = \"product.product\"`")
        })?;
        let products = model == "product.product";
        Ok(OdooTarget {
            server: target.to_owned(),
            prefix: self.keys.prefix.clone().unwrap_or_else(|| "zoho".to_owned()),
            entity: self
                .keys
                .record
                .clone()
                .unwrap_or_else(|| entity.map_or(self.name, |entity| entity.record).to_owned()),
            match_by: self.keys.match_by.clone(),
            context: file::values(&self.keys.context),
            storable: products && self.keys.storable.unwrap_or(self.keys.mapping.is_none()),
            images: products && self.keys.images.unwrap_or(true),
            image_quality: self.image_quality()?,
            image_removed: self.keys.image_removed.unwrap_or_default(),
            model,
        })
    }

    fn image_quality(&self) -> Result<u8, Failure> {
        match self.keys.image_quality {
            None => Ok(90),
            Some(quality @ 1..=100) => Ok(quality),
            Some(other) => Err(self
                .wrong(format!("pipeline '{}': image_quality is {other}", self.name))
                .advise("choose 1 to 100; 90 is usual")),
        }
    }
}
