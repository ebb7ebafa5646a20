//! `verify`: source, sink and state compared in full; `--repair` brings exactly what differs.

mod budget;
mod confirm;
mod finding;
mod survey;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use producer::only::Only;
use producer::start::Wish;
use serde_json::json;
use shared::config::{Config, Pipeline};
use shared::failure::Failure;
use shared::record::RecordKey;
use shared::state::State;
use shared::systems::Systems;
use tokio_util::sync::CancellationToken;
use worker::sink::SinkView;

use crate::arguments::Verify;
use crate::exit::Exit;
use crate::output::Output;
use crate::plan::{Document, state_for_looking, systems_for_looking, view_of};
use crate::sync::{self, Asked};
use budget::{Budget, estimate};
use confirm::Confirm;
use finding::{Drift, Totals};
use survey::Survey;
use text::Shower;

/// Verifies the chosen pipelines, one after the other.
pub(crate) async fn run(
    config: &Arc<Config>,
    arguments: &Verify,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let chosen = config.choose(&arguments.pipelines)?;
    let output = Output::new(arguments.json);
    let state = state_for_looking(config).await?;
    let systems = systems_for_looking(config, &state);
    let mut document = Document::create(None, arguments.json, "findings")?;
    let (mut exit, mut asked) = (Exit::Done, Vec::new());
    for pipeline in chosen {
        let look = Look { config, pipeline, systems: &systems, state: &state, arguments, output };
        let Found { totals, mends, images } = look.run(&mut document).await?;
        let left = totals.drift() - if arguments.repair { mends.len() as u64 } else { 0 };
        if left > 0 {
            exit = exit.max(Exit::RecordsFailed);
        }
        if arguments.repair && left > 0 {
            output.line(format!(
                "  {left} of these cannot be mended by writing the record again: extra records, duplicates, orphans and \
                 refused ones are for a person to decide (docs/verify.md)."
            ));
        }
        if !mends.is_empty() && arguments.repair {
            state.forget_images(&pipeline.name, &images).await?;
            let why = format!("{} records that verify found not to be in step", mends.len());
            let only = Only { records: mends, why, ..Only::default() };
            asked.push(Asked { pipeline, wish: Wish { only: Some(Arc::new(only)), ..Wish::default() } });
        }
    }
    document.end()?;
    if !asked.is_empty() {
        let reports = Box::pin(sync::run(config, &asked, &output, stop)).await?;
        output.text(&sync::summary::text(&reports));
        exit = exit.max(sync::exit(&reports));
    }
    Ok(exit)
}

/// One pipeline to be looked at.
struct Look<'a> {
    config: &'a Config,
    pipeline: &'a Pipeline,
    systems: &'a Systems,
    state: &'a State,
    arguments: &'a Verify,
    output: Output,
}

/// What was found, and what writing again would mend.
#[derive(Default)]
struct Found {
    totals: Totals,
    mends: HashMap<RecordKey, Option<shared::checksum::Checksum>>,
    images: Vec<RecordKey>,
}

impl Look<'_> {
    async fn run(&self, document: &mut Document) -> Result<Found, Failure> {
        let Self { config, pipeline, systems, state, arguments, output } = self;
        let name = &pipeline.name;
        let budget = Budget::begin(systems, name, arguments.max_calls);
        // What is learnt of the source's fields goes nowhere.
        let nothing = State::open_memory().await?;
        let source = producer::open::source(pipeline, systems, &nothing, true).await?;
        let known = state.counts(name).await?;
        let mut view = view_of(config, pipeline, systems, state).await?.view;
        let mut records = source.count().await?.max(known.wanted);
        if let (0, SinkView::Odoo(sink)) = (records, &view) {
            // A state that was wiped, and a source that does not say: as many as we brought.
            records = sink.count().await?;
        }
        let estimate = budget.used() + estimate((pipeline, &source), &view, records, known);
        output.line(format!(
            "{name}: about {records} records, about {estimate} calls, and more where something differs"
        ));
        budget.refuse(estimate)?;
        document.head(&json!({ "pipeline": name, "calls_estimated": estimate }))?;

        let mut found = Found::default();
        let survey =
            Survey { pipeline, state, source: &source, view: &mut view, budget, totals: &mut found.totals };
        let suspects = survey.walk().await?;
        if !suspects.is_empty() {
            // A file may have been replaced by a sync since, and what was found by its values was promised to a suspect.
            view = view_of(config, pipeline, systems, state).await?.view;
        }
        let mut shower = Shower::new(*output, arguments.all);
        let Found { totals, mends, images } = &mut found;
        let confirm = Confirm {
            pipeline,
            state,
            source: &source,
            view: &mut view,
            budget,
            totals,
            take: &mut |finding| {
                shower.finding(&finding);
                if finding.drift == Drift::WrongImage {
                    images.push(finding.record.clone());
                }
                if finding.drift.is_mended_by_writing() {
                    mends.insert(finding.record.clone(), None);
                }
                document.entry(&finding)
            },
            absent: std::collections::HashSet::new(),
        };
        confirm.all(suspects).await?;
        found.totals.calls = budget.used();
        document.totals(&found.totals)?;
        shower.end(name, &found.totals);
        Ok(found)
    }
}
