//! Whether this process makes progress, and whether it is ready.
//!
//! Liveness is about our own progress: waiting for a broker, for a full queue or for a paused pipeline is no reason to be
//! killed, and a restart would not help. A step that is ours to end and does not end is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Longer than any call, with its repetitions, may take.
const STALL: Duration = Duration::from_mins(10);

/// What is under way, and what is ready.
#[derive(Debug)]
pub(super) struct Vitals(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    progressed: Instant,
    /// Begin of each step under way.
    steps: BTreeMap<u64, Instant>,
    next: u64,
    /// Parts of this process, and whether each does its work.
    parts: BTreeMap<String, bool>,
}

impl Default for Vitals {
    fn default() -> Self {
        let inner =
            Inner { progressed: Instant::now(), steps: BTreeMap::new(), next: 0, parts: BTreeMap::new() };
        Self(Mutex::new(inner))
    }
}

impl Vitals {
    /// A step begins; its number.
    pub(super) fn begin(&self) -> u64 {
        let mut inner = self.lock();
        inner.next += 1;
        let step = inner.next;
        inner.steps.insert(step, Instant::now());
        step
    }

    /// It ended, however.
    pub(super) fn end(&self, step: u64) {
        let mut inner = self.lock();
        inner.steps.remove(&step);
        inner.progressed = Instant::now();
    }

    /// Something was brought to its end.
    pub(super) fn progress(&self) {
        self.lock().progressed = Instant::now();
    }

    /// A part of this process works, or does not.
    pub(super) fn part(&self, name: String, works: bool) {
        self.lock().parts.insert(name, works);
    }

    pub(super) fn steps(&self) -> usize {
        self.lock().steps.len()
    }

    pub(super) fn progressed_at(&self) -> Timestamp {
        let age = self.lock().progressed.elapsed();
        Timestamp::now().checked_sub(age).unwrap_or_default()
    }

    /// What does not end, in words.
    pub(super) fn stalled(&self) -> Option<String> {
        self.stalled_for(STALL)
    }

    fn stalled_for(&self, stall: Duration) -> Option<String> {
        let inner = self.lock();
        let oldest = inner.steps.values().min()?.elapsed();
        let silent = inner.progressed.elapsed();
        (oldest >= stall && silent >= stall).then(|| {
            format!("no progress for {} s, a step is under way for {} s", silent.as_secs(), oldest.as_secs())
        })
    }

    /// Why this process is not ready, in words: no part of it works.
    pub(super) fn idle(&self) -> Option<String> {
        let inner = self.lock();
        if inner.parts.values().any(|works| *works) {
            return None;
        }
        let parts: Vec<&str> = inner.parts.keys().map(String::as_str).collect();
        Some(if parts.is_empty() {
            "starting".to_owned()
        } else {
            format!("not working: {}", parts.join(", "))
        })
    }

    /// Nothing of ours panics while it holds this.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_that_does_not_end_is_a_stall() {
        let vitals = Vitals::default();
        assert_eq!(vitals.stalled_for(Duration::ZERO), None, "nothing is under way: idle is alive");
        let step = vitals.begin();
        assert!(vitals.stalled_for(Duration::ZERO).is_some());
        assert_eq!(vitals.stalled(), None, "it has just begun");
        vitals.end(step);
        assert_eq!(vitals.stalled_for(Duration::ZERO), None);
    }

    #[test]
    fn one_working_part_is_ready() {
        let vitals = Vitals::default();
        assert_eq!(vitals.idle().as_deref(), Some("starting"));
        vitals.part("items.record".to_owned(), false);
        assert_eq!(vitals.idle().as_deref(), Some("not working: items.record"));
        vitals.part("items.image".to_owned(), true);
        assert_eq!(vitals.idle(), None);
    }
}
