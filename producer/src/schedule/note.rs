//! What the state holds of a pipeline's schedule, and what follows from it. Times are the store's: no clock is asked
//! here.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::config::Rhythm;
use shared::failure::{Class, Failure, Reason};

use super::rhythm::Overrides;
use crate::start::Wish;

/// Waits after failed runs; the last one is repeated.
const RETRIES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
];

/// No system asks for a longer wait (a day of Zoho has up to 25 hours): a time further away is left of a clock that went back.
const LONGEST: Duration = Duration::from_hours(25);

/// Retries within this time of a counted failure are the same failed run, where `every` is not longer.
const COUNT_APART: Duration = Duration::from_mins(1);

/// What a scheduled run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What changed.
    Incremental,
    /// Everything, compared with what is wanted.
    Compare,
    /// Everything, compared with what the sink really holds.
    Full,
    /// Everything, compared with what is wanted; and what the source no longer has is looked for.
    Sweep,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Incremental, Self::Compare, Self::Full, Self::Sweep];

    /// As text.
    pub fn label(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Compare => "compare",
            Self::Full => "full",
            Self::Sweep => "sweep",
        }
    }

    /// Whether a run of this kind does what one of the `other` does.
    pub(super) fn does(self, other: Self) -> bool {
        match other {
            Self::Incremental => true,
            Self::Compare => self != Self::Incremental,
            Self::Full | Self::Sweep => self == other,
        }
    }

    /// What the run is asked for.
    pub fn wish(self) -> Wish {
        Wish {
            full: self == Self::Full,
            compare: self == Self::Compare,
            sweep: self == Self::Sweep,
            ..Wish::default()
        }
    }
}

/// Whose doing it is that a schedule is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledBy {
    /// An operator's.
    Hand,
    /// Too many failed runs in a row.
    Failures,
}

/// Why nothing is run by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Whose doing it is.
    pub by: DisabledBy,
    /// In words.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// How the last run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// When it ended.
    pub at: Timestamp,
    /// The failure's label.
    pub reason: Reason,
    /// In words.
    pub why: String,
}

/// What is remembered of a schedule, in one memo of the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// What an operator set.
    pub overrides: Overrides,
    /// Why nothing is run by itself; `None`: it is enabled.
    pub disabled: Option<Disabled>,
    /// A run that an operator asked for and that has not begun.
    pub asked: Option<Kind>,
    /// When the first run began.
    pub first: Option<Timestamp>,
    /// When the last run of a kind began.
    pub began: BTreeMap<Kind, Timestamp>,
    /// Failed runs since the last one that did not fail.
    pub failed: u32,
    /// When the last of them was counted.
    pub counted: Option<Timestamp>,
    /// Tries since then, whether counted or not.
    pub tries: u32,
    /// When a run is tried again after a failure, and which.
    pub retry: Option<(Timestamp, Kind)>,
    /// How the last run failed; `None`: it did not.
    pub failure: Option<Failed>,
    /// When a run last ended well.
    pub succeeded: Option<Timestamp>,
}

/// What the history says, for a schedule that has run nothing yet, and of what is broken off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// Begin of the newest run.
    pub last_run: Option<Timestamp>,
    /// When everything was last read.
    pub last_full: Option<Timestamp>,
    /// A run was broken off: going on with it is due at once.
    pub broken_off: bool,
    /// That was a sweep: it is begun anew.
    pub sweep_broken_off: bool,
}

/// The next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// When; not after now: it is due.
    pub at: Timestamp,
    /// What it reads.
    pub kind: Kind,
}

impl Note {
    /// The next run; `None` while nothing is run by itself. Intervals are elapsed time from the begin of the run before.
    /// What was missed is run once. A begin in the future (the clock went back) counts as now.
    pub fn next(&self, configured: Rhythm, past: Past, now: Timestamp) -> Option<Next> {
        if let Some(kind) = self.asked {
            return Some(Next { at: now, kind });
        }
        if self.disabled.is_some() {
            return None;
        }
        if let Some((at, kind)) = self.retry {
            return Some(Next { at: at.min(later(now, LONGEST)), kind });
        }
        let rhythm = self.overrides.over(configured);
        let after = |last: Timestamp, interval| later(last.min(now), interval);
        let first = match self.began_at(Kind::Incremental).or(past.last_run) {
            Some(last) if !past.broken_off => after(last, rhythm.every),
            _ => now,
        };
        // Before everything was read once, the next run reads everything anyway.
        let whole = |kind, interval: Option<Duration>| {
            // By what was last read as a whole, a daily compare would put the rarer kinds off for ever.
            let since = self.first.filter(|_| kind != Kind::Compare).or(past.last_full);
            let last = self.began_at(kind).or(since)?;
            interval.map(|interval| after(last, interval))
        };
        let compare = whole(Kind::Compare, rhythm.compare_every);
        let full = whole(Kind::Full, rhythm.full_every);
        let sweep = if past.sweep_broken_off { Some(now) } else { whole(Kind::Sweep, rhythm.sweep_every) };
        let at = [Some(first), compare, full, sweep].into_iter().flatten().min()?;
        let strongest = [(full, Kind::Full), (sweep, Kind::Sweep), (compare, Kind::Compare)];
        let due = |time: Option<Timestamp>| time.is_some_and(|time| time <= at.max(now));
        let kind =
            strongest.into_iter().find(|(time, _)| due(*time)).map_or(Kind::Incremental, |(_, kind)| kind);
        Some(Next { at, kind })
    }

    /// When a run last began that did what this kind does.
    fn began_at(&self, kind: Kind) -> Option<Timestamp> {
        self.began.iter().filter(|(known, _)| known.does(kind)).map(|(_, at)| *at).max()
    }

    /// A run begins.
    pub fn begin(&mut self, kind: Kind, now: Timestamp) {
        self.first.get_or_insert(now);
        self.began.insert(kind, now);
        self.asked = None;
        self.retry = None;
    }

    /// A scheduled run ended well, or nothing failed that is the pipeline's.
    pub(crate) fn succeed(&mut self, now: Timestamp) {
        (self.failed, self.tries, self.counted, self.retry, self.failure) = (0, 0, None, None, None);
        self.succeeded = Some(now);
    }

    /// A scheduled run failed: it is tried again after a while. A failure that is the pipeline's is counted, once in
    /// `every` (a minute at least): an outage of seconds disables nothing. After `disable_after` of them the schedule is
    /// disabled; the answer says whether it was now. `None`: the failure is not the pipeline's.
    pub fn fail(
        &mut self,
        kind: Kind,
        failure: &Failure,
        configured: Rhythm,
        disable_after: Option<u32>,
        now: Timestamp,
    ) -> bool {
        let wait = usize::try_from(self.tries).ok().and_then(|tries| RETRIES.get(tries)).or(RETRIES.last());
        let wait = wait.copied().unwrap_or_default().max(failure.retry_after.unwrap_or_default());
        if is_others(failure) {
            // Somebody else's enumeration, or a file that nobody has opened, says nothing of this pipeline's systems.
            self.retry =
                Some((later(now, Duration::from_secs(1).max(failure.retry_after.unwrap_or_default())), kind));
            return false;
        }
        self.tries = self.tries.saturating_add(1);
        self.retry = Some((later(now, wait), kind));
        self.failure = Some(Failed { at: now, reason: failure.reason, why: failure.to_string() });
        let Some(disable_after) = disable_after.filter(|_| !failure.is_throttle()) else {
            self.failure = None;
            return false;
        };
        let apart = self.overrides.over(configured).every.max(COUNT_APART);
        if self.counted.is_some_and(|counted| counted <= now && now < later(counted, apart)) {
            return false;
        }
        self.counted = Some(now);
        self.failed = self.failed.saturating_add(1);
        if self.failed < disable_after || self.disabled.is_some() {
            return false;
        }
        let runs =
            if self.failed == 1 { "a run".to_owned() } else { format!("{} runs in a row", self.failed) };
        let why = format!("{runs} failed, the last one so: {failure}");
        self.disabled = Some(Disabled { by: DisabledBy::Failures, why, since: now });
        true
    }

    /// A run that nobody scheduled ended so. One that ended well shows that what failed is well again.
    pub fn saw(&mut self, failure: Option<&Failure>, now: Timestamp) {
        match failure {
            None => self.succeed(now),
            Some(failure)
                if failure.class == Class::Interrupted || is_others(failure) || failure.is_throttle() => {}
            Some(failure) => {
                self.failure = Some(Failed { at: now, reason: failure.reason, why: failure.to_string() });
            }
        }
    }

    /// An operator lets it run by itself again; what failed last is due at once.
    pub fn enable(&mut self) {
        self.disabled = None;
        (self.failed, self.tries, self.counted) = (0, 0, None);
        self.retry = self.retry.map(|(_, kind)| (Timestamp::UNIX_EPOCH, kind));
    }
}

fn is_others(failure: &Failure) -> bool {
    matches!(failure.reason, Reason::Locked | Reason::Missing)
}

fn later(time: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}
