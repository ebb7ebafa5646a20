//! One pipeline of the file, on its way to be checked: which systems it refers to, and how its parts fit together.

mod sink;
mod source;

use std::path::Path;
use std::time::Duration;

use super::check::in_file;
use super::entity::{self, Entity};
use super::file::{self, File, Interval, Span};
use super::pipeline::{Gone, Pipeline, Rhythm, SinkConfig, SourceConfig};
use super::suggest;
use crate::failure::Failure;
use crate::record::PipelineName;

/// The kinds of tables that a pipeline may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Odoo,
    Zoho,
    Json,
}

/// One pipeline of the file, on its way to be checked.
pub(super) struct Draft<'a> {
    pub(super) path: &'a Path,
    pub(super) file: &'a File,
    pub(super) name: &'a str,
    pub(super) keys: &'a file::Pipeline,
}

impl<'a> Draft<'a> {
    fn at(&self, key: &str) -> String {
        format!("pipeline.{}.{key}", self.name)
    }

    pub(super) fn pipeline(&self) -> Result<Pipeline, Failure> {
        let name: PipelineName = self.name.parse().map_err(|error| {
            in_file(self.path, format!("[pipeline.{}]: {error}", self.name)).advise("give it another name")
        })?;
        let (from, server) = self.refer("source", &self.keys.source, &[System::Odoo, System::Zoho])?;
        let (to, target) = self.refer("sink", &self.keys.sink, &[System::Json, System::Odoo])?;
        if from == System::Odoo && to == System::Odoo {
            return Err(in_file(self.path, format!("pipeline '{}' reads Odoo and writes Odoo", self.name))
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
            return Err(in_file(self.path, format!("{} is 0", self.at("every")))
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
        Err(in_file(
            self.path,
            format!("{} is '{reference}', which is no table of this file that fits there", self.at(key)),
        )
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
            return Err(in_file(self.path, format!("{} is '{named}'", self.at("entity"))).advise(advice));
        }
        match (&self.keys.model, entity) {
            (Some(model), Some(entity)) if entity.model != model => Ok(None),
            (_, entity) => Ok(entity),
        }
    }
}
