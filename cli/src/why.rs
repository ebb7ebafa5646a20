//! `why`: what source, state and sink know of a record, and what happens next.

use std::sync::Arc;

use producer::operate::why::{Asked, InSource, Why, by_sku, why};
use shared::config::{Config, Pipeline};
use shared::failure::Failure;
use shared::job::Attempt;
use shared::record::RecordKey;
use shared::state::{Sight, Stage, Stand, State};
use shared::systems::Systems;
use shared::utc::in_utc;

use crate::arguments::WhyArguments;
use crate::dead::tried;
use crate::exit::Exit;
use crate::output::Output;
use crate::state::known_state;

pub(crate) async fn run(config: &Arc<Config>, arguments: &WhyArguments) -> Result<Exit, Failure> {
    let WhyArguments { pipeline, key, sku, offline, json } = arguments;
    let output = Output::new(*json);
    let chosen = config.choose(std::slice::from_ref(pipeline))?;
    let Some(pipeline) = chosen.first() else { return Ok(Exit::Done) };
    let state = match known_state(config).await? {
        Some(state) => state,
        None => State::open_memory().await?,
    };
    let systems = Systems::new(Arc::clone(config)).governed_by(&state);
    let key = match (key, sku) {
        (Some(key), _) => key.clone(),
        (None, Some(sku)) => by_sku(&state, pipeline, &systems, sku).await?,
        (None, None) => return Ok(Exit::Done),
    };
    let found = why(&state, config, pipeline, (!offline).then_some(&systems), &key).await?;
    if found.state.is_none() && !matches!(found.source, Asked::Has(_)) {
        return Err(unknown(&found, pipeline, &key));
    }
    output.text(&text(&found));
    output.object(&found);
    Ok(Exit::Done)
}

fn unknown(found: &Why, pipeline: &Pipeline, key: &RecordKey) -> Failure {
    let what = match &found.source {
        Asked::Away(why) => {
            format!("the state knows no record '{key}' of {}, and the source is away: {why}", pipeline.name)
        }
        Asked::NotAsked => format!("the state knows no record '{key}' of {}", pipeline.name),
        Asked::Gone | Asked::Has(_) => {
            format!("neither source nor state knows a record '{key}' of {}", pipeline.name)
        }
    };
    Failure::configuration(what).advise("a record is named by its key in the source, or with --sku")
}

fn text(why: &Why) -> String {
    let mut lines = vec![format!("{} of {}: {}", why.key, why.pipeline, why.next)];
    match &why.source {
        Asked::Has(source) => lines.extend(source_lines(source, why.state.is_some())),
        Asked::Gone => lines.push("  source: has no such record".to_owned()),
        Asked::NotAsked => lines.push("  source: was not asked".to_owned()),
        Asked::Away(failure) => lines.push(format!("  source: gave no answer: {failure}")),
    }
    match &why.state {
        Some(sight) => lines.extend(state_lines(sight)),
        None => lines.push("  state: knows nothing of it".to_owned()),
    }
    lines.extend(why.url.as_ref().map(|url| format!("  see {url}")));
    lines.extend(why.next_run.map(|at| format!("  next run {}", in_utc(at))));
    format!("{}\n", lines.join("\n"))
}

fn source_lines(source: &InSource, is_known: bool) -> Vec<String> {
    let InSource { time, values, unmappable, image, is_wanted } = source;
    let changed = time.as_ref().map_or_else(String::new, |time| format!(", changed {time}"));
    let stands = match (is_known, *is_wanted) {
        (false, _) => "has it",
        (true, true) => "has what is wanted",
        (true, false) => "has something else than is wanted",
    };
    let mut lines = vec![format!("  source: {stands}{changed}")];
    lines.extend(unmappable.as_ref().map(|why| format!("    cannot be mapped: {why}")));
    lines.extend(values.iter().flatten().map(|(name, value)| format!("    {name} = {value}")));
    lines.extend(image.as_ref().map(|image| format!("    image {image}")));
    lines
}

fn state_lines(sight: &Sight) -> Vec<String> {
    let known = &sight.known;
    let stand = |stand: Option<Stand>| {
        stand.map_or_else(
            || "nothing".to_owned(),
            |Stand { version, checksum }| {
                let checksum = checksum.to_string();
                format!("version {version}, values {}", checksum.get(..12).unwrap_or_default())
            },
        )
    };
    let run = sight.run.map_or_else(String::new, |run| format!(", of run {run}"));
    let mut lines = vec![
        format!("  wanted: {}{run}", stand(known.wanted)),
        format!("  applied: {}", stand(known.applied)),
    ];
    lines.extend(known.sink_id.as_ref().map(|id| format!("  in the sink: {id}")));
    lines.extend(sight.since.map(|since| format!("  outstanding since {}", in_utc(since))));
    for begun in sight.begun.iter().chain(sight.image.iter().flat_map(|image| &image.begun)) {
        let worker = begun.worker.as_ref().map_or("a process that is gone", |worker| worker.as_str());
        lines.push(format!("  begun {} times without an end, last by {worker}", begun.times));
    }
    if let Some(letter) = &sight.letter {
        lines.push(format!("  given up, {}:", tried(if letter.unmapped { 0 } else { letter.job.attempt })));
        lines.extend(letter.job.failures.iter().chain([&letter.failure]).map(attempt));
    }
    if let Some(image) = &sight.image {
        let stage = match known.image_stage {
            Stage::Unknown => "unknown",
            Stage::Outstanding => "outstanding",
            Stage::Applied => "in step",
            Stage::Dead => "given up",
        };
        let reference = image.reference.as_ref().map_or("none", |reference| reference.as_str());
        lines.push(format!("  image: {reference}, {stage}"));
        lines.extend(image.failures.iter().map(attempt));
        let letter = sight.image_letter.iter();
        lines.extend(
            letter.flat_map(|letter| letter.job.failures.iter().chain([&letter.failure])).map(attempt),
        );
    }
    lines
}

fn attempt(failed: &Attempt) -> String {
    format!("    {}: {}: {}", in_utc(failed.at), failed.reason.label(), failed.message)
}
