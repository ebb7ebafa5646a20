//! `check`: connection, credentials, rights, fields, folders and state, without changing anything.

use std::sync::Arc;

use std::path::Path;

use serde::Serialize;
use serde_json::json;
use shared::config::{Config, Fleet, OdooEntity, OdooTarget, Pipeline, SinkConfig, SourceConfig};
use shared::failure::{Failure, Reason};
use shared::odoo::OdooClient;
use shared::state::State;

use crate::exit::Exit;
use crate::output::Output;
use crate::state::known_state;
use shared::systems::Systems;

/// A clock that is off by more is worth a word: windows are in the server's time, so it harms nothing but reading logs.
const CLOCK_OFF_SECONDS: i64 = 60;

#[derive(Serialize)]
struct Finding {
    what: String,
    ok: bool,
    says: String,
    #[serde(skip)]
    exit: Exit,
}

/// Collects findings and shows each as it comes.
struct Findings {
    output: Output,
    all: Vec<Finding>,
}

impl Findings {
    fn note(&mut self, what: &str, result: Result<String, Failure>) {
        let (ok, says, exit) = match result {
            Ok(says) => (true, says, Exit::Done),
            Err(failure) => (false, format!("{failure:#}"), Exit::after(&failure)),
        };
        self.output.line(format!("{} {what}: {says}", if ok { "ok    " } else { "FAILED" }));
        self.all.push(Finding { what: what.to_owned(), ok, says, exit });
    }
}

pub(crate) async fn run(config: &Arc<Config>, output: &Output) -> Result<Exit, Failure> {
    let systems = Systems::new(Arc::clone(config));
    // What a check asks Zoho counts like any other call. A state that cannot be opened is a finding of its own.
    let systems = match known_state(config).await {
        Ok(Some(state)) => systems.governed_by(&state),
        Ok(None) | Err(_) => systems,
    };
    let mut findings = Findings { output: *output, all: Vec::new() };
    for name in config.odoo.keys() {
        findings.note(&format!("odoo.{name}"), server(&systems, name).await);
    }
    for name in config.zoho.keys() {
        findings.note(&format!("zoho.{name}"), organization(&systems, name).await);
    }
    for pipeline in &config.pipelines {
        let name = &pipeline.name;
        // What cannot be reached was said above, once.
        match source(&systems, pipeline).await {
            Some(finding) => findings.note(&format!("pipeline.{name} source"), finding),
            None => continue,
        }
        let finding = match &pipeline.sink {
            SinkConfig::Json(file) => folder_of(&file.path),
            SinkConfig::Odoo(target) => odoo_sink(&systems, pipeline, target).await,
        };
        findings.note(&format!("pipeline.{name} sink"), finding);
    }
    match &config.fleet {
        None => findings.note("state", state(&config.state).await),
        Some(fleet) => {
            findings.note("fleet.redis", fleet_state(fleet).await);
            findings.note("fleet.broker", broker(fleet).await);
        }
    }
    output.object(&json!({ "findings": findings.all }));
    Ok(findings.all.iter().map(|finding| finding.exit).max().unwrap_or(Exit::Done))
}

async fn server(systems: &Systems, name: &str) -> Result<String, Failure> {
    let client = systems.odoo(name).await?;
    let mut says = format!("{} answers as Odoo {}, signed in", client.identity(), client.version().text);
    match client.server_clock() {
        None => says.push_str("; it sends no Date header, so this machine's clock will be used for windows"),
        Some(clock) => {
            let off = clock.duration_since(jiff::Timestamp::now()).as_secs();
            if off.abs() > CLOCK_OFF_SECONDS {
                says += &format!("; its clock is {off} s off this machine's (windows use its own)");
            }
        }
    }
    Ok(says)
}

async fn organization(systems: &Systems, name: &str) -> Result<String, Failure> {
    let client = systems.zoho(name).await?;
    Ok(format!("{} gave a token", client.identity()))
}

/// The records may be read, and the fields exist. `None` where the system cannot be reached.
async fn source(systems: &Systems, pipeline: &Pipeline) -> Option<Result<String, Failure>> {
    match &pipeline.source {
        SourceConfig::Odoo(entity) => {
            let client = systems.odoo(&entity.server).await.ok()?;
            Some(odoo_source(&client, entity).await)
        }
        SourceConfig::Zoho(entity) => {
            let client = systems.zoho(&entity.server).await.ok()?;
            Some(producer::source::zoho::check(&client, entity).await)
        }
    }
}

async fn odoo_source(client: &OdooClient, entity: &OdooEntity) -> Result<String, Failure> {
    let checked = producer::source::odoo::check(client, entity).await?;
    let (records, columns) = (checked.records, checked.columns);
    let mut says = format!("{} is readable: {records} records, {columns} columns", entity.model);
    if !checked.left_out.is_empty() {
        says += &format!(" ({} left out: this server has no such field)", checked.left_out.join(", "));
    }
    Ok(says)
}

/// The model may be written, the columns exist and our external ids are nobody else's.
async fn odoo_sink(systems: &Systems, pipeline: &Pipeline, target: &OdooTarget) -> Result<String, Failure> {
    let client = systems.odoo(&target.server).await?;
    let identity = target.identity(&client);
    let sink = worker::open::odoo_sink(pipeline, target, client).await?;
    let records = sink.count().await?;
    Ok(format!("{identity} is writable, {records} records carry our external ids"))
}

/// The folder takes files. It is tried with a file of our own name that is removed at once.
fn folder_of(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    if path.is_dir() {
        return Err(Failure::systemic(Reason::Configuration, format!("{shown} is a folder"))
            .advise("set `file` to a file name"));
    }
    let existing = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    let folder = existing.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".catalog-sync-check-{}", std::process::id()));
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(|error| {
        Failure::systemic(Reason::Configuration, format!("cannot write in the folder {}", folder.display()))
            .advise("give this user the right to write there, or set another folder")
            .because(error)
    })?;
    Ok(if path.exists() {
        format!("{shown} exists, its folder is writable")
    } else {
        format!("{shown} will be made")
    })
}

async fn fleet_state(fleet: &Fleet) -> Result<String, Failure> {
    shared::fleet::open_state(fleet).await?.now().await?;
    Ok(format!("{} answers, signed in", fleet.redis))
}

async fn broker(fleet: &Fleet) -> Result<String, Failure> {
    shared::fleet::knock_at_broker(fleet, "check").await?;
    Ok(format!("{} answers, signed in", fleet.broker))
}

async fn state(path: &Path) -> Result<String, Failure> {
    if !path.exists() {
        return Ok(format!("{} will be made by the first sync", path.display()));
    }
    State::open_file(path).await?;
    Ok(format!("{} is readable", path.display()))
}
