//! `runs`: the history.

use jiff::Timestamp;
use serde::Serialize;
use shared::config::Config;
use shared::failure::Failure;
use shared::fleet::spent_of;
use shared::record::RunId;
use shared::state::{RunEnd, RunKind, RunSummary};
use shared::telemetry::Spent;
use shared::utc::in_utc;

use crate::arguments::{Runs, RunsCommand};
use crate::exit::Exit;
use crate::output::{Output, table_with_words};
use crate::schedule::both;
use crate::state::{known_state, open_state};

#[derive(Serialize)]
struct RunsJson<'a> {
    runs: &'a [RunSummary],
}

#[derive(Serialize)]
struct RunJson<'a> {
    #[serde(flatten)]
    run: &'a RunSummary,
    spent: Option<Spent>,
}

pub(crate) async fn run(config: &Config, arguments: &Runs) -> Result<Exit, Failure> {
    if let Some(RunsCommand::Show(show)) = &arguments.command {
        return self::show(config, show.id, Output::new(show.json)).await;
    }
    let output = Output::new(arguments.json);
    let pipeline = match &arguments.pipeline {
        Some(name) => config.choose(std::slice::from_ref(name))?.into_iter().next(),
        None => None,
    };
    let runs = match known_state(config).await? {
        Some(state) => state.runs(pipeline.map(|pipeline| &pipeline.name), arguments.limit).await?,
        None => Vec::new(),
    };
    let heading = [
        "run",
        "pipeline",
        "kind",
        "began",
        "seconds",
        "read",
        "created",
        "updated",
        "unchanged",
        "gone",
        "failed",
    ];
    let mut rows = vec![(heading.map(str::to_owned).to_vec(), "end".to_owned())];
    rows.extend(runs.iter().map(row));
    output.text(&table_with_words(&rows));
    output.object(&RunsJson { runs: &runs });
    Ok(Exit::Done)
}

async fn show(config: &Config, id: u64, output: Output) -> Result<Exit, Failure> {
    let state = open_state(config).await?;
    let Some(run) = state.run(RunId(id)).await? else {
        return Err(Failure::configuration(format!("there is no run {id} in the history"))
            .advise("`catalog-sync runs` lists them"));
    };
    let ledger = run.ledger;
    let mut lines = vec![
        format!("run {} of {}: {}", run.id, run.pipeline, kind(run.kind)),
        format!(
            "  window from {} to {}",
            run.window.start.map_or_else(|| "the beginning".to_owned(), both),
            both(run.window.end)
        ),
        format!("  began {}", both(run.started)),
        format!("  enumerated {}", run.ended.map_or_else(|| "not to its end yet".to_owned(), both)),
        format!("  last job ended {}", run.settled.map_or_else(|| "not yet".to_owned(), both)),
        format!("  {}", end(&run)),
        format!(
            "  read {} = unchanged {} + enqueued {} + failed before {}",
            ledger.seen, ledger.unchanged_at_source, ledger.enqueued, ledger.dead_at_source
        ),
        format!(
            "  enqueued {} = created {} + updated {} + unchanged in the sink {} + gone {} + superseded {} + failed {} + outstanding {}",
            ledger.enqueued,
            ledger.created,
            ledger.updated,
            ledger.unchanged,
            ledger.gone,
            ledger.superseded,
            ledger.dead,
            ledger.outstanding()
        ),
    ];
    let spent = spent_of(&state, run.id).await?;
    if let Some(spent) = &spent {
        let counts = |what: &str, counts: &std::collections::BTreeMap<String, u64>| {
            let each: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
            if each.is_empty() { format!("  {what}: none") } else { format!("  {what}: {}", each.join(", ")) }
        };
        lines.push(counts("calls, as far as they can be told apart", &spent.calls));
        lines.push(counts("attempts that failed", &spent.failures));
    }
    lines.push(String::new());
    output.text(&lines.join("\n"));
    output.object(&RunJson { run: &run, spent });
    Ok(Exit::Done)
}

fn row(run: &RunSummary) -> (Vec<String>, String) {
    let ledger = &run.ledger;
    let took = run.settled.or(run.ended).map(|end: Timestamp| end.duration_since(run.started).as_secs_f64());
    let cells = vec![
        run.id.to_string(),
        run.pipeline.to_string(),
        kind(run.kind),
        in_utc(run.started),
        took.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")),
        ledger.seen.to_string(),
        ledger.created.to_string(),
        ledger.updated.to_string(),
        (ledger.unchanged + ledger.unchanged_at_source + ledger.superseded).to_string(),
        ledger.gone.to_string(),
        (ledger.dead + ledger.dead_at_source).to_string(),
    ];
    (cells, end(run))
}

/// The word of the state's JSON.
fn kind(kind: RunKind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn end(run: &RunSummary) -> String {
    match &run.end {
        None => "under way, or its process died: the next run goes on with it".to_owned(),
        Some(RunEnd::Complete) if run.ledger.outstanding() > 0 => "enumerated".to_owned(),
        Some(RunEnd::Complete) => "complete".to_owned(),
        Some(RunEnd::Failed(why)) => format!("failed: {why}"),
        Some(RunEnd::Interrupted) => "stopped before its end".to_owned(),
    }
}
