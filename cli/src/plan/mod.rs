//! `plan`: what a sync would do, record by record and field by field, without doing it.

mod apply;
mod candidate;
mod change;
mod file;
mod looking;
mod planner;
mod read;
mod text;

use std::sync::Arc;

use producer::start::Wish;
use shared::config::Config;
use shared::failure::Failure;

use crate::arguments::PlanArguments;
use crate::exit::Exit;
use crate::output::Output;
pub(crate) use apply::asked;
pub(crate) use file::Document;
pub(crate) use looking::{state_for_looking, systems_for_looking, view_of};
use planner::Planner;
use text::Shower;
pub(crate) use text::of_field;

/// Plans the chosen pipelines, one after the other. A plan is of all of them or of none: what cannot be looked at is no
/// plan.
pub(crate) async fn run(config: &Arc<Config>, arguments: &PlanArguments) -> Result<Exit, Failure> {
    let chosen = config.choose(&arguments.pipelines)?;
    let output = Output::new(arguments.json);
    let state = state_for_looking(config).await?;
    let systems = systems_for_looking(config, &state);
    let mut document = Document::create(arguments.out.as_deref(), arguments.json, "changes")?;
    let PlanArguments { full, sweep, allow_mass_archive, .. } = *arguments;
    let wish = Wish { full, sweep, allow_mass_archive, ..Wish::default() };
    let mut exit = Exit::Done;
    for pipeline in chosen {
        let planner = Planner::open(config, pipeline, &systems, &state, &wish).await?;
        if let Some(notice) = &planner.notice {
            output.line(notice);
        }
        let mut shower = Shower::begin(output, arguments.all, &planner.head);
        document.head(&planner.head)?;
        let outcome = planner
            .plan(&mut |change| {
                shower.change(&change);
                document.entry(&change)
            })
            .await?;
        document.totals(&outcome)?;
        if outcome.sweep.as_ref().is_some_and(|swept| swept.refused.is_some()) {
            // As with `sync --sweep`: a person is to decide.
            exit = Exit::Configuration;
        }
        shower.end(&outcome);
    }
    document.end()?;
    if let Some(path) = &arguments.out {
        let path = path.display();
        output.line(format!("Saved in {path}; `catalog-sync sync --plan {path}` does exactly that."));
    }
    Ok(exit)
}
