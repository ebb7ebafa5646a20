//! The summary at the end of a sync.

use producer::sweep::Swept;
use serde::Serialize;
use shared::utc::in_utc;

use super::report::{PipelineJson, PipelineReport};
use crate::output::table;

#[derive(Serialize)]
struct SyncJson<'a> {
    pipelines: Vec<PipelineJson<'a>>,
}

/// The form in `--json`.
pub(crate) fn object(reports: &[PipelineReport]) -> impl Serialize {
    SyncJson { pipelines: reports.iter().map(PipelineReport::json).collect() }
}

/// A table and a sentence or two for each pipeline.
pub(crate) fn text(reports: &[PipelineReport]) -> String {
    let heading = ["", "read", "created", "updated", "unchanged", "failed", "total after merge", "seconds"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for report in reports {
        let ledger = &report.ledger;
        rows.push(vec![
            report.pipeline.to_string(),
            ledger.seen.to_string(),
            ledger.created.to_string(),
            ledger.updated.to_string(),
            (ledger.unchanged + ledger.unchanged_at_source + ledger.superseded).to_string(),
            (ledger.dead + ledger.dead_at_source).to_string(),
            report.records_total.map_or_else(|| "-".to_owned(), |total| total.to_string()),
            format!("{:.2}", report.took.as_secs_f64()),
        ]);
    }
    let mut text = format!("\n{}\n", table(&rows));
    for report in reports {
        text.push_str(&sentence(report));
    }
    text
}

fn sentence(report: &PipelineReport) -> String {
    let name = capitalised(report.pipeline.as_str());
    if let Some(failure) = &report.failure {
        return format!("{name} NOT synced: {failure:#}\n");
    }
    if let Some(why) = &report.paused {
        let resume = format!("`catalog-sync resume {}` lets it go on", report.pipeline);
        return format!("{name} NOT synced: it is paused ({why}); {resume}\n");
    }
    let ledger = &report.ledger;
    let mut lines = format!("{name} synced: {}.", ledger.created + ledger.updated + ledger.gone);
    if let Some(total) = report.records_total {
        lines += &format!(" Total {} after merge: {total}.", report.pipeline);
    }
    lines.push('\n');
    let redriven = (ledger.dead + ledger.dead_at_source).saturating_sub(report.still_dead);
    if report.still_dead > 0 {
        lines += &format!("{name} failed: {}; `catalog-sync status` says why.\n", report.still_dead);
    }
    if redriven > 0 {
        lines += &format!("{name} that had failed before, and no longer do: {redriven}.\n");
    }
    if ledger.gone > 0 && report.sweep.is_none() {
        lines += &format!("{name} gone from the source, and archived, marked or removed: {}.\n", ledger.gone);
    }
    if let Some(swept) = &report.sweep {
        lines += &format!("{name} {}.\n", swept_text(swept));
    }
    if let Some(images) = &report.images {
        lines += &format!(
            "{name} images: {} in step, {} failed, {} waiting.\n",
            images.applied, images.dead, images.outstanding
        );
        if let Some(why) = &images.stopped {
            lines += &format!("{name} images wait for the next sync: {why}\n");
        }
    }
    if let Some(start) = report.next_start {
        lines += &format!("Next sync will fetch records modified after: {}\n", in_utc(start));
    }
    lines
}

/// What a sweep found, in words.
pub(crate) fn swept_text(swept: &Swept) -> String {
    if let Some(why) = &swept.refused {
        return format!("swept, and nothing was archived or removed: {why}");
    }
    let mut text = format!("swept: {} of {} known records are gone", swept.gone, swept.known);
    if swept.left > 0 {
        text += &format!(", {} left the selection", swept.left);
    }
    if swept.there > 0 {
        text += &format!(", {} are there although the list lacks them", swept.there);
    }
    text
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
