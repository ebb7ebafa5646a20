//! Dead letters in words.

use producer::operate::letters::{LetterPage, Line};
use shared::failure::Reason;
use shared::job::{Attempt, JobKind};
use shared::state::DeadLetter;
use shared::utc::in_utc;

pub(super) fn page(page: &LetterPage, reason: Option<Reason>) -> String {
    let counts: Vec<String> =
        page.reasons.iter().map(|count| format!("{} {}", count.reason.label(), count.letters)).collect();
    let mut lines = vec![format!("{}: {} dead letters: {}", page.pipeline, page.kept, counts.join(", "))];
    lines.extend(page.letters.iter().map(line));
    if let Some(next) = page.next {
        let with_reason = reason.map_or_else(String::new, |reason| format!(" --reason {}", reason.label()));
        lines.push(format!(
            "  ... older ones: `catalog-sync dead list --pipeline {}{with_reason} --before {next}`",
            page.pipeline
        ));
    }
    format!("{}\n", lines.join("\n"))
}

fn line(line: &Line) -> String {
    let Line { number, kind, key, attempts, failure } = line;
    let tried = tried(*attempts);
    format!(
        "  #{number} {} {key}, {}, {}, {tried}: {}",
        what(*kind),
        in_utc(failure.at),
        failure.reason.label(),
        failure.message
    )
}

/// How often a job was tried, in words.
pub(crate) fn tried(attempts: u32) -> String {
    match attempts {
        0 => "not tried".to_owned(),
        1 => "1 attempt".to_owned(),
        more => format!("{more} attempts"),
    }
}

fn what(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Record => "record",
        JobKind::Image => "image of record",
    }
}

pub(super) fn letter(letter: &DeadLetter) -> String {
    let DeadLetter { job, failure, unmapped } = letter;
    let mut lines = vec![
        format!(
            "{} {} of {}, version {}, of run {}",
            what(job.kind),
            job.key,
            job.pipeline,
            job.version,
            job.run
        ),
        format!("  given up {}: {} ({})", in_utc(failure.at), failure.reason.label(), failure.class.label()),
        format!("  {}", failure.message),
    ];
    let attempt = |failed: &Attempt| {
        format!("  before, {}: {}: {}", in_utc(failed.at), failed.reason.label(), failed.message)
    };
    lines.extend(job.failures.iter().rev().map(attempt));
    lines.extend(job.source_time.as_ref().map(|at| format!("  changed in the source: {at}")));
    lines.extend(job.image.as_ref().map(|image| format!("  image: {image}")));
    lines.extend(job.sink_id.as_ref().map(|id| format!("  in the sink: {id}")));
    if !job.values.is_empty() {
        lines.push(if *unmapped { "  values of the source:" } else { "  values:" }.to_owned());
        lines.extend(job.values.iter().map(|(name, value)| format!("    {name} = {value}")));
    }
    format!("{}\n", lines.join("\n"))
}
