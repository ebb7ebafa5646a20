//! `sync --plan`: what a plan says is looked at once more before anything is done. Where one record has moved, nothing is.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use producer::only::{ByKey, Only};
use producer::start::Wish;
use shared::checksum::Checksum;
use shared::config::{Config, Pipeline};
use shared::failure::Failure;
use shared::record::RecordKey;
use shared::state::Window;

use super::change::{Change, Head};
use super::looking::{state_for_looking, systems_for_looking};
use super::planner::Planner;
use super::read::{Planned, PlannedRecord, digest, read};
use crate::output::Output;
use crate::sync::Asked;

/// Records that are gone which are looked at together.
const TOGETHER: usize = 500;

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
    (names, allow_mass_archive): (&[String], bool),
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
    let looking = Wish { allow_mass_archive, ..Wish::default() };
    let mut asked = Vec::new();
    for planned in plans {
        let name = planned.head.pipeline.to_string();
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let chosen = config.choose(std::slice::from_ref(&name)).map_err(|failure| {
            Failure::configuration("this plan is of another configuration")
                .because(failure)
                .advise("make a new plan with this configuration")
        })?;
        for pipeline in chosen {
            let planner = Planner::open(config, pipeline, &systems, &state, &looking).await?;
            let only = check(pipeline, planner, &planned).await?;
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
async fn check(pipeline: &Pipeline, mut planner: Planner<'_>, planned: &Planned) -> Result<Only, Failure> {
    if !planned.head.is_about(&planner.head) {
        return Err(foreign(&planned.head, &planner.head));
    }
    let is_gone =
        |key: &&RecordKey| planned.records.get(*key).is_some_and(|planned| planned.source == Checksum::GONE);
    let (gone, there): (Vec<&RecordKey>, Vec<&RecordKey>) = planned.records.keys().partition(is_gone);
    let (since, mut moved) = (planned.head.since, Vec::new());
    let mut missing: HashSet<&RecordKey> = there.iter().copied().collect();
    let source = planner.source.clone();
    let mut rows = ByKey::new(&source, there.into_iter().cloned(), since);
    while let Some(rows) = rows.more().await? {
        for (key, change) in planner.again(rows).await? {
            missing.remove(&key);
            if let Some(planned) = planned.records.get(&key) {
                moved.extend(has_moved(&key, change.as_ref(), planned));
            }
        }
    }
    moved.extend(missing.into_iter().map(|key| format!("{key} is gone from the source")));
    let gone: Vec<RecordKey> = gone.into_iter().cloned().collect();
    let example = check_gone(&mut planner, planned, &gone, &mut moved).await?;
    if !moved.is_empty() {
        return Err(stale(pipeline, &moved, planned.records.len()));
    }
    let records = planned.records.iter().filter(|(_, planned)| planned.source != Checksum::GONE);
    let records = records.map(|(key, planned)| (key.clone(), Some(planned.source))).collect();
    let why = format!("{} records of a plan made at {}", planned.records.len(), planned.head.until);
    Ok(Only { records, gone, example, since, why })
}

/// What is said to be gone must not be in the source's list, and not be more than may go at once. Answers a record that the
/// list has.
async fn check_gone(
    planner: &mut Planner<'_>,
    planned: &Planned,
    gone: &[RecordKey],
    moved: &mut Vec<String>,
) -> Result<Option<RecordKey>, Failure> {
    if gone.is_empty() {
        return Ok(None);
    }
    if let Some(why) = planner.search().refusal_of(gone.len() as u64).await? {
        return Err(Failure::configuration(format!("nothing of the plan was done: {why}"))
            .advise("where the plan is right, add --allow-mass-archive"));
    }
    let source = planner.source.clone();
    let first = source.page(Window { start: None, end: source.clock() }, None).await?;
    let Some(example) = first.rows.into_iter().next().map(|row| row.key) else {
        return Err(Failure::configuration(
            "the source's list is empty by now: nothing of the plan was done",
        )
        .advise("make a new plan and look at it"));
    };
    let mut back = ByKey::listed(&source, gone.iter().cloned());
    while let Some(rows) = back.more().await? {
        moved.extend(rows.into_iter().map(|row| format!("{} is in the source again", row.key)));
    }
    for keys in gone.chunks(TOGETHER) {
        for (key, change) in planner.gone_again(keys.to_vec()).await? {
            if let Some(planned) = planned.records.get(&key) {
                moved.extend(has_moved(&key, change.as_ref(), planned));
            }
        }
    }
    Ok(Some(example))
}

/// How a record differs from what was planned of it.
fn has_moved(key: &RecordKey, change: Option<&Change>, planned: &PlannedRecord) -> Option<String> {
    match change {
        Some(change) if digest(change) == planned.digest => None,
        Some(change) if change.source != Some(planned.source) => Some(format!("{key} changed in the source")),
        Some(_) => Some(format!("{key} changed in the sink")),
        None => Some(format!("{key} is in step by now")),
    }
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
