//! Runs.

use shared::decimal::grouped;
use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::state::{RunEnd, RunKind, RunSummary};
use shared::telemetry::Spent;
use shared::utc::in_utc;

use super::when::{When, about};

/// How a run stands: the class of its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::page) enum Mark {
    Good,
    Busy,
    Quiet,
    Bad,
}

impl Mark {
    pub(in crate::page) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Quiet => "quiet",
            Self::Bad => "bad",
        }
    }
}

/// A row of the history.
#[derive(Debug, Clone)]
pub(in crate::page) struct RunRow {
    pub(in crate::page) id: u64,
    pub(in crate::page) pipeline: String,
    pub(in crate::page) kind: &'static str,
    pub(in crate::page) began: When,
    pub(in crate::page) took: String,
    pub(in crate::page) read: String,
    pub(in crate::page) created: String,
    pub(in crate::page) updated: String,
    pub(in crate::page) unchanged: String,
    pub(in crate::page) failed: String,
    pub(in crate::page) has_failed: bool,
    pub(in crate::page) end: &'static str,
    pub(in crate::page) mark: Mark,
}

impl RunRow {
    pub(in crate::page) fn of(run: &RunSummary, now: Timestamp) -> Self {
        let ledger = run.ledger;
        let failed = ledger.dead + ledger.dead_at_source;
        let (end, mark) = end(run);
        Self {
            id: run.id.0,
            pipeline: run.pipeline.to_string(),
            kind: kind(run.kind),
            began: When::of(run.started, now),
            took: took(run),
            read: grouped(ledger.seen),
            created: grouped(ledger.created),
            updated: grouped(ledger.updated + ledger.gone),
            unchanged: grouped(ledger.unchanged + ledger.unchanged_at_source + ledger.superseded),
            failed: grouped(failed),
            has_failed: failed > 0,
            end,
            mark,
        }
    }
}

/// A page about one run.
#[derive(Debug, Clone)]
pub(in crate::page) struct RunPage {
    pub(in crate::page) row: RunRow,
    pub(in crate::page) why: Option<String>,
    pub(in crate::page) window: String,
    /// Read = these.
    pub(in crate::page) read: Vec<(&'static str, String)>,
    /// Enqueued = these.
    pub(in crate::page) enqueued: Vec<(&'static str, String)>,
    pub(in crate::page) enqueued_sum: String,
    pub(in crate::page) calls: Vec<(String, String)>,
    pub(in crate::page) failures: Vec<(String, String)>,
}

impl RunPage {
    pub(in crate::page) fn of(run: &RunSummary, spent: Option<&Spent>, began: When) -> Self {
        let ledger = run.ledger;
        let counts = |counts: Option<&BTreeMap<String, u64>>| {
            counts.into_iter().flatten().map(|(label, count)| (label.clone(), grouped(*count))).collect()
        };
        Self {
            row: RunRow { began, ..RunRow::of(run, run.started) },
            why: match &run.end {
                Some(RunEnd::Failed(why)) => Some(why.clone()),
                _ => None,
            },
            window: format!(
                "{} to {}",
                run.window.start.map_or_else(|| "the beginning".to_owned(), in_utc),
                in_utc(run.window.end)
            ),
            read: vec![
                ("unchanged", grouped(ledger.unchanged_at_source)),
                ("enqueued", grouped(ledger.enqueued)),
                ("failed before", grouped(ledger.dead_at_source)),
            ],
            enqueued: vec![
                ("created", grouped(ledger.created)),
                ("updated", grouped(ledger.updated)),
                ("unchanged in the sink", grouped(ledger.unchanged)),
                ("gone", grouped(ledger.gone)),
                ("superseded", grouped(ledger.superseded)),
                ("failed", grouped(ledger.dead)),
                ("outstanding", grouped(ledger.outstanding())),
            ],
            enqueued_sum: grouped(ledger.enqueued),
            calls: counts(spent.map(|spent| &spent.calls)),
            failures: counts(spent.map(|spent| &spent.failures)),
        }
    }
}

pub(in crate::page) fn kind(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Full => "full",
        RunKind::Sweep => "sweep",
        RunKind::Incremental => "incremental",
        RunKind::Chosen => "chosen",
    }
}

pub(in crate::page) fn took(run: &RunSummary) -> String {
    let end = run.settled.or(run.ended);
    let span = end.and_then(|end| end.duration_since(run.started).try_into().ok());
    span.map_or_else(
        || "–".to_owned(),
        |span: std::time::Duration| {
            if span.as_secs() < 10 { format!("{:.1} s", span.as_secs_f64()) } else { about(span) }
        },
    )
}

/// In words, and as a mark.
pub(in crate::page) fn end(run: &RunSummary) -> (&'static str, Mark) {
    match &run.end {
        None => ("under way", Mark::Busy),
        Some(RunEnd::Complete) if run.ledger.outstanding() > 0 => ("working on it", Mark::Busy),
        Some(RunEnd::Complete) if run.ledger.dead > 0 => ("complete, with failures", Mark::Bad),
        Some(RunEnd::Complete) => ("complete", Mark::Good),
        Some(RunEnd::Failed(_)) => ("failed", Mark::Bad),
        Some(RunEnd::Interrupted) => ("broken off", Mark::Quiet),
    }
}
