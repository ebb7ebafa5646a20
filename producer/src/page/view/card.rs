//! One pipeline as a card.

use shared::decimal::grouped;
use std::time::Duration;

use jiff::Timestamp;
use shared::fleet::{PausedBy, Scope};
use shared::state::RunSummary;

use super::chart::Chart;
use super::run::{Mark, RunRow};
use super::when::{When, about, interval};
use crate::operate::overview::{PipelineView, Running};
use crate::operate::status::Paused;

/// Something that a person should know.
#[derive(Debug, Clone)]
pub(in crate::page) struct Alert {
    pub(in crate::page) mark: Mark,
    pub(in crate::page) title: &'static str,
    pub(in crate::page) text: String,
    pub(in crate::page) since: When,
    /// What happens next.
    pub(in crate::page) next: Option<String>,
}

/// A run under way.
#[derive(Debug, Clone)]
pub(in crate::page) struct Bar {
    pub(in crate::page) finished: u64,
    pub(in crate::page) expected: Option<u64>,
    pub(in crate::page) words: String,
}

#[derive(Debug, Clone)]
pub(in crate::page) struct Card {
    pub(in crate::page) name: String,
    pub(in crate::page) source: String,
    pub(in crate::page) sink: String,
    pub(in crate::page) chip: (Mark, &'static str),
    /// Label, number, whether it is bad.
    pub(in crate::page) figures: Vec<(&'static str, String, bool)>,
    pub(in crate::page) alerts: Vec<Alert>,
    pub(in crate::page) bar: Option<Bar>,
    pub(in crate::page) last: Option<RunRow>,
    pub(in crate::page) next: Option<(When, &'static str)>,
    pub(in crate::page) is_paused: bool,
    /// `None`: it has none.
    pub(in crate::page) images_paused: Option<bool>,
    pub(in crate::page) is_disabled: bool,
    pub(in crate::page) every: String,
    pub(in crate::page) compare_every: String,
    pub(in crate::page) full_every: String,
    pub(in crate::page) sweep_every: String,
    pub(in crate::page) chart: Chart,
    /// Where its forms lead back to.
    pub(in crate::page) back: &'static str,
}

impl Card {
    pub(in crate::page) fn of(
        view: &PipelineView,
        runs: &[RunSummary],
        now: Timestamp,
        back: &'static str,
    ) -> Self {
        let (status, schedule) = (&view.status, &view.schedule);
        let paused = |scope| status.paused.iter().any(|paused| paused.what == scope);
        let or_never = |span: Option<u64>| span.map_or_else(|| "never".to_owned(), interval);
        Self {
            name: status.pipeline.clone(),
            source: view.source.clone(),
            sink: view.sink.clone(),
            chip: chip(view),
            figures: figures(view),
            alerts: alerts(view, now),
            bar: view.running.as_ref().map(|running| bar(running, status.last_run.as_ref(), now)),
            last: status.last_run.as_ref().map(|run| RunRow::of(run, now)),
            next: schedule
                .next
                .filter(|_| view.running.is_none())
                .zip(schedule.next_kind)
                .map(|(at, kind)| (When::of(at, now), kind.label())),
            is_paused: paused(Scope::Pipeline),
            images_paused: view.images.then(|| paused(Scope::Images)),
            is_disabled: schedule.note.disabled.is_some(),
            every: interval(schedule.every_s),
            compare_every: or_never(schedule.compare_every_s),
            full_every: or_never(schedule.full_every_s),
            sweep_every: or_never(schedule.sweep_every_s),
            chart: Chart::of(runs),
            back,
        }
    }
}

fn chip(view: &PipelineView) -> (Mark, &'static str) {
    if view.status.paused.iter().any(|paused| paused.what == Scope::Pipeline) {
        return (Mark::Bad, "paused");
    }
    if view.running.is_some() {
        return (Mark::Busy, "running");
    }
    if view.schedule.note.failure.is_some() {
        return (Mark::Bad, "failing");
    }
    if view.schedule.note.disabled.is_some() {
        return (Mark::Quiet, "schedule off");
    }
    if !view.status.paused.is_empty() {
        return (Mark::Quiet, "images paused");
    }
    if view.status.last_run.is_none() { (Mark::Quiet, "never run") } else { (Mark::Good, "in step") }
}

fn figures(view: &PipelineView) -> Vec<(&'static str, String, bool)> {
    let counts = view.status.records;
    let mut figures = vec![
        ("known", grouped(counts.wanted), false),
        ("in the sink", grouped(counts.applied), false),
        ("outstanding", grouped(counts.outstanding), false),
        ("failed", grouped(counts.dead), counts.dead > 0),
    ];
    if counts.outstanding > 0 {
        figures.push(("oldest waits", about(Duration::from_secs(view.lag_s)), false));
    }
    if view.images {
        figures.push(("images in step", grouped(counts.images.applied), false));
        figures.push(("images waiting", grouped(counts.images.outstanding), false));
        figures.push(("images failed", grouped(counts.images.dead), counts.images.dead > 0));
    }
    figures
}

fn alerts(view: &PipelineView, now: Timestamp) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = view.status.paused.iter().map(|paused| pause(paused, now)).collect();
    let note = &view.schedule.note;
    if let Some(disabled) = &note.disabled {
        alerts.push(Alert {
            mark: Mark::Quiet,
            title: "Schedule switched off",
            text: disabled.why.clone(),
            since: When::of(disabled.since, now),
            next: None,
        });
    }
    if let Some(failed) = &note.failure {
        let next = note.retry.map(|(at, _)| format!("tried again {}", When::of(at, now).words));
        alerts.push(Alert {
            mark: Mark::Bad,
            title: "The last run failed",
            text: failed.why.clone(),
            since: When::of(failed.at, now),
            next: next.filter(|_| note.disabled.is_none()),
        });
    }
    alerts
}

fn pause(paused: &Paused, now: Timestamp) -> Alert {
    let Paused { what, pause } = paused;
    let title = match (what, pause.by) {
        (Scope::Pipeline, PausedBy::Hand) => "Paused by hand",
        (Scope::Pipeline, PausedBy::System) => "Paused: a system is sick",
        (Scope::Images, PausedBy::Hand) => "Images paused by hand",
        (Scope::Images, PausedBy::System) => "Images paused: a system is sick",
    };
    Alert {
        mark: if pause.by == PausedBy::Hand { Mark::Quiet } else { Mark::Bad },
        title,
        text: pause.why.clone(),
        since: When::of(pause.since, now),
        next: pause.probe_at.map(|at| format!("tried again {}", When::of(at, now).words)),
    }
}

fn bar(running: &Running, run: Option<&RunSummary>, now: Timestamp) -> Bar {
    let finished = grouped(running.finished);
    let expected = running.expected.filter(|expected| *expected > 0);
    let mut words = match expected {
        Some(expected) => {
            let percent = running.finished.min(expected) * 100 / expected;
            format!("{finished} of {} records, {percent} %", grouped(expected))
        }
        None => format!("{finished} records so far"),
    };
    if let Some(run) = run {
        let begun = Duration::try_from(now.duration_since(run.started)).unwrap_or_default();
        words += &format!(", for {}", about(begun));
        if let Some(left) = running.left_s {
            words += &format!(", about {} left", about(Duration::from_secs(left)));
        }
    }
    Bar { finished: running.finished, expected, words }
}
