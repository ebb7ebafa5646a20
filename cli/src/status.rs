//! `status`: what the last runs did, what is outstanding and what failed. Reads the state only.

use std::sync::Arc;

use producer::operate::quota::QuotaStatus;
use producer::operate::status::{self, Paused, PipelineStatus, StrayStatus, Strays};
use serde::Serialize;
use shared::config::Config;
use shared::failure::Failure;
use shared::fleet::Scope;
use shared::job::JobKind;
use shared::state::{Counts, ImageCounts, RunEnd, RunKind, RunSummary};
use shared::utc::in_utc;

use crate::dead::tried;
use crate::exit::Exit;
use crate::output::Output;
use crate::state::open_state;
use crate::sync::summary::swept_text;

#[derive(Serialize)]
struct StatusJson {
    state: std::path::PathBuf,
    pipelines: Vec<PipelineStatus>,
    zoho: Vec<QuotaStatus>,
    strays: Strays,
}

pub(crate) async fn run(config: &Arc<Config>, output: &Output) -> Result<Exit, Failure> {
    let (mut pipelines, mut zoho, mut strays) = (Vec::new(), Vec::new(), Strays::default());
    if config.fleet.is_some() || config.state.exists() {
        let state = open_state(config).await?;
        for pipeline in &config.pipelines {
            pipelines.push(status::look(&state, pipeline).await?);
        }
        zoho = QuotaStatus::all(&state, config).await?;
        strays = status::strays(&state).await?;
    } else {
        output.line(format!("no sync has been run yet: there is no {}", config.state.display()));
    }
    for status in &pipelines {
        output.text(&text(status));
    }
    for quota in &zoho {
        output.text(&format!("zoho.{}: {}\n", quota.account, quota.text));
    }
    output.text(&strays_text(&strays));
    output.object(&StatusJson { state: config.state.clone(), pipelines, zoho, strays });
    Ok(Exit::Done)
}

/// Nothing where there are none.
fn strays_text(strays: &Strays) -> String {
    if strays.kept == 0 {
        return String::new();
    }
    let messages = if strays.kept == 1 { "message was no job" } else { "messages were no jobs" };
    let mut lines = vec![format!("{} {messages}:", strays.kept)];
    let line = |stray: &StrayStatus| {
        format!("  stray in {} of {} bytes: {}", stray.queue, stray.bytes, stray.failure.message)
    };
    lines.extend(strays.newest.iter().map(line));
    let more = strays.kept.saturating_sub(strays.newest.len() as u64);
    if more > 0 {
        lines.push(format!("  ... and {more} more"));
    }
    format!("{}\n", lines.join("\n"))
}

fn text(status: &PipelineStatus) -> String {
    let mut lines = vec![format!("{}:", status.pipeline)];
    lines.extend(status.paused.iter().map(|paused| pause_line(&status.pipeline, paused)));
    match &status.last_run {
        None => lines.push("  never run".to_owned()),
        Some(run) => lines.extend(run_lines(run)),
    }
    if let Some(start) = status.next_start {
        lines.push(format!("  next run reads what changed after {}", in_utc(start)));
    }
    if let Some(swept) = &status.sweep {
        let at = swept.at.map_or_else(String::new, |at| format!(" at {}", in_utc(at)));
        lines.push(format!("  last sweep{at}: {}", swept_text(swept)));
    }
    let Counts { wanted, applied, outstanding, dead, images } = status.records;
    lines.push(format!(
        "  {wanted} records known, {applied} in the sink, {outstanding} outstanding, {dead} failed"
    ));
    if images.wanted > 0 {
        let ImageCounts { wanted, applied, outstanding, dead } = images;
        lines.push(format!(
            "  {wanted} images known, {applied} in step, {outstanding} waiting, {dead} failed"
        ));
    }
    for letter in &status.dead_letters {
        let what = match letter.kind {
            JobKind::Record => "record",
            JobKind::Image => "image of record",
        };
        lines.push(format!(
            "  failed: {what} {}, {}: {}",
            letter.key,
            tried(letter.attempts),
            letter.failure.message
        ));
    }
    let more = (dead + images.dead).saturating_sub(status.dead_letters.len() as u64);
    if more > 0 {
        lines.push(format!("  ... and {more} more"));
    }
    if dead + images.dead > 0 {
        lines.push(
            "  what failed is tried again when it changes, and by `catalog-sync dead redrive`".to_owned(),
        );
    }
    format!("{}\n", lines.join("\n"))
}

fn pause_line(pipeline: &str, paused: &Paused) -> String {
    let Paused { what, pause } = paused;
    let (what, flag) = match what {
        Scope::Pipeline => ("", ""),
        Scope::Images => ("images ", " --images"),
    };
    let next = match pause.probe_at {
        Some(at) => format!("tried again at {}", in_utc(at)),
        None => format!("`catalog-sync resume {pipeline}{flag}` lets it go on"),
    };
    format!("  {what}PAUSED since {}: {}; {next}", in_utc(pause.since), pause.why)
}

fn run_lines(run: &RunSummary) -> Vec<String> {
    let ledger = run.ledger;
    let ended = match (&run.end, run.ended) {
        (Some(RunEnd::Complete), Some(ended)) => {
            let took = ended.duration_since(run.started).as_secs_f64();
            format!("complete after {took:.1} s")
        }
        (Some(RunEnd::Failed(why)), _) => format!("FAILED: {why}"),
        (Some(RunEnd::Interrupted), _) => "stopped before its end; the next run goes on with it".to_owned(),
        _ => "under way, or killed; the next run goes on with it".to_owned(),
    };
    let kind = match run.window.start {
        _ if run.kind == RunKind::Chosen => "chosen records: a plan or a repair".to_owned(),
        None if run.kind == RunKind::Sweep => "sweep".to_owned(),
        None => "full".to_owned(),
        Some(start) => format!("changes since {}", in_utc(start)),
    };
    vec![
        format!("  last run #{} at {} ({kind}): {ended}", run.id, in_utc(run.started)),
        format!(
            "  {} read: {} created, {} updated, {} unchanged, {} gone, {} superseded, {} failed, {} outstanding",
            ledger.seen,
            ledger.created,
            ledger.updated,
            ledger.unchanged + ledger.unchanged_at_source,
            ledger.gone,
            ledger.superseded,
            ledger.dead + ledger.dead_at_source,
            ledger.outstanding()
        ),
    ]
}
