//! The configuration: one TOML file for what is synced, the environment for secrets.
//!
//! It is read in two steps: `file` knows the keys of the file and nothing else; this module turns them into values that
//! are ready to use and checks how they relate.

mod entity;
mod file;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::mapping::{Column, Origin};
use crate::odoo::{OdooConfig, OdooSecret, Transport};
use crate::record::{PipelineName, Values};

pub use entity::EXAMPLE;

/// Everything that the file says, checked.
#[derive(Debug)]
pub struct Config {
    /// The state file.
    pub state: PathBuf,
    /// Odoo servers by name.
    pub odoo: BTreeMap<String, OdooServer>,
    /// The pipelines, by name.
    pub pipelines: Vec<Pipeline>,
}

/// An Odoo server and how to sign in.
#[derive(Debug, Clone)]
pub struct OdooServer {
    /// Name of its table.
    pub name: String,
    /// Base address.
    pub url: String,
    /// Database name.
    pub database: String,
    /// Login; not needed with an API key over JSON-2.
    pub user: Option<String>,
    /// Password or API key, where one is set.
    pub secret: Option<OdooSecret>,
    /// Which API is used.
    pub transport: Transport,
    /// Bound of one call.
    pub timeout: Option<Duration>,
    /// Sent with each call (`lang`, `allowed_company_ids`, ...).
    pub context: Values,
}

impl OdooServer {
    /// What the client needs.
    ///
    /// # Errors
    /// `Reason::Configuration` where no secret is set, naming the variables.
    pub fn connection(&self) -> Result<OdooConfig, Failure> {
        let secret = self.secret.clone().ok_or_else(|| {
            Failure::configuration(format!("no password or API key is set for [odoo.{}]", self.name)).advise(
                format!("set {} in the environment", secret::variables(&self.name)),
            )
        })?;
        let mut config = OdooConfig::new(&self.url, &self.database, secret);
        config.user.clone_from(&self.user);
        config.transport = self.transport;
        config.timeout = self.timeout.unwrap_or(config.timeout);
        config.context.clone_from(&self.context);
        Ok(config)
    }
}

/// A named (source entity -> sink entity) pair with a mapping.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: PipelineName,
    /// Where its records come from.
    pub source: OdooEntity,
    /// Where they go.
    pub sink: JsonFile,
}

/// Records of one Odoo model.
#[derive(Debug, Clone, PartialEq)]
pub struct OdooEntity {
    /// Name of the server in [`Config::odoo`].
    pub server: String,
    /// The model.
    pub model: String,
    /// What is read and what it becomes.
    pub columns: Vec<OdooColumn>,
    /// Restricts the records, an Odoo domain.
    pub domain: Vec<Value>,
    /// How far a window reaches back behind the cursor.
    pub overlap: Duration,
    /// Rows in one call.
    pub page_size: usize,
}

/// A sink column and whether its source field may be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct OdooColumn {
    /// The column.
    pub column: Column,
    /// Left out where the server's version has no such field.
    pub optional: bool,
}

/// A JSON file and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonFile {
    /// The visible file.
    pub path: PathBuf,
    /// How records are laid out in it.
    pub format: JsonFormat,
}

/// How records are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonFormat {
    /// One JSON array.
    Json,
    /// One record a line.
    Jsonl,
}

impl Config {
    /// Reads and checks a file; secrets come from the environment of this process.
    ///
    /// # Errors
    /// `Reason::Configuration` with file, line and key, and what to write instead.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        Self::load_with(path, &|name| std::env::var(name).ok())
    }

    /// Like [`Config::load`], with the environment given: `environment(name)` is a variable's value.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_with(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let failure = Failure::configuration(format!("cannot read the configuration {}", path.display()));
            match error.kind() {
                std::io::ErrorKind::NotFound => failure.advise(
                    "write one with `catalog-sync config example > catalog-sync.toml`, or name yours with --config",
                ),
                _ => failure.advise("check the path and its permissions"),
            }
            .because(error)
        })?;
        let file = file::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Checker {
            path,
            folder,
            environment,
        }
        .check(file)
    }

    /// The pipelines of these names, or all where none is given.
    ///
    /// # Errors
    /// An unknown name, with the one that was perhaps meant.
    pub fn choose(&self, names: &[String]) -> Result<Vec<&Pipeline>, Failure> {
        if names.is_empty() {
            return Ok(self.pipelines.iter().collect());
        }
        let known: Vec<&str> = self
            .pipelines
            .iter()
            .map(|pipeline| pipeline.name.as_str())
            .collect();
        let find = |name: &String| {
            self.pipelines
                .iter()
                .find(|pipeline| pipeline.name.as_str() == name)
                .ok_or_else(|| {
                    Failure::configuration(format!("there is no pipeline '{name}'"))
                        .advise(suggest(name, &known))
                })
        };
        names.iter().map(find).collect()
    }
}

/// "did you mean 'x'?" where a known name is near, else the list of them.
pub fn suggest(name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, candidate)) => format!("did you mean '{candidate}'?"),
        None if known.is_empty() => "none is known".to_owned(),
        None => format!("known are: {}", known.join(", ")),
    }
}

struct Checker<'a> {
    path: &'a Path,
    folder: &'a Path,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Checker<'_> {
    fn wrong(&self, what: impl std::fmt::Display) -> Failure {
        Failure::configuration(format!("{}: {what}", self.path.display()))
    }

    fn check(&self, file: file::File) -> Result<Config, Failure> {
        let mut odoo = BTreeMap::new();
        for (name, server) in file.odoo {
            odoo.insert(name.clone(), self.odoo_server(&name, server)?);
        }
        let mut pipelines: Vec<Pipeline> = Vec::new();
        for (name, pipeline) in file.pipeline {
            let pipeline = self.pipeline(&name, pipeline, &odoo, &file.json)?;
            if let Some(other) = pipelines
                .iter()
                .find(|other| other.sink.path == pipeline.sink.path)
            {
                return Err(self
                    .wrong(format!(
                        "pipelines '{}' and '{name}' both write {}",
                        other.name,
                        pipeline.sink.path.display()
                    ))
                    .advise("give each its own `file`"));
            }
            pipelines.push(pipeline);
        }
        if pipelines.is_empty() {
            return Err(self
                .wrong("it has no pipeline")
                .advise("add a [pipeline.NAME] table; `catalog-sync config example` shows one"));
        }
        let state = self
            .folder
            .join(file.state.unwrap_or_else(|| "catalog-sync.db".into()));
        Ok(Config {
            state,
            odoo,
            pipelines,
        })
    }

    fn odoo_server(&self, name: &str, server: file::Odoo) -> Result<OdooServer, Failure> {
        if !server.url.starts_with("http://") && !server.url.starts_with("https://") {
            return Err(self
                .wrong(format!("odoo.{name}.url is '{}'", server.url))
                .advise("start it with https:// (or http:// on a trusted network)"));
        }
        Ok(OdooServer {
            name: name.to_owned(),
            url: server.url,
            database: server.database,
            user: server.user,
            secret: secret::odoo(name, self.environment)?,
            transport: server.transport.unwrap_or_default(),
            timeout: server.timeout.map(|file::Span(span)| span),
            context: server
                .context
                .into_iter()
                .map(|(key, value)| (key, file::json(value)))
                .collect(),
        })
    }

    fn pipeline(
        &self,
        name: &str,
        pipeline: file::Pipeline,
        odoo: &BTreeMap<String, OdooServer>,
        json: &BTreeMap<String, file::Json>,
    ) -> Result<Pipeline, Failure> {
        let at = |key: &str| format!("pipeline.{name}.{key}");
        let parsed: PipelineName = name
            .parse()
            .map_err(|error| self.wrong(format!("[pipeline.{name}]: {error}")))?;
        let server = self
            .endpoint(&at("source"), &pipeline.source, "odoo", odoo)?
            .0
            .to_owned();
        let (_, folder) = self.endpoint(&at("sink"), &pipeline.sink, "json", json)?;
        let default = entity::find(pipeline.entity.as_deref().unwrap_or(name));
        if let (Some(entity), None) = (&pipeline.entity, default) {
            return Err(self
                .wrong(format!("{} is '{entity}'", at("entity")))
                .advise(format!(
                    "{}; or set `model` and `fields`",
                    suggest(entity, &entity::names())
                )));
        }
        let model = pipeline
            .model
            .clone()
            .or_else(|| default.map(|entity| entity.model.to_owned()));
        let model = model.ok_or_else(|| {
            self.wrong(format!("pipeline '{name}' does not say what it reads"))
                .advise("set `entity = \"customers\"` or `\"products\"`, or `model` and `fields`")
        })?;
        let default = default.filter(|entity| entity.model == model);
        let columns = self.columns(name, &pipeline, default)?;
        let file = pipeline.file.or_else(|| default.map(|entity| entity.file.into()));
        let file = file.unwrap_or_else(|| format!("odoo_{name}.json").into());
        let page_size = pipeline.page_size.unwrap_or(500);
        if !(1..=5_000).contains(&page_size) {
            return Err(self
                .wrong(format!("{} is {page_size}", at("page_size")))
                .advise("use 1 to 5000"));
        }
        Ok(Pipeline {
            name: parsed,
            source: OdooEntity {
                server,
                model,
                columns,
                domain: pipeline.domain.into_iter().map(file::json).collect(),
                overlap: pipeline
                    .overlap
                    .map_or(Duration::from_mins(15), |file::Span(span)| span),
                page_size,
            },
            sink: JsonFile {
                path: self.folder.join(&folder.folder).join(file),
                format: pipeline.format.or(folder.format).unwrap_or(JsonFormat::Json),
            },
        })
    }

    /// Resolves "odoo.erp" to the table of that name.
    fn endpoint<'t, T>(
        &self,
        at: &str,
        reference: &str,
        kind: &str,
        tables: &'t BTreeMap<String, T>,
    ) -> Result<(&'t str, &'t T), Failure> {
        let known: Vec<String> = tables.keys().map(|name| format!("{kind}.{name}")).collect();
        let found = reference.split_once('.').filter(|(prefix, _)| *prefix == kind);
        found
            .and_then(|(_, name)| tables.get_key_value(name))
            .map(|(name, table)| (name.as_str(), table))
            .ok_or_else(|| {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let advice = match known.as_slice() {
                    [] => format!("add a [{kind}.NAME] table and write \"{kind}.NAME\" here"),
                    known => suggest(reference, known),
                };
                self.wrong(format!(
                    "{at} is '{reference}', which is no [{kind}.NAME] table of this file"
                ))
                .advise(advice)
            })
    }

    fn columns(
        &self,
        name: &str,
        pipeline: &file::Pipeline,
        default: Option<&'static entity::Entity>,
    ) -> Result<Vec<OdooColumn>, Failure> {
        let mut columns = vec![field_column("id")];
        if let Some(mapping) = &pipeline.mapping {
            if !pipeline.fields.is_empty() {
                return Err(self
                    .wrong(format!("pipeline '{name}' has both `fields` and `mapping`"))
                    .advise("keep one: `fields` keeps Odoo's names, `mapping` renames"));
            }
            for (column, value) in mapping {
                let at = format!("pipeline.{name}.mapping.{column}");
                columns.push(file::column(column, value).map_err(|what| self.wrong(format!("{at} {what}")))?);
            }
        } else if pipeline.fields.is_empty() {
            let default = default.ok_or_else(|| {
                self.wrong(format!("pipeline '{name}' does not say which fields it reads"))
                    .advise("set `fields = [\"name\", ...]`")
            })?;
            columns.extend(default.fields.iter().map(|field| field_column(field)));
        } else {
            columns.extend(pipeline.fields.iter().map(|field| field_column(field)));
        }
        let mut seen = std::collections::HashSet::new();
        columns
            .retain(|column| column.column.name != "id" || seen.is_empty() && seen.insert("id".to_owned()));
        seen.clear();
        match columns
            .iter()
            .find(|column| !seen.insert(column.column.name.clone()))
        {
            Some(twice) => Err(self.wrong(format!("pipeline '{name}' names '{}' twice", twice.column.name))),
            None => Ok(columns),
        }
    }
}

/// A field kept under its own name; `field?` is left out where the server has none of that name.
fn field_column(field: &str) -> OdooColumn {
    let (name, optional) = match field.strip_suffix('?') {
        Some(name) => (name, true),
        None => (field, false),
    };
    let origin = Origin::field(name);
    OdooColumn {
        column: Column {
            name: name.to_owned(),
            origin,
        },
        optional,
    }
}

#[cfg(test)]
mod tests;
