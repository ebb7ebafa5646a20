//! Started marks: who begins a job leaves one, and whoever ends it takes it away. One that stays is a worker's death.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use crate::record::{Version, WorkerId};

/// A started mark of a record or of an image.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::state) struct Mark {
    /// What was begun.
    pub(in crate::state) version: Version,
    /// How often it was begun without an end.
    pub(in crate::state) count: u32,
    /// Who began it last; `None`: a process of which nothing is known any more.
    pub(in crate::state) worker: Option<WorkerId>,
}

/// The answer to a claim whose job is neither overtaken nor applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marked {
    /// It is marked.
    Ours {
        /// Marks of this version that were there before.
        marks: u32,
        /// The version that another worker had begun when it died.
        taken_over: Option<Version>,
    },
    /// It is not marked: another worker has it in hand.
    Held,
    /// It is not marked: somebody died over it, and more are claimed with it than may be.
    Suspect {
        /// With so many in all it may be claimed.
        at_most: usize,
    },
}

/// Who marks, and what is known of the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marking<'a> {
    pub(super) worker: &'a WorkerId,
    pub(super) alive: &'a BTreeSet<WorkerId>,
    /// How many are claimed at once.
    pub(super) together: usize,
}

impl Marking<'_> {
    /// Marks that the work on a version begins.
    pub(super) fn mark(self, started: &mut Option<Mark>, version: Version) -> Marked {
        let others = started.as_ref().filter(|mark| mark.worker.as_ref() != Some(self.worker));
        if others.and_then(|mark| mark.worker.as_ref()).is_some_and(|worker| self.alive.contains(worker)) {
            return Marked::Held;
        }
        let taken_over = others.map(|mark| mark.version);
        let marks = started.as_ref().filter(|mark| mark.version == version).map_or(0, |mark| mark.count);
        let at_most = together_max(marks);
        if self.together > at_most {
            return Marked::Suspect { at_most };
        }
        *started = Some(Mark { version, count: marks.saturating_add(1), worker: Some(self.worker.clone()) });
        Marked::Ours { marks, taken_over }
    }
}

/// How many jobs may be claimed at once, by the marks of one of them. Whoever kills its workers is looked for in two steps,
/// among ten and then alone: a batch of a hundred innocents costs ten calls to the sink, not a hundred.
fn together_max(marks: u32) -> usize {
    match marks {
        0 => usize::MAX,
        1 => 10,
        _ => 1,
    }
}

/// Takes the mark of a worker back; the answer is the version that it had begun.
pub(super) fn release(started: &mut Option<Mark>, worker: &WorkerId) -> Option<Version> {
    started.take_if(|mark| mark.worker.as_ref() == Some(worker)).map(|mark| mark.version)
}

/// A job of this version ended in the sink or in the dead letters: its mark goes, one of a newer version stays.
pub(super) fn unmark(started: &mut Option<Mark>, version: Version) {
    started.take_if(|mark| mark.version <= version);
}

/// A worker brought a job of this version to its end: its own mark goes, too, where the same values were wanted again
/// meanwhile and took the mark along. Left behind, it would hold the record for as long as that worker lives.
pub(super) fn unmark_by(started: &mut Option<Mark>, version: Version, worker: &WorkerId) {
    unmark(started, version);
    release(started, worker);
}

/// The name of the memo by which a worker shows that it is alive.
pub(in crate::state) fn presence_of(worker: &WorkerId) -> String {
    format!("worker/{worker}")
}

/// What is read of that memo.
#[derive(Deserialize)]
struct Presence {
    until: Timestamp,
}

/// Whether the worker with this memo is alive. One without, or with one that cannot be read, is not.
pub(super) fn is_alive(memo: Option<&str>, now: Timestamp) -> bool {
    let presence = memo.and_then(|text| serde_json::from_str::<Presence>(text).ok());
    presence.is_some_and(|presence| presence.until > now)
}
