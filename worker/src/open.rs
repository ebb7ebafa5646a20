//! Opening what a pipeline writes.

use std::path::PathBuf;

use shared::config::{JsonFile, JsonFormat, OdooTarget, Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::mapping::Missing;
use shared::odoo::OdooClient;
use shared::systems::Systems;

use crate::sink::json::last_sync::LastSync;
use crate::sink::json::{self, Found, JsonSettings, JsonSink, JsonView};
use crate::sink::odoo::{OdooSink, OdooSinkSettings};
use crate::sink::{JsonWriter, Sink, SinkView};

/// A sink, ready to be written.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub sink: Sink,
    /// Names it in the state.
    pub identity: String,
    /// Where the time of the last sync is shown beside a file.
    pub marker: Option<LastSync>,
    /// What a person should know of the file that was found, in words.
    pub notice: Option<String>,
}

/// Opens the sink of a pipeline.
///
/// # Errors
/// Why Odoo cannot be reached or lacks a field; why a file cannot be written, or who else has it open.
pub async fn sink(pipeline: &Pipeline, systems: &Systems) -> Result<Opened, Failure> {
    match &pipeline.sink {
        SinkConfig::Json(file) => open_json(pipeline, file),
        SinkConfig::Odoo(target) => {
            let client = systems.odoo(&target.server).await?;
            let identity = target.identity(&client);
            let limit = systems.config().odoo.get(&target.server).map(|server| server.limit_time_real);
            let mut sink = odoo_sink(pipeline, target, client).await?;
            if let Some(limit) = limit {
                // Odoo looks at its limit now and then, and a proxy before it may hold a call back.
                sink.set_late(limit + limit / 4);
            }
            Ok(Opened { sink: Sink::Odoo(Box::new(sink)), identity, marker: None, notice: None })
        }
    }
}

/// A sink, ready to be looked at.
#[derive(Debug)]
pub struct Viewed {
    /// It.
    pub view: SinkView,
    /// Names it in the state; `None`: a file that is not as it was left, which the next sync gives a new name.
    pub identity: Option<String>,
    /// As in [`Opened`].
    pub marker: Option<LastSync>,
    /// As in [`Opened`]: what a sync would do with the file that was found.
    pub notice: Option<String>,
}

/// Opens the sink of a pipeline for looking: nothing is written or created, and nobody is kept from writing it.
///
/// # Errors
/// As [`sink`].
pub async fn view(pipeline: &Pipeline, systems: &Systems) -> Result<Viewed, Failure> {
    match &pipeline.sink {
        SinkConfig::Json(file) => {
            let view = tokio::task::block_in_place(|| JsonView::open(&json_settings(file)))?;
            let identity = view.identity().map(str::to_owned);
            let path = file.path.display();
            let notice = view.broken().map(|why| format!("{}: {path} is broken ({why})", pipeline.name));
            let marker = Some(LastSync::new(marker_of(file)));
            Ok(Viewed { view: SinkView::Json(Box::new(view)), identity, marker, notice })
        }
        SinkConfig::Odoo(target) => {
            let client = systems.odoo(&target.server).await?;
            let identity = Some(target.identity(&client));
            let sink = odoo_sink(pipeline, target, client).await?;
            Ok(Viewed { view: SinkView::Odoo(Box::new(sink)), identity, marker: None, notice: None })
        }
    }
}

/// The Odoo sink of a pipeline.
///
/// # Errors
/// As [`sink`].
pub async fn odoo_sink(
    pipeline: &Pipeline,
    target: &OdooTarget,
    client: OdooClient,
) -> Result<OdooSink, Failure> {
    let columns = match target.completed(&pipeline.source, client.version().major) {
        SourceConfig::Odoo(entity) => entity.columns,
        SourceConfig::Zoho(entity) => entity.columns,
    };
    let missing = columns.iter().filter(|column| column.missing != Missing::Fail);
    let missing = missing.map(|column| (column.column.name.clone(), column.missing)).collect();
    let columns: Vec<String> = columns.into_iter().map(|column| column.column.name).collect();
    let settings = OdooSinkSettings {
        missing,
        match_by: target.match_by.clone(),
        context: target.context.clone(),
        ..OdooSinkSettings::new(&target.model, &target.prefix, &target.entity)
    };
    OdooSink::open(client, settings, &columns).await
}

fn open_json(pipeline: &Pipeline, file: &JsonFile) -> Result<Opened, Failure> {
    let settings = json_settings(file);
    let (sink, found) = tokio::task::block_in_place(|| JsonSink::open(settings.clone()))?;
    let (name, path) = (&pipeline.name, file.path.display());
    let notice = match found {
        Found::Nothing | Found::Ours => None,
        Found::TakenOver { records } => {
            Some(format!("{name}: {path} is taken over with its {records} records"))
        }
        Found::SetAside { to, why } => {
            let to = to.display();
            Some(format!("{name}: {path} is broken ({why}); it was moved to {to}, a new one is written"))
        }
    };
    let identity = sink.identity().to_owned();
    let marker = Some(LastSync::new(marker_of(file)));
    let writer = JsonWriter::new(settings, pipeline.sweep.gone, sink);
    Ok(Opened { sink: Sink::Json(Box::new(writer)), identity, marker, notice })
}

fn json_settings(file: &JsonFile) -> JsonSettings {
    let format = match file.format {
        JsonFormat::Json => json::JsonFormat::Array,
        JsonFormat::Jsonl => json::JsonFormat::Lines,
    };
    JsonSettings { format, ..JsonSettings::new(file.path.clone()) }
}

/// The folder's marker of the last sync stands beside the file.
fn marker_of(file: &JsonFile) -> PathBuf {
    file.path.with_file_name("last_sync.json")
}
