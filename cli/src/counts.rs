//! `counts`: records in source, sink and state, side by side.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use shared::config::{Config, Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::state::Counts;
use worker::sink::json::count_records;

use crate::exit::Exit;
use crate::output::{Output, table};
use crate::state::known_state;
use shared::systems::Systems;

#[derive(Serialize)]
struct PipelineCounts {
    pipeline: String,
    source: Option<u64>,
    sink: Option<u64>,
    state: Counts,
    errors: Vec<String>,
}

pub(crate) async fn run(config: &Arc<Config>, output: &Output) -> Result<Exit, Failure> {
    let systems = Systems::new(Arc::clone(config));
    let state = known_state(config).await?;
    let mut all = Vec::new();
    let mut exit = Exit::Done;
    for pipeline in &config.pipelines {
        let mut errors = Vec::new();
        let mut note = |failure: Failure| {
            exit = exit.max(Exit::after(&failure));
            errors.push(format!("{}: {failure:#}", pipeline.name));
        };
        let source = source_count(&systems, pipeline).await.map_err(&mut note).ok().flatten();
        let sink = sink_count(&systems, pipeline).await.map_err(&mut note).ok();
        let known = match &state {
            Some(state) => state.counts(&pipeline.name).await?,
            None => Counts::default(),
        };
        all.push(PipelineCounts { pipeline: pipeline.name.to_string(), source, sink, state: known, errors });
    }
    output.text(&text(&all));
    output.object(&json!({ "pipelines": all }));
    Ok(exit)
}

/// Zoho's lists tell no total: `None`.
async fn source_count(systems: &Systems, pipeline: &Pipeline) -> Result<Option<u64>, Failure> {
    match &pipeline.source {
        SourceConfig::Odoo(entity) => {
            let client = systems.odoo(&entity.server).await?;
            producer::source::odoo::count(&client, entity).await.map(Some)
        }
        SourceConfig::Zoho(_) => Ok(None),
    }
}

async fn sink_count(systems: &Systems, pipeline: &Pipeline) -> Result<u64, Failure> {
    match &pipeline.sink {
        SinkConfig::Json(file) => tokio::task::block_in_place(|| count_records(&file.path)),
        SinkConfig::Odoo(target) => {
            let client = systems.odoo(&target.server).await?;
            worker::open::odoo_sink(pipeline, target, client).await?.count().await
        }
    }
}

fn text(all: &[PipelineCounts]) -> String {
    let heading = ["", "source", "sink", "known", "applied", "outstanding", "failed", "images"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    for counts in all {
        let Counts { wanted, applied, outstanding, dead, images } = counts.state;
        let mut row = vec![counts.pipeline.clone(), number(counts.source), number(counts.sink)];
        row.extend([wanted, applied, outstanding, dead, images.applied].map(|count| count.to_string()));
        rows.push(row);
    }
    let mut text = table(&rows);
    for error in all.iter().flat_map(|counts| &counts.errors) {
        text.push_str(error);
        text.push('\n');
    }
    text
}
