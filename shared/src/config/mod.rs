//! The configuration: one TOML file for what is synced, the environment for secrets.
//!
//! It is read in two steps: `file` knows the keys of the file and nothing else; `check` (by `draft` for each pipeline)
//! turns them into values that are ready to use and sees how they relate.

mod check;
mod clash;
mod column;
mod draft;
mod entity;
mod file;
mod fleet;
mod listen;
mod metrics;
mod notify;
mod page;
mod pipeline;
#[cfg(test)]
mod reference;
mod secret;
mod system;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::Failure;

pub use entity::EXAMPLE;
pub use file::interval;
pub use fleet::Fleet;
pub use metrics::Metrics;
pub use notify::{LogFile, Notify, Webhook};
pub use page::Page;
pub use pipeline::{
    Gone, ImageRemoved, JsonFile, JsonFormat, OdooEntity, OdooTarget, Pipeline, Rhythm, SinkConfig,
    SourceConfig, Sweep,
};
pub use system::{OdooServer, ZohoAccount};

/// Everything that the file says, checked.
#[derive(Debug)]
pub struct Config {
    /// The state file, and the place beside which images are kept.
    pub state: PathBuf,
    /// Where many processes work together; `None`: on one machine.
    pub fleet: Option<Fleet>,
    /// What is told to Prometheus, and where.
    pub metrics: Metrics,
    /// Where operators look and switch.
    pub page: Page,
    /// Who is told when something is wrong.
    pub notify: Notify,
    /// A schedule disables itself after so many failed runs in a row.
    pub disable_after: u32,
    /// The history tells of runs that began within this time.
    pub keep_runs: Duration,
    /// Odoo servers by name.
    pub odoo: BTreeMap<String, OdooServer>,
    /// Zoho organisations by name.
    pub zoho: BTreeMap<String, ZohoAccount>,
    /// The pipelines, in the order of the file.
    pub pipelines: Vec<Pipeline>,
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
        Self::of_text(&text, path, environment)
    }

    /// The file's text; `path` is where it stands, which relative paths in it start from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_text(
        text: &str,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let file = file::parse(text, path)?;
        check::config(&file, path, environment)
    }

    /// The fleet's two services.
    ///
    /// # Errors
    /// The configuration is for one machine.
    pub fn fleet(&self) -> Result<&Fleet, Failure> {
        self.fleet.as_ref().ok_or_else(|| {
            Failure::configuration("the configuration has no [fleet]: it is for one machine")
                .advise("add `broker` and `redis` to a [fleet] table, or use `catalog-sync sync`")
        })
    }

    /// The pipelines of these names, or all where none is given.
    ///
    /// # Errors
    /// An unknown name, with the one that was perhaps meant.
    pub fn choose(&self, names: &[String]) -> Result<Vec<&Pipeline>, Failure> {
        if names.is_empty() {
            return Ok(self.pipelines.iter().collect());
        }
        let known: Vec<&str> = self.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        let find = |name: &String| {
            self.pipelines.iter().find(|pipeline| pipeline.name.as_str() == name).ok_or_else(|| {
                Failure::configuration(format!("there is no pipeline '{name}'")).advise(suggest(name, &known))
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

#[cfg(test)]
mod tests;
