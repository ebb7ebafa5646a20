//! `sync --plan`: what a plan says is looked at once more before anything is done. Where one record has moved, nothing is.

use std::path::Path;
use std::sync::Arc;

use producer::only::{ByKey, Only};
use producer::start::Wish;
use shared::config::{Config, Pipeline};
use shared::failure::Failure;
use shared::record::RecordKey;
use shared::state::State;
use shared::systems::Systems;

use super::change::Head;
use super::planner::{Planner, state_for_looking, systems_for_looking};
use super::read::{Planned, digest, read};
use crate::output::Output;
use crate::sync::Asked;

/// Records that have moved which are named.
const NAMED: usize = 10;

/// What a plan asks of its pipelines, or of those that are named.
///
/// # Errors
/// `Reason::Configuration`: the file is no plan, it is of another configuration, or a record of it has moved in the source
/// or the sink. Nothing has been changed then.
pub(crate) async fn asked<'a>(
    config: &'a Arc<Config>,
    path: &Path,
    names: &[String],
    output: &Output,
) -> Result<Vec<Asked<'a>>, Failure> {
    let plans = read(path)?;
    let planned: Vec<String> = plans.iter().map(|planned| planned.head.pipeline.to_string()).collect();
    if let Some(name) = names.iter().find(|name| !planned.contains(name)) {
        return Err(Failure::configuration(format!("{} plans nothing of '{name}'", path.display()))
            .advise(format!("it is a plan of: {}", planned.join(", "))));
    }
    let state = state_for_looking(config).await?;
    let systems = systems_for_looking(config, &state);
    let mut asked = Vec::new();
    for planned in plans {
        let name = planned.head.pipeline.to_string();
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let chosen = config.choose(std::slice::from_ref(&name)).map_err(|failure| {
            Failure::configuration("this plan is of another configuration").because(failure)
        })?;
        for pipeline in chosen {
            let only = check(config, pipeline, (&systems, &state), &planned).await?;
            if planned.failing > 0 {
                let failing = planned.failing;
                output.line(format!(
                    "{name}: {failing} records of the plan would fail and are left as they are"
                ));
            }
            asked.push(Asked { pipeline, wish: Wish { only: Some(Arc::new(only)), ..Wish::default() } });
        }
    }
    Ok(asked)
}

/// Looks at every record of a plan once more.
async fn check(
    config: &Config,
    pipeline: &Pipeline,
    (systems, state): (&Systems, &State),
    planned: &Planned,
) -> Result<Only, Failure> {
    let mut planner = Planner::open(config, pipeline, systems, state, false).await?;
    if !planned.head.is_about(&planner.head) {
        return Err(foreign(&planned.head, &planner.head));
    }
    let (since, mut moved) = (planned.head.since, Vec::new());
    let mut missing: std::collections::HashSet<&RecordKey> = planned.records.keys().collect();
    let source = planner.source.clone();
    let mut rows = ByKey::new(&source, planned.records.keys().cloned(), since);
    while let Some(rows) = rows.more().await? {
        for (key, change) in planner.again(rows).await? {
            missing.remove(&key);
            let Some(planned) = planned.records.get(&key) else { continue };
            match change {
                Some(change) if digest(&change) == planned.digest => {}
                Some(change) if change.source != Some(planned.source) => {
                    moved.push(format!("{key} changed in the source"));
                }
                Some(_) => moved.push(format!("{key} changed in the sink")),
                None => moved.push(format!("{key} is in step by now")),
            }
        }
    }
    moved.extend(missing.into_iter().map(|key| format!("{key} is gone from the source")));
    if !moved.is_empty() {
        return Err(stale(pipeline, &moved, planned.records.len()));
    }
    let records = planned.records.iter().map(|(key, planned)| (key.clone(), Some(planned.source)));
    let why = format!("{} records of a plan made at {}", planned.records.len(), planned.head.until);
    Ok(Only { records: records.collect(), since, why })
}

fn stale(pipeline: &Pipeline, moved: &[String], all: usize) -> Failure {
    let mut named: Vec<&str> = moved.iter().take(NAMED).map(String::as_str).collect();
    let more = format!("{} more", moved.len().saturating_sub(NAMED));
    if moved.len() > NAMED {
        named.push(&more);
    }
    let (count, name) = (moved.len(), &pipeline.name);
    let what = format!(
        "the plan is stale: {count} of its {all} records of {name} have moved since ({}); nothing was changed",
        named.join(", ")
    );
    Failure::configuration(what).advise("make a new plan and look at it")
}

fn foreign(planned: &Head, now: &Head) -> Failure {
    let sink = |head: &Head| head.sink.clone().unwrap_or_else(|| "a file that is not ours yet".to_owned());
    let differs = if planned.source != now.source {
        format!("its source is {}, not {}", planned.source, now.source)
    } else if sink(planned) != sink(now) {
        format!("its sink is {}, not {}", sink(planned), sink(now))
    } else if planned.mapping != now.mapping {
        "the mapping has changed since".to_owned()
    } else {
        "how the sink is written has changed since".to_owned()
    };
    let what = format!("this plan of {} is of another configuration: {differs}", planned.pipeline);
    Failure::configuration(what).advise("make a new plan with this configuration")
}
