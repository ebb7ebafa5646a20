//! Opening the two ends of a pipeline.

use std::path::PathBuf;

use producer::source::{OdooSource, Source, ZohoSource};
use shared::config::{JsonFile, JsonFormat, OdooTarget, Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::mapping::{Column, Origin, SourceColumn};
use shared::odoo::OdooClient;
use shared::state::State;
use shared::zoho::ZohoEntity;
use worker::sink::json::last_sync::LastSync;
use worker::sink::json::{Found, JsonSettings, JsonSink};
use worker::sink::odoo::{OdooSink, OdooSinkSettings};
use worker::sink::{JsonWriter, Sink};

use crate::output::Output;
use shared::systems::Systems;

/// Both ends of a pipeline.
pub(crate) struct Ends {
    pub(crate) source: Source,
    pub(crate) sink: Sink,
    /// Names the sink in the state.
    pub(crate) identity: String,
    /// Where the time of the last sync is shown beside a file.
    pub(crate) marker: Option<LastSync>,
}

/// Opens what a pipeline reads and what it writes; the remote systems first, so that a wrong address leaves no trace.
pub(crate) async fn open(
    pipeline: &Pipeline,
    systems: &Systems,
    state: &State,
    refresh: bool,
    output: Output,
) -> Result<Ends, Failure> {
    match &pipeline.sink {
        SinkConfig::Json(file) => {
            let source = open_source(&pipeline.source, systems, state, refresh).await?;
            let (sink, identity) = open_json(pipeline, file, output)?;
            let marker = Some(LastSync::new(marker_of(file)));
            Ok(Ends { source, sink, identity, marker })
        }
        SinkConfig::Odoo(target) => {
            let client = systems.odoo(&target.server).await?;
            let source = source_for(pipeline, target, &client);
            let source = open_source(&source, systems, state, refresh).await?;
            let sink = open_odoo(target, client, &source).await?;
            let identity = sink.identity();
            Ok(Ends { source, sink: Sink::Odoo(Box::new(sink)), identity, marker: None })
        }
    }
}

async fn open_source(
    source: &SourceConfig,
    systems: &Systems,
    state: &State,
    refresh: bool,
) -> Result<Source, Failure> {
    match source {
        SourceConfig::Odoo(entity) => {
            let client = systems.odoo(&entity.server).await?;
            Ok(Source::Odoo(OdooSource::open(&client, entity, state, refresh).await?))
        }
        SourceConfig::Zoho(entity) => {
            let client = systems.zoho(&entity.server).await?;
            Ok(Source::Zoho(ZohoSource::new(&client, entity)))
        }
    }
}

/// The source with the columns that depend on the sink's version: how a storable product is spelt.
fn source_for(pipeline: &Pipeline, target: &OdooTarget, client: &OdooClient) -> SourceConfig {
    match &pipeline.source {
        SourceConfig::Zoho(entity) if target.storable => {
            let mut columns = entity.columns.clone();
            columns.extend(storable(client.version().major));
            SourceConfig::Zoho(ZohoEntity { columns, ..entity.clone() })
        }
        source => source.clone(),
    }
}

/// `type = product` up to Odoo 17, `type = consu` with `is_storable` from 18 on (measured).
fn storable(major: u32) -> Vec<SourceColumn> {
    let constant = |name: &str, value: serde_json::Value| SourceColumn {
        column: Column { name: name.to_owned(), origin: Origin::Constant(value) },
        optional: false,
    };
    if major < 18 {
        vec![constant("type", "product".into())]
    } else {
        vec![constant("type", "consu".into()), constant("is_storable", true.into())]
    }
}

/// Opens the Odoo sink for the columns of the source's mapping.
async fn open_odoo(target: &OdooTarget, client: OdooClient, source: &Source) -> Result<OdooSink, Failure> {
    let columns: Vec<String> = source.mapping().columns().iter().map(|column| column.name.clone()).collect();
    OdooSink::open(client, settings_of(target), &columns).await
}

/// The Odoo sink of a pipeline, for a look at it without its source.
pub(crate) async fn odoo_sink_of(
    pipeline: &Pipeline,
    target: &OdooTarget,
    client: OdooClient,
) -> Result<OdooSink, Failure> {
    let columns: Vec<String> = match source_for(pipeline, target, &client) {
        SourceConfig::Odoo(entity) => entity.columns.into_iter().map(|column| column.column.name).collect(),
        SourceConfig::Zoho(entity) => entity.columns.into_iter().map(|column| column.column.name).collect(),
    };
    OdooSink::open(client, settings_of(target), &columns).await
}

/// The Odoo sink's own words for a target.
fn settings_of(target: &OdooTarget) -> OdooSinkSettings {
    OdooSinkSettings {
        match_by: target.match_by.clone(),
        context: target.context.clone(),
        ..OdooSinkSettings::new(&target.model, &target.prefix, &target.entity)
    }
}

/// Takes the JSON file, saying so where it is not the one that we wrote.
fn open_json(pipeline: &Pipeline, file: &JsonFile, output: Output) -> Result<(Sink, String), Failure> {
    let format = match file.format {
        JsonFormat::Json => worker::sink::json::JsonFormat::Array,
        JsonFormat::Jsonl => worker::sink::json::JsonFormat::Lines,
    };
    let settings = JsonSettings { format, ..JsonSettings::new(file.path.clone()) };
    let (sink, found) = tokio::task::block_in_place(|| JsonSink::open(settings.clone()))?;
    let (name, path) = (&pipeline.name, file.path.display());
    match found {
        Found::Nothing | Found::Ours => {}
        Found::TakenOver { records } => {
            output.line(format!("{name}: {path} is taken over with its {records} records"));
        }
        Found::SetAside { to, why } => {
            let to = to.display();
            output.line(format!(
                "{name}: {path} is broken ({why}); it was moved to {to}, a new one is written"
            ));
        }
    }
    let identity = sink.identity().to_owned();
    Ok((Sink::Json(Box::new(JsonWriter::new(settings, sink))), identity))
}

/// The folder's marker of the last sync stands beside the file.
fn marker_of(file: &JsonFile) -> PathBuf {
    file.path.with_file_name("last_sync.json")
}
