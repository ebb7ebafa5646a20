//! What is found by order: outstanding records and images, doubts, dead letters.

use std::collections::HashMap;

use super::commit::Commit;
use super::keys::{self, Generation};
use super::work::FoundLetter;
use crate::failure::{DEFECT, Failure, Reason};
use crate::job::JobKind;
use crate::record::RecordKey;
use crate::state::rules::{Change, Image, Record, Stage, Work};

pub(super) fn index_record(
    commit: &mut Commit,
    names: &Generation,
    key: &RecordKey,
    record: &Change<Record>,
) {
    let member = |record: &Record| {
        let wanted = record.wanted.as_ref().filter(|_| record.stage() == Stage::Outstanding)?;
        Some(keys::member(wanted.version, key))
    };
    let (before, after) = (member(&record.before), member(&record.after));
    if before != after {
        let index = names.outstanding(JobKind::Record);
        if let Some(member) = before {
            commit.unindex(&index, member);
        }
        if let Some(member) = after {
            commit.index(&index, 0, member);
        }
    }
    match (record.before.doubt, record.after.doubt) {
        (before, after) if before == after => {}
        (_, Some(doubt)) => commit.index(&names.doubts(), doubt.until.as_microsecond(), key.as_str()),
        (_, None) => commit.unindex(&names.doubts(), key.as_str()),
    }
}

/// An outstanding image waits for its time, or is due. Whether it went from the first to the second meanwhile is not known
/// here.
pub(super) fn index_image(commit: &mut Commit, names: &Generation, key: &RecordKey, image: &Change<Image>) {
    let place = |image: &Image| {
        let wanted = image.wanted.as_ref().filter(|_| image.stage() == Stage::Outstanding)?;
        Some((keys::member(wanted.version, key), wanted.retry_at))
    };
    let changed = |image: &Image| place(image).filter(|_| image.applied.is_some()).map(|(member, _)| member);
    let (was_changed, is_changed) = (changed(&image.before), changed(&image.after));
    if was_changed != is_changed {
        let index = names.changed_images();
        was_changed.inspect(|member| commit.unindex(&index, member));
        is_changed.inspect(|member| commit.index(&index, 0, member));
    }
    let (before, after) = (place(&image.before), place(&image.after));
    if before == after {
        return;
    }
    let (due, waiting) = (names.outstanding(JobKind::Image), names.waiting_images());
    if let Some((member, retry_at)) = before {
        commit.unindex(&due, &member);
        if retry_at.is_some() {
            commit.unindex(&waiting, &member);
            commit.unindex(&names.retry_times(), &member);
        }
    }
    match after {
        Some((member, Some(retry_at))) => {
            commit.index(&waiting, retry_at.as_microsecond(), &member);
            commit.index(&names.retry_times(), retry_at.as_microsecond(), member);
        }
        Some((member, None)) => commit.index(&due, 0, member),
        None => {}
    }
}

pub(super) fn write_letters(
    commit: &mut Commit,
    names: &Generation,
    head: &str,
    loaded: &[FoundLetter],
    work: &Work,
) -> Result<(), Failure> {
    let versions = names.letter_versions();
    let mut replaced = HashMap::new();
    for FoundLetter { kind, key, version } in loaded {
        let field = keys::letter_field(*kind, key);
        commit.expect(&versions, &field, version.as_deref());
        let known = version.as_deref().and_then(keys::of_letter_value);
        replaced.extend(known.map(|(_, reason)| (field.clone(), reason)));
        let letter = work.letters.get(&(*kind, key.clone()));
        if letter.is_some_and(|letter| letter.is_due() && letter.after.is_none()) {
            commit.unset(&versions, &field);
            commit.unset(&names.letters(), &field);
            commit.unindex(&names.letter_order(), &field);
            if let Some((_, reason)) = known {
                commit.unindex(&names.letters_by(reason), &field);
            }
        }
    }
    for letter in &work.noted {
        let field = keys::letter_field(letter.job.kind, &letter.job.key);
        let text = serde_json::to_vec(letter).map_err(|error| {
            Failure::permanent(Reason::BadRecord, "a dead letter has no JSON").advise(DEFECT).because(error)
        })?;
        let reason = letter.failure.reason;
        // A letter that is replaced, also by a later one of this very call, is no longer under its reason.
        let before = replaced.insert(field.clone(), reason);
        if let Some(before) = before.filter(|before| *before != reason) {
            commit.unindex(&names.letters_by(before), &field);
        }
        commit.set(&versions, &field, keys::letter_value(letter.job.version, reason));
        commit.set(&names.letters(), &field, text);
        let (order, by_reason) = (names.letter_order(), names.letters_by(reason));
        commit.index_newest_of([&order, &by_reason], (head, "letters"), &field);
    }
    Ok(())
}
