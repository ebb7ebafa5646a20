//! Decides what a run enumerates: everything, what changed since the cursor, or the rest of a run that was broken off.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::state::{Binding, NewRun, OpenRun, PipelineState, Run, RunKind, State, Window};

use crate::only::Only;
use crate::source::Source;

/// What was asked for, beside what the state says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Compare every record with the sink's real values, whatever is remembered.
    pub full: bool,
    /// Read everything, and bring what differs from what is wanted: finds what no window shows.
    pub compare: bool,
    /// Read everything, and look for what the source no longer has.
    pub sweep: bool,
    /// However much is gone: a person has looked at it.
    pub allow_mass_archive: bool,
    /// Why the sink needs a full run (its marker of the last sync is gone), in words.
    pub sink_asks: Option<String>,
    /// These records alone, whatever else is due.
    pub only: Option<Arc<Only>>,
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

/// What is due, before anything of it is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What is enumerated.
    pub kind: RunKind,
    /// The span that is read.
    pub window: Window,
    /// In words, for the log and the summary.
    pub why: String,
    /// What is remembered is about another source or sink, and is forgotten first.
    pub reset: bool,
    /// Every record is compared with the sink, whatever is remembered.
    pub force: bool,
    /// A run that was broken off is gone on with, from its position.
    pub resumes: bool,
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
    let mut known = state.pipeline(&pipeline.name).await?;
    let now = source.clock();
    let mut next = due(known.as_ref(), pipeline, &binding, wish, now);
    if let Some(only) = &wish.only {
        let Due { kind, window, force, reset, .. } = next;
        let new = NewRun { pipeline: pipeline.name.clone(), kind, window, binding, force, reset };
        let run = state.begin_run(&only.run(known, new, now)?).await?;
        return Ok(Started { run, why: only.why.clone(), resumed: false });
    }
    if next.resumes {
        if let Some(run) = state.resume_run(&pipeline.name).await? {
            return Ok(Started { run, why: next.why, resumed: true });
        }
        if let Some(known) = &mut known {
            known.open = None;
        }
        next = due(known.as_ref(), pipeline, &binding, wish, now);
    }
    let Due { kind, window, why, reset, force, .. } = next;
    let new = NewRun { pipeline: pipeline.name.clone(), kind, window, binding, force, reset };
    Ok(Started { run: state.begin_run(&new).await?, why, resumed: false })
}

/// What a run would enumerate that begins `now`, by the source's clock. `known` is what the state says.
pub fn due(
    known: Option<&PipelineState>,
    pipeline: &Pipeline,
    binding: &Binding,
    wish: &Wish,
    now: Timestamp,
) -> Due {
    // A run over some records alone is not gone on with: what it enqueued is outstanding, whoever brings it. Nor is a
    // sweep: it has to have seen everything.
    let open = known.and_then(|known| known.open.as_ref()).filter(|open| open.kind.can_go_on());
    let goes_on = |open: &OpenRun, why: &str| Due {
        kind: open.kind,
        window: open.window,
        why: why.to_owned(),
        reset: false,
        force: open.force,
        resumes: true,
    };
    if let Some((why, reset, force)) = full_run_because(known, binding, wish, now, pipeline) {
        // A full run that was broken off is gone on with, unless a person asks for a new one.
        let asks_anew = wish.full || wish.sweep;
        let same =
            known.is_some_and(|known| known.binding == *binding) && !asks_anew && wish.sink_asks.is_none();
        if let Some(open) = open.filter(|open| same && open.kind == RunKind::Full) {
            return goes_on(open, "going on with a full run that was broken off");
        }
        let window = Window { start: None, end: now };
        let kind = if wish.sweep { RunKind::Sweep } else { RunKind::Full };
        return Due { kind, window, why, reset, force, resumes: false };
    }
    if let Some(open) = open {
        return goes_on(open, "going on with a run that was broken off");
    }
    let overlap = SignedDuration::try_from(pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
    let cursor = known.and_then(|known| known.cursor).map(|cursor| cursor.min(now));
    let start = cursor.map(|from| from.checked_sub(overlap).unwrap_or(Timestamp::MIN));
    let why = start.map_or_else(String::new, |start| format!("changes since {start}"));
    let window = Window { start, end: now };
    Due { kind: RunKind::Incremental, window, why, reset: false, force: false, resumes: false }
}

/// Why a full run is due, whether what is remembered is to be forgotten, and whether it is to be ignored.
fn full_run_because(
    known: Option<&PipelineState>,
    binding: &Binding,
    wish: &Wish,
    now: Timestamp,
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
    if wish.sweep {
        return Some(("what is gone from the source is looked for".to_owned(), false, false));
    }
    if wish.compare {
        return Some(("everything is compared now and then".to_owned(), false, false));
    }
    let overlap = SignedDuration::try_from(pipeline.source.overlap()).unwrap_or(SignedDuration::MAX);
    if cursor.duration_since(now) > overlap {
        return Some((format!("the source's clock went back, from {cursor} to {now}"), false, false));
    }
    None
}
