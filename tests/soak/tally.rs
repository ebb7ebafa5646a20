//! What is counted, and the closing line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::Found;
use crate::fault::Kind;

/// Counts of a whole soak.
#[derive(Debug)]
pub(crate) struct Tally {
    minutes: u64,
    seed: u64,
    faults: BTreeMap<Kind, u32>,
    /// Of each round with its faults: until a user's change was in both sinks.
    recoveries: Vec<Duration>,
    /// Rounds after which a change did not come through in time.
    stuck: u32,
    pub(crate) edits: u64,
    /// Processes that ended by themselves, because a service was not there when they started.
    pub(crate) restarted: u32,
    /// Records that were given up (dead letters), and came with a new version.
    pub(crate) given_up: usize,
    pub(crate) records: usize,
    /// What was still wrong when it was waited for no more.
    pub(crate) found: Found,
    pub(crate) end: Duration,
}

impl Tally {
    pub(crate) fn new(minutes: u64, seed: u64) -> Self {
        Self {
            minutes,
            seed,
            faults: BTreeMap::new(),
            recoveries: Vec::new(),
            stuck: 0,
            edits: 0,
            restarted: 0,
            given_up: 0,
            records: 0,
            found: Found::default(),
            end: Duration::ZERO,
        }
    }

    pub(crate) fn befell(&mut self, kind: Kind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn recovered(&mut self, took: Option<Duration>) {
        match took {
            Some(took) => self.recoveries.push(took),
            None => self.stuck += 1,
        }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.found.is_nothing() && self.stuck == 0
    }

    pub(crate) fn line(&self) -> String {
        let kills: u32 = self.faults.iter().filter(|(kind, _)| kind.is_kill()).map(|(_, count)| count).sum();
        let faults: Vec<String> =
            self.faults.iter().map(|(kind, count)| format!("{} {count}", kind.label())).collect();
        let mut sorted = self.recoveries.clone();
        sorted.sort();
        let seconds = |at: usize| sorted.get(at).map_or(0.0, Duration::as_secs_f64);
        let Found { lost, doubled, stale, .. } = &self.found;
        format!(
            "soak: {} minutes, seed {}, {kills} kills, {} faults ({}), {} ended by themselves, {} records, {} edits, \
             {lost} lost, {doubled} doubled, {stale} stale, {} given up with a reason, {} stuck; \
             seconds to recover: median {:.1}, worst {:.1}; all in step {:.1} s after the last fault",
            self.minutes,
            self.seed,
            self.faults.values().sum::<u32>(),
            faults.join(", "),
            self.restarted,
            self.records,
            self.edits,
            self.given_up,
            self.stuck,
            seconds(sorted.len() / 2),
            seconds(sorted.len().saturating_sub(1)),
            self.end.as_secs_f64()
        )
    }
}
