//! A plan for people.

use std::collections::BTreeMap;

use serde_json::Value;
use worker::sink::FieldChange;

use super::change::{Action, Change, Head, Outcome, Totals};
use crate::output::Output;
use crate::sync::summary::swept_text;

/// Changes of one action that are shown, unless all are asked for.
const SHOWN: u64 = 10;

/// Fields of one record that are shown, unless all are asked for.
const FIELDS: usize = 5;

/// Letters of one value that are shown, unless all are asked for.
const LETTERS: usize = 60;

/// Shows the changes of one pipeline as they come.
pub(crate) struct Shower {
    output: Output,
    all: bool,
    seen: BTreeMap<Action, u64>,
}

impl Shower {
    pub(crate) fn begin(output: Output, all: bool, head: &Head) -> Self {
        let kind = match head.since {
            None => "everything",
            Some(_) => "what changed",
        };
        output.line(format!("{}: {kind} ({})", head.pipeline, head.why));
        Self { output, all, seen: BTreeMap::new() }
    }

    pub(crate) fn change(&mut self, change: &Change) {
        let seen = self.seen.entry(change.action).or_default();
        *seen += 1;
        if self.all || *seen <= SHOWN {
            self.output.line(line(change, self.all));
        }
    }

    pub(crate) fn end(self, outcome: &Outcome) {
        let hidden = |action: &Action| {
            let seen = self.seen.get(action).copied().unwrap_or(0);
            (!self.all && seen > SHOWN).then(|| format!("{} more to {}", seen - SHOWN, word(*action)))
        };
        let hidden: Vec<String> = Action::ALL.iter().filter_map(hidden).collect();
        if !hidden.is_empty() {
            self.output.line(format!("  ... and {}: --all shows them", hidden.join(", ")));
        }
        self.output.line(sentence(&outcome.totals));
        if let Some(swept) = &outcome.sweep {
            self.output.line(format!("  {}.", swept_text(swept)));
        }
    }
}

fn sentence(totals: &Totals) -> String {
    let Totals { read, create, update, archive, mark, remove, bind, fail, download, unchanged, dead } =
        *totals;
    let mut text = if totals.is_nothing() {
        format!("  Nothing to do: {read} records read, all in step.")
    } else {
        let in_files = [(mark, "to mark as gone, "), (remove, "to remove, ")];
        let in_files = in_files.iter().filter(|(count, _)| *count > 0);
        let in_files: Vec<String> = in_files.map(|(count, what)| format!("{count} {what}")).collect();
        let in_files = in_files.concat();
        format!(
            "  Plan: {create} to create, {update} to update, {archive} to archive, {in_files}{bind} to bind, {download} \
             images to bring, {fail} would fail; {unchanged} of {read} records stay as they are."
        )
    };
    if dead > 0 {
        text += &format!(" {dead} stay in the dead letters.");
    }
    text
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Archive => "archive",
        Action::Mark => "mark as gone",
        Action::Remove => "remove",
        Action::Bind => "bind",
        Action::Download => "bring an image of",
        Action::Fail => "fail",
    }
}

fn line(change: &Change, all: bool) -> String {
    let sign = match change.action {
        Action::Create => '+',
        Action::Update | Action::Bind => '~',
        Action::Archive | Action::Mark | Action::Remove => '-',
        Action::Download => '^',
        Action::Fail => '!',
    };
    let mut text = format!("  {sign} {} {}", word(change.action), change.record);
    if let Some(id) = &change.sink_id {
        text += &format!(" (id {id})");
    }
    let mut parts = fields(change, all);
    if let Some(image) = &change.image {
        let old = image.old.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        parts.push(format!("image {} -> {}", short(&old, all), short(image.new.as_str(), all)));
    }
    parts.extend(change.why.clone());
    if !parts.is_empty() {
        text += &format!(": {}", parts.join(", "));
    }
    text
}

fn fields(change: &Change, all: bool) -> Vec<String> {
    let most = if all { usize::MAX } else { FIELDS };
    let is_new = change.action == Action::Create;
    let mut parts: Vec<String> =
        change.fields.iter().take(most).map(|field| of_field(field, is_new, all)).collect();
    if let Some(more) = change.fields.len().checked_sub(most).filter(|more| *more > 0) {
        parts.push(format!("{more} more fields"));
    }
    parts
}

/// One field: `name "old" -> "new"`.
pub(crate) fn of_field(change: &FieldChange, is_new: bool, all: bool) -> String {
    let value = |value: &Option<Value>| {
        let text = value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        short(&text, all)
    };
    let (field, new) = (&change.field, value(&change.new));
    if is_new { format!("{field} {new}") } else { format!("{field} {} -> {new}", value(&change.old)) }
}

fn short(text: &str, all: bool) -> String {
    if all || text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    text.chars().take(LETTERS).chain(['…']).collect()
}
