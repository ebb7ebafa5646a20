//! Decides what a run enumerates: everything, what changed since the cursor, or the rest of a run that was broken off.

use jiff::SignedDuration;
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::state::{Binding, NewRun, PipelineState, Run, RunKind, State, Window};

use crate::source::Source;

/// What was asked for, beside what the state says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Compare every record with the sink's real values, whatever is remembered.
    pub full: bool,
    /// Read everything, and bring what differs from what is wanted: finds what no window shows.
    pub compare: bool,
    /// Why the sink needs a full run (its marker of the last sync is gone), in words.
    pub sink_asks: Option<String>,
}

/// A run and why it is what it is.
#[derive(Debug)]
pub struct Started {
    /// The run.
    pub run: Run,
    /// In words, for the log and the summary.
    pub why: String,
    /// It goes on with a run that was broken off: another one is due afterwards, for what changed since.
    pub resumed: bool,
}

/// Begins the run that is due, or resumes the one that was broken off.
pub async fn start(
    state: &State,
    pipeline: &Pipeline,
    source: &Source,
    sink: &str,
    wish: &Wish,
) -> Result<Started, Failure> {
    let binding = source.binding(sink);
    let known = state.pipeline(&pipeline.name).await?;
    let end = source.clock();
    let full = full_run_because(known.as_ref(), &binding, wish, end, pipeline);
    let Some((why, reset, force)) = full else {
        return incremental(state, pipeline, binding, known, end).await;
    };
    // A full run that was broken off is gone on with, unless a person asks for a new one.
    let same = known.as_ref().is_some_and(|known| known.binding == binding);
    let open_full =
        known.as_ref().and_then(|known| known.open.as_ref()).is_some_and(|open| open.kind == RunKind::Full);
    if same
        && open_full
        && !wish.full
        && wish.sink_asks.is_none()
        && let Some(run) = state.resume_run(&pipeline.name).await?
    {
        return Ok(Started {
            run,
            why: "going on with a full run that was broken off".to_owned(),
            resumed: true,
        });
    }
    let window = Window { start: None, end };
    let new = NewRun { pipeline: pipeline.name.clone(), kind: RunKind::Full, window, binding, force, reset };
    Ok(Started { run: state.begin_run(&new).await?, why, resumed: false })
}

/// Why a full run is due, whether what is remembered is to be forgotten, and whether it is to be ignored.
fn full_run_because(
    known: Option<&PipelineState>,
    binding: &Binding,
    wish: &Wish,
    now: jiff::Timestamp,
    pipeline: &Pipeline,
) -> Option<(String, bool, bool)> {
    let Some(known) = known else {
        return Some(("first run".to_owned(), false, false));
    };
    if known.binding.source != binding.source {
        return Some(("the source is another one than last time".to_owned(), true, false));
    }
    if known.binding.sink != binding.sink {
        return Some(("the sink is not the one that was written last time".to_owned(), true, false));
    }
    if wish.full {
        return Some(("asked for with --full".to_owned(), false, true));
    }
    if let Some(why) = &wish.sink_asks {
        return Some((why.clone(), false, true));
    }
    if known.binding.mapping != binding.mapping {
        return Some(("the mapping has changed".to_owned(), false, false));
    }
    let Some(cursor) = known.cursor else {
        return Some(("no run has been completed yet".to_owned(), false, false));
    };
    if wish.compare {
        return Some(("everything is compared now and then".to_owned(), false, false));
    }
    let overlap = SignedDuration::try_from(pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
    if cursor.duration_since(now) > overlap {
        return Some((format!("the source's clock went back, from {cursor} to {now}"), false, false));
    }
    None
}

async fn incremental(
    state: &State,
    pipeline: &Pipeline,
    binding: Binding,
    known: Option<PipelineState>,
    end: jiff::Timestamp,
) -> Result<Started, Failure> {
    let cursor = known.as_ref().and_then(|known| known.cursor);
    if known.is_some_and(|known| known.open.is_some())
        && let Some(run) = state.resume_run(&pipeline.name).await?
    {
        return Ok(Started { run, why: "going on with a run that was broken off".to_owned(), resumed: true });
    }
    let overlap = SignedDuration::try_from(pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
    let start = cursor
        .map(|cursor| cursor.min(end))
        .map(|from| from.checked_sub(overlap).unwrap_or(jiff::Timestamp::MIN));
    let why = start.map_or_else(String::new, |start| format!("changes since {start}"));
    let window = Window { start, end };
    let new = NewRun {
        pipeline: pipeline.name.clone(),
        kind: RunKind::Incremental,
        window,
        binding,
        force: false,
        reset: false,
    };
    Ok(Started { run: state.begin_run(&new).await?, why, resumed: false })
}
