//! What verify found, for people.

use std::collections::BTreeMap;

use shared::record::PipelineName;

use super::finding::{Drift, Finding, Totals};
use crate::output::Output;
use crate::plan::of_field;

/// Findings of one kind that are shown, unless all are asked for.
const SHOWN: u64 = 10;

/// Shows findings as they come.
pub(crate) struct Shower {
    output: Output,
    all: bool,
    seen: BTreeMap<Drift, u64>,
}

impl Shower {
    pub(crate) fn new(output: Output, all: bool) -> Self {
        Self { output, all, seen: BTreeMap::new() }
    }

    pub(crate) fn finding(&mut self, finding: &Finding) {
        let seen = self.seen.entry(finding.drift).or_default();
        *seen += 1;
        if self.all || *seen <= SHOWN {
            self.output.line(line(finding, self.all));
        }
    }

    pub(crate) fn end(self, name: &PipelineName, totals: &Totals) {
        let hidden = |drift: &Drift| {
            let seen = self.seen.get(drift).copied().unwrap_or(0);
            (!self.all && seen > SHOWN).then(|| format!("{} more {}", seen - SHOWN, drift.label()))
        };
        let hidden: Vec<String> = Drift::ALL.iter().filter_map(hidden).collect();
        if !hidden.is_empty() {
            self.output.line(format!("  ... and {}: --all shows them", hidden.join(", ")));
        }
        self.output.text(&sentences(name, totals));
    }
}

fn line(finding: &Finding, all: bool) -> String {
    let mut text = format!("  {} {}", finding.drift.label(), finding.record);
    if let Some(id) = &finding.sink_id {
        text += &format!(" (id {id})");
    }
    let mut parts: Vec<String> = finding.fields.iter().map(|change| of_field(change, false, all)).collect();
    parts.extend(finding.why.clone());
    if !parts.is_empty() {
        text += &format!(": {}", parts.join(", "));
    }
    text
}

fn sentences(name: &PipelineName, totals: &Totals) -> String {
    let Totals { source, sink, state, in_step, archived, changing, calls, .. } = *totals;
    let count = |drift: &Drift| {
        let count = totals.of(*drift);
        (count > 0).then(|| format!("{count} {}", drift.label()))
    };
    let counts: Vec<String> = Drift::ALL.iter().filter_map(count).collect();
    let verdict =
        if counts.is_empty() { "in step".to_owned() } else { format!("NOT in step: {}", counts.join(", ")) };
    let mut text =
        format!("{name}: {verdict}.\n  {source} records in the source, {sink} in the sink, {state} in the ");
    text += &format!("state; {in_step} in step, {calls} calls.\n");
    if archived > 0 {
        text += &format!(
            "  {archived} are gone from the source, and archived, marked or kept as the pipeline says.\n"
        );
    }
    if changing > 0 {
        text += &format!("  {changing} changed while they were looked at: nothing is said of them.\n");
    }
    let Totals { images, images_unknown, images_waiting, .. } = *totals;
    if images + images_unknown + images_waiting > 0 {
        text += &format!(
            "  Images: {images} as they were written, {images_unknown} of which that is not known, {images_waiting} waiting or given up.\n"
        );
    }
    text
}
