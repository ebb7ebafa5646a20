//! One record.

use jiff::Timestamp;
use serde_json::Value;
use shared::job::Attempt;
use shared::state::{Begun, DeadLetter, Sight, Stage};

use super::letter::{what, words};
use super::run::Mark;
use super::when::When;
use crate::operate::why::Asked;

/// Characters of a value that are shown.
const VALUE_CHARACTERS: usize = 400;

/// Everything that is known of one record.
#[derive(Debug, Clone)]
pub(in crate::page) struct RecordView {
    pub(in crate::page) stage: (Mark, &'static str),
    /// In one sentence.
    pub(in crate::page) sentence: &'static str,
    pub(in crate::page) facts: Vec<(&'static str, String)>,
    pub(in crate::page) run: Option<u64>,
    pub(in crate::page) image_stage: Option<(Mark, &'static str)>,
    pub(in crate::page) image_facts: Vec<(&'static str, String)>,
    pub(in crate::page) letters: Vec<LetterView>,
}

/// What the source has.
#[derive(Debug, Clone)]
pub(in crate::page) struct SourceView {
    /// In one sentence.
    pub(in crate::page) sentence: String,
    /// It cannot be used as it is.
    pub(in crate::page) is_bad: bool,
    /// What the mapping makes of it.
    pub(in crate::page) values: Vec<(String, String)>,
}

impl SourceView {
    /// `None` where it was not asked.
    pub(in crate::page) fn of(asked: &Asked) -> Option<Self> {
        let bare = |sentence: String| Some(Self { sentence, is_bad: false, values: Vec::new() });
        let source = match asked {
            Asked::NotAsked => return None,
            Asked::Gone => return bare("The source has no such record.".to_owned()),
            Asked::Away(why) => return bare(format!("The source gave no answer: {why}.")),
            Asked::Has(source) => source,
        };
        let changed = source.time.as_ref().map_or_else(String::new, |time| format!(", changed {time}"));
        let sentence = match (&source.unmappable, source.is_wanted) {
            (Some(why), _) => format!("The source has it{changed}, and it cannot be mapped: {why}."),
            (None, true) => format!("The source has what is wanted{changed}."),
            (None, false) => format!("The source has something else than is wanted{changed}."),
        };
        let mut values = of_values(source.values.iter().flatten());
        values.extend(source.image.as_ref().map(|image| ("image".to_owned(), image.to_string())));
        Some(Self { sentence, is_bad: source.unmappable.is_some(), values })
    }
}

fn of_values<'a>(values: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<(String, String)> {
    values.map(|(column, value)| (column.clone(), value_text(value))).collect()
}

/// What was given up.
#[derive(Debug, Clone)]
pub(in crate::page) struct LetterView {
    pub(in crate::page) what: &'static str,
    pub(in crate::page) attempts: u32,
    pub(in crate::page) last: AttemptView,
    /// Oldest first.
    pub(in crate::page) earlier: Vec<AttemptView>,
    pub(in crate::page) values: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(in crate::page) struct AttemptView {
    pub(in crate::page) at: When,
    pub(in crate::page) reason: String,
    pub(in crate::page) message: String,
}

impl RecordView {
    pub(in crate::page) fn of(sight: &Sight, now: Timestamp) -> Self {
        let letters = [&sight.letter, &sight.image_letter];
        let has_image = sight.image.is_some() || sight.known.applied_image.is_some();
        Self {
            stage: stage(sight.known.stage),
            sentence: sentence(sight),
            facts: facts(sight, now),
            run: sight.run.map(|run| run.0),
            image_stage: has_image.then(|| stage(sight.known.image_stage)),
            image_facts: image_facts(sight, now),
            letters: letters.into_iter().flatten().map(|letter| LetterView::of(letter, now)).collect(),
        }
    }
}

impl LetterView {
    fn of(letter: &DeadLetter, now: Timestamp) -> Self {
        Self {
            what: what(letter.job.kind),
            attempts: letter.job.attempt,
            last: AttemptView::of(&letter.failure, now),
            earlier: letter.job.failures.iter().map(|failure| AttemptView::of(failure, now)).collect(),
            values: of_values(letter.job.values.iter()),
        }
    }
}

impl AttemptView {
    fn of(attempt: &Attempt, now: Timestamp) -> Self {
        Self {
            at: When::of(attempt.at, now),
            reason: words(attempt.reason),
            message: attempt.message.clone(),
        }
    }
}

fn stage(stage: Stage) -> (Mark, &'static str) {
    match stage {
        Stage::Unknown => (Mark::Quiet, "unknown"),
        Stage::Outstanding => (Mark::Busy, "outstanding"),
        Stage::Applied => (Mark::Good, "in the sink"),
        Stage::Dead => (Mark::Bad, "failed"),
    }
}

fn sentence(sight: &Sight) -> &'static str {
    match sight.known.stage {
        Stage::Applied => "The sink has what the source showed last.",
        Stage::Dead if sight.known.applied.is_some() => {
            "The newest change was given up; the sink has an older one."
        }
        Stage::Dead => "It was given up, and the sink never had it.",
        Stage::Outstanding if sight.dirty => {
            "A late write may have gone over the newest values: the next run compares and repairs."
        }
        Stage::Outstanding if sight.begun.as_ref().is_some_and(|begun| begun.alive) => {
            "A worker has it in hand."
        }
        Stage::Outstanding if sight.letter.is_some() => "It was redriven and waits for a worker.",
        Stage::Outstanding => "It waits for a worker.",
        Stage::Unknown => "Only a job of it was ever seen.",
    }
}

fn facts(sight: &Sight, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |label, value: Option<String>| facts.extend(value.map(|value| (label, value)));
    fact("in the sink as", sight.known.sink_id.clone());
    fact("wanted version", sight.known.wanted.as_ref().map(|stand| stand.version.to_string()));
    fact("applied version", sight.known.applied.as_ref().map(|stand| stand.version.to_string()));
    fact("outstanding since", sight.since.map(|since| said(since, now)));
    fact("begun", sight.begun.as_ref().map(begun));
    fact("in doubt until", sight.doubt_until.map(|until| said(until, now)));
    facts
}

fn image_facts(sight: &Sight, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |label, value: Option<String>| facts.extend(value.map(|value| (label, value)));
    let image = sight.image.as_ref();
    fact("in the source", image.and_then(|image| image.reference.as_ref()).map(ToString::to_string));
    fact("in the sink", sight.known.applied_image.as_ref().map(|image| image.reference.to_string()));
    fact("outstanding since", image.and_then(|image| image.since).map(|since| said(since, now)));
    fact("next attempt", image.filter(|image| image.since.is_some()).map(|image| image.attempt.to_string()));
    fact("not before", image.and_then(|image| image.retry_at).map(|at| said(at, now)));
    fact("begun", image.and_then(|image| image.begun.as_ref()).map(begun));
    let last = image.and_then(|image| image.failures.last());
    fact("failed last", last.map(|failure| failure.message.clone()));
    facts
}

fn said(time: Timestamp, now: Timestamp) -> String {
    let When { words, exact, .. } = When::of(time, now);
    format!("{words} ({exact})")
}

fn begun(begun: &Begun) -> String {
    let times = if begun.times == 1 { String::new() } else { format!(", {} times", begun.times) };
    match &begun.worker {
        Some(worker) if begun.alive => format!("by {worker}, which is alive{times}"),
        Some(worker) => format!("by {worker}{times}"),
        None => format!("by a process that is gone{times}"),
    }
}

fn value_text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_CHARACTERS {
        return text;
    }
    text.chars().take(VALUE_CHARACTERS).chain(['…']).collect()
}
