//! `dead`: what was given up is listed, shown, tried again, forgotten and exported.

mod stray;
mod text;

use std::sync::Arc;

use producer::operate::letters::{self, LetterPage, Outcomes, Walk, Which, nothing_of};
use serde::Serialize;
use serde_json::json;
use shared::config::{Config, Pipeline};
use shared::failure::{Failure, Reason};
use shared::fleet::Meeting;
use shared::record::{PipelineName, RecordKey};
use shared::state::State;

use crate::arguments::{DeadChosen, DeadCommand, DeadDiscard, DeadExport, DeadList, DeadShow};
use crate::exit::Exit;
use crate::output::Output;
use crate::state::{known_state, open_state};
use stray::StrayLine;
pub(crate) use text::tried;

#[derive(Serialize)]
struct ListJson {
    pipelines: Vec<LetterPage>,
    strays: Vec<StrayLine>,
}

#[derive(Serialize)]
struct OutcomesOf<'a> {
    pipeline: &'a PipelineName,
    #[serde(flatten)]
    outcomes: Outcomes,
}

pub(crate) async fn run(config: &Arc<Config>, command: &DeadCommand) -> Result<Exit, Failure> {
    match command {
        DeadCommand::List(arguments) => list(config, arguments).await,
        DeadCommand::Show(arguments) => show(config, arguments).await,
        DeadCommand::Redrive(arguments) => redrive(config, arguments).await,
        DeadCommand::Discard(arguments) => discard(config, arguments).await,
        DeadCommand::Export(arguments) => export(config, arguments).await,
    }
}

fn chosen<'a>(config: &'a Config, pipeline: Option<&String>) -> Result<Vec<&'a Pipeline>, Failure> {
    config.choose(pipeline.map_or(&[][..], std::slice::from_ref))
}

async fn list(config: &Config, arguments: &DeadList) -> Result<Exit, Failure> {
    let DeadList { pipeline, reason, limit, before, json } = arguments;
    let output = Output::new(*json);
    let chosen = chosen(config, pipeline.as_ref())?;
    let (mut pages, mut strays) = (Vec::new(), Vec::new());
    if let Some(state) = known_state(config).await? {
        for pipeline in chosen {
            pages.push(letters::list(&state, &pipeline.name, *reason, *before, *limit).await?);
        }
        if pipeline.is_none() && reason.is_none_or(|reason| reason == Reason::Undecodable) {
            strays.extend(state.strays(*limit).await?.iter().map(StrayLine::of));
        }
    }
    for page in pages.iter().filter(|page| page.kept > 0) {
        output.text(&text::page(page, *reason));
    }
    for stray in &strays {
        output.line(stray.text());
    }
    if pages.iter().all(|page| page.kept == 0) && strays.is_empty() {
        output.line("there are no dead letters");
    }
    output.object(&ListJson { pipelines: pages, strays });
    Ok(Exit::Done)
}

async fn show(config: &Config, arguments: &DeadShow) -> Result<Exit, Failure> {
    let output = Output::new(arguments.json);
    let state = state_with_letters(config).await?;
    if let Some(id) = &arguments.stray {
        let stray = stray::of_id(&state, id).await?;
        output.text(&stray::text(&stray));
        output.object(&stray::object(&stray));
        return Ok(Exit::Done);
    }
    let Some(key) = &arguments.key else { return Ok(Exit::Done) };
    let pipeline =
        pipeline_of(config, &state, arguments.pipeline.as_ref(), std::slice::from_ref(key)).await?;
    let letters = letters::of_record(&state, &pipeline.name, key).await?;
    if letters.is_empty() {
        return Err(nothing_of(&pipeline.name, key));
    }
    for letter in &letters {
        output.text(&text::letter(letter));
    }
    output.object(&json!({ "letters": letters }));
    Ok(Exit::Done)
}

async fn redrive(config: &Arc<Config>, arguments: &DeadChosen) -> Result<Exit, Failure> {
    let DeadChosen { keys, reason, pipeline, json, .. } = arguments;
    let output = Output::new(*json);
    chosen(config, pipeline.as_ref())?;
    let meeting = match &config.fleet {
        Some(fleet) => Some(Meeting::open(config, fleet, "redrive").await?),
        None => None,
    };
    let state = match &meeting {
        Some(meeting) => meeting.state.clone(),
        None => state_with_letters(config).await?,
    };
    let queue = meeting.as_ref().map(|meeting| &meeting.queue);
    let mut all = Vec::new();
    for pipeline in pipelines_of(config, &state, pipeline.as_ref(), keys).await? {
        let outcomes = letters::redrive(&state, queue, &pipeline.name, which(keys, *reason)).await?;
        let Outcomes { done, read_again, under_way } = outcomes;
        if done + under_way > 0 {
            let is = if done == 1 { "is" } else { "are" };
            let when = if queue.is_some() { "" } else { " by the next sync" };
            let were = if under_way == 1 { "was" } else { "were" };
            output.line(format!(
                "{}: {done} {is} tried again{when}, {under_way} {were} being tried already",
                pipeline.name
            ));
        }
        if read_again > 0 && queue.is_some() {
            output.line(format!(
                "  {read_again} of them could not be mapped: a run reads them from the source again, when their queue has \
                 been empty for lost_after"
            ));
        }
        all.push(OutcomesOf { pipeline: &pipeline.name, outcomes });
    }
    if let Some(Meeting { queue, .. }) = &meeting {
        queue.close();
        queue.closed().await;
    }
    say_none(output, &all);
    output.object(&json!({ "pipelines": all }));
    Ok(Exit::Done)
}

async fn discard(config: &Config, arguments: &DeadDiscard) -> Result<Exit, Failure> {
    let DeadDiscard { chosen: DeadChosen { keys, reason, pipeline, json, .. }, stray: id } = arguments;
    let output = Output::new(*json);
    let state = state_with_letters(config).await?;
    if let Some(id) = id {
        let stray = stray::of_id(&state, id).await?;
        state.discard_stray(&stray.id()).await?;
        output.line(format!("stray {} is forgotten", stray.id()));
        output.object(&json!({ "pipelines": [], "strays": 1 }));
        return Ok(Exit::Done);
    }
    let mut all = Vec::new();
    for pipeline in pipelines_of(config, &state, pipeline.as_ref(), keys).await? {
        let outcomes = letters::discard(&state, &pipeline.name, which(keys, *reason)).await?;
        let Outcomes { done, under_way, .. } = outcomes;
        if done > 0 {
            let is = if done == 1 { "is" } else { "are" };
            output.line(format!("{}: {done} {is} forgotten", pipeline.name));
        }
        if under_way > 0 {
            let stay = if under_way == 1 {
                "is being tried again, and stays"
            } else {
                "are being tried again, and stay"
            };
            output.line(format!("{}: {under_way} {stay}", pipeline.name));
        }
        all.push(OutcomesOf { pipeline: &pipeline.name, outcomes });
    }
    say_none(output, &all);
    output.object(&json!({ "pipelines": all }));
    Ok(Exit::Done)
}

fn say_none(output: Output, all: &[OutcomesOf<'_>]) {
    if all.iter().all(|of| of.outcomes == Outcomes::default()) {
        output.line("there are no such dead letters: nothing was changed");
    }
}

async fn export(config: &Config, arguments: &DeadExport) -> Result<Exit, Failure> {
    let output = Output::new(false);
    let chosen = chosen(config, arguments.pipeline.as_ref())?;
    let Some(state) = known_state(config).await? else { return Ok(Exit::Done) };
    for pipeline in chosen {
        let mut walk = Walk::new(&state, &pipeline.name, which(&[], arguments.reason)).await?;
        while let Some(letters) = walk.next().await? {
            for letter in letters {
                output.line(json!(letter));
            }
        }
    }
    if arguments.pipeline.is_none() && arguments.reason.is_none_or(|reason| reason == Reason::Undecodable) {
        for stray in state.strays(stray::STRAYS).await? {
            output.line(stray::object(&stray));
        }
    }
    Ok(Exit::Done)
}

fn which(keys: &[RecordKey], reason: Option<Reason>) -> Which<'_> {
    match reason {
        Some(reason) => Which::Reason(reason),
        None if keys.is_empty() => Which::All,
        None => Which::Keys(keys),
    }
}

/// A state that has a letter to be named, or the words that there is none.
async fn state_with_letters(config: &Config) -> Result<State, Failure> {
    if config.fleet.is_none() && !config.state.exists() {
        return Err(Failure::configuration(format!(
            "no sync has been run yet: there is no {}",
            config.state.display()
        ))
        .advise("nothing was given up so far"));
    }
    open_state(config).await
}

/// Where records are named: the pipeline that has them. Else those that are meant.
async fn pipelines_of<'a>(
    config: &'a Config,
    state: &State,
    pipeline: Option<&String>,
    keys: &[RecordKey],
) -> Result<Vec<&'a Pipeline>, Failure> {
    if keys.is_empty() {
        return chosen(config, pipeline);
    }
    Ok(vec![pipeline_of(config, state, pipeline, keys).await?])
}

/// The one pipeline in which a record is dead; of several records, the first tells.
async fn pipeline_of<'a>(
    config: &'a Config,
    state: &State,
    pipeline: Option<&String>,
    keys: &[RecordKey],
) -> Result<&'a Pipeline, Failure> {
    let chosen = chosen(config, pipeline)?;
    let Some(key) = keys.first() else {
        return Err(Failure::configuration("no record is named")
            .advise("name its key; `catalog-sync dead list` shows them"));
    };
    let mut found = Vec::new();
    for candidate in &chosen {
        if !letters::of_record(state, &candidate.name, key).await?.is_empty() {
            found.push(*candidate);
        }
    }
    match (found.as_slice(), chosen.as_slice()) {
        ([one], _) | ([], [one]) => Ok(*one),
        ([], _) => {
            Err(Failure::configuration(format!("record '{key}' is not in the dead letters of any pipeline"))
                .advise("`catalog-sync dead list` names those that are"))
        }
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|pipeline| pipeline.name.as_str()).collect();
            Err(Failure::configuration(format!(
                "record '{key}' is in the dead letters of {}",
                names.join(" and ")
            ))
            .advise("say which with --pipeline"))
        }
    }
}
