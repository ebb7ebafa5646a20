//! The calls of one organisation, of all processes that make them: those of the last minute, those under way, those that are
//! left of the day, and until when Zoho refuses more. A pure value; [`super::governor`] keeps it in the state.
//!
//! Times are by the state's clock. Where that clock was set back, what seems to lie in the future counts from now; nothing
//! ever waits for a time that no rule of Zoho explains.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::class::CallClass;
use super::clock::later;
use super::day::{Day, LONGEST, MARGIN, Telling};
use super::quota::{Limits, Quota};
use crate::http::repeat::SHORT;

/// Zoho counts the calls of any 60 seconds by when they arrive; a second more for what is slow on its way.
const MINUTE: SignedDuration = SignedDuration::from_secs(61);

/// A seat that nobody renews is free again: its process was killed.
const SEAT: SignedDuration = SignedDuration::from_secs(8);

/// How long fewer calls are under way after Zoho said that there were too many.
const NARROW: SignedDuration = SignedDuration::from_mins(10);

/// How long the one call after a block may take to show that Zoho answers again.
const TRIAL: SignedDuration = SignedDuration::from_secs(30);

/// Where the calls of the day are used up and nothing says until when.
const UNTOLD: SignedDuration = SignedDuration::from_hours(1);

/// How soon a waiting call looks again for a free seat.
const LOOK: SignedDuration = SignedDuration::from_millis(250);

/// How long a more urgent call that waits is let go ahead, unless it says so again.
const AHEAD: SignedDuration = SignedDuration::from_secs(2);

/// What the configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) per_minute: u64,
    pub(super) at_once: u64,
    pub(super) reserve_percent: u8,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Now, on this seat.
    Go(u64),
    /// Not before that; `seat`: as soon as a call ends.
    Wait { until: Timestamp, seat: bool },
    /// Not before that, which is too long to wait for.
    Refused { until: Timestamp, left: Duration, why: Why },
}

/// Why calls are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// Zoho said that there were too many in a minute.
    Minute,
    /// Zoho said that the calls of the day are used up.
    Spent,
    /// What is left of the day is kept for more urgent calls and for others.
    Kept,
}

/// What an answer told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was one.
    Well,
    /// Nothing of limits: it failed, or never came.
    Nothing,
    /// Too many calls are under way (1070).
    Crowded,
    /// No calls for so long: too many in a minute.
    Minute(Duration),
    /// No calls until the reset, or for so long.
    Spent(Option<Duration>),
}

/// A call that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) seat: u64,
    pub(super) quota: Option<Quota>,
    pub(super) told: Told,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Budget {
    /// When it was last changed.
    at: Timestamp,
    /// Calls of the last minute, by the second (since 1970) in which they began.
    recent: BTreeMap<i64, u64>,
    /// Calls under way, by the number of their admission, and until when they are believed to be.
    seats: BTreeMap<u64, Timestamp>,
    /// Admissions so far.
    admitted: u64,
    day: Option<Day>,
    minute: Option<Block>,
    spent: Option<Block>,
    narrow: Option<Narrow>,
    /// A call of this class waits; less urgent ones let it go ahead until then.
    ahead: Option<(CallClass, Timestamp)>,
}

/// No calls from then on until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Block {
    since: Timestamp,
    until: Timestamp,
}

/// Fewer calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Narrow {
    most: u64,
    until: Timestamp,
    /// Until the first call that goes well.
    trial: bool,
}

impl Budget {
    /// Whether a call of this class may be made now. Where it may, it is counted.
    pub(super) fn admit(&mut self, class: CallClass, allowed: Allowed, now: Timestamp) -> Verdict {
        let now = self.settle(now);
        if let Some(closed) = self.closed(class, allowed, now) {
            return closed;
        }
        let most = self.narrow.map_or(allowed.at_once, |narrow| narrow.most.min(allowed.at_once));
        // Images may hang for minutes each: one call at once is left for what tells of changes.
        let most = if class < CallClass::Changed { most } else { most.saturating_sub(1) };
        let free_at = self.free_at(allowed.per_minute);
        if let Some(free_at) = free_at.filter(|free_at| *free_at > now) {
            self.wait_ahead(class, later(free_at, AHEAD));
            return Verdict::Wait { until: free_at, seat: false };
        }
        if count(self.seats.len()) >= most.max(1) {
            self.wait_ahead(class, later(now, AHEAD));
            return Verdict::Wait { until: later(now, LOOK), seat: true };
        }
        match self.ahead {
            Some((urgent, _)) if urgent < class => {
                return Verdict::Wait { until: later(now, LOOK), seat: true };
            }
            Some((urgent, _)) if urgent == class => self.ahead = None,
            _ => {}
        }
        self.admitted += 1;
        *self.recent.entry(now.as_second()).or_default() += 1;
        self.seats.insert(self.admitted, later(now, SEAT));
        if let Some(day) = &mut self.day {
            day.left = day.left.saturating_sub(1);
        }
        Verdict::Go(self.admitted)
    }

    /// Until when no call of this class is made, if so.
    pub(super) fn closed(&self, class: CallClass, allowed: Allowed, now: Timestamp) -> Option<Verdict> {
        for (block, why) in [(self.spent, Why::Spent), (self.minute, Why::Minute)] {
            if let Some(Block { until, .. }) = block {
                return Some(wait_for(until, now, why));
            }
        }
        let day = self.day?;
        let kept = class.floor(day.limit, allowed.reserve_percent);
        (day.left <= kept).then(|| wait_for(later(day.resets_at, MARGIN), now, Why::Kept))
    }

    /// A call ended, and told something perhaps.
    pub(super) fn end(&mut self, ended: Ended, now: Timestamp) {
        let now = self.settle(now);
        let under_way = count(self.seats.len());
        self.seats.remove(&ended.seat);
        if let Some(quota) = ended.quota {
            self.learn(quota, ended.seat, now);
        }
        let block = |known: Option<Block>, until: Timestamp| {
            let until = until.min(later(now, LONGEST));
            let longer = known.map_or(until, |known| known.until.max(until));
            Some(Block { since: now, until: longer })
        };
        match ended.told {
            Told::Well => self.narrow = self.narrow.filter(|narrow| !narrow.trial),
            Told::Nothing => {}
            Told::Crowded => {
                let known = self.narrow.map_or(u64::MAX, |narrow| narrow.most);
                let most = known.min(under_way.saturating_sub(1)).max(1);
                self.narrow = Some(Narrow { most, until: later(now, NARROW), trial: false });
            }
            Told::Minute(wait) => self.minute = block(self.minute, later(now, signed(wait))),
            Told::Spent(wait) => {
                let reset = self.day.map(|day| later(day.resets_at, MARGIN)).filter(|reset| *reset > now);
                let until = reset.unwrap_or_else(|| later(now, wait.map_or(UNTOLD, signed)));
                if let Some(day) = &mut self.day {
                    day.left = 0;
                }
                self.spent = block(self.spent, until);
            }
        }
    }

    /// This call is still under way. Where its seat ran out and was given to another call, both are.
    pub(super) fn renew(&mut self, seat: u64, now: Timestamp) {
        let now = self.settle(now);
        self.seats.insert(seat, later(now, SEAT));
    }

    /// The state's clock went on by more than the time that passed, or this machine slept: who knows when calls were made.
    /// They count as made now.
    pub(super) fn distrust_times(&mut self, now: Timestamp) {
        let all = self.recent.values().sum();
        self.recent = BTreeMap::from([(now.as_second(), all)]);
        self.recent.retain(|_, calls| *calls > 0);
    }

    /// What is known, for those who only look.
    pub(super) fn limits(&self, now: Timestamp) -> Limits {
        let mut seen = self.clone();
        let now = seen.settle(now);
        let blocks = [(seen.spent, true), (seen.minute, false)];
        let block = blocks.into_iter().find_map(|(block, daily)| Some((block?, daily)));
        Limits {
            day: seen.day.map(|day| Quota {
                limit: day.limit,
                remaining: day.left,
                resets_at: day.resets_at,
                told_at: day.told_at.min(now),
            }),
            blocked_until: block.map(|(block, _)| block.until),
            daily: block.is_some_and(|(_, daily)| daily),
        }
    }

    /// Forgets what is over. The time to go by, which is never before the last change where clocks differ by a little.
    pub(super) fn settle(&mut self, now: Timestamp) -> Timestamp {
        let skew = self.at.duration_since(now);
        let now =
            if skew > SignedDuration::ZERO && skew < SignedDuration::from_secs(5) { self.at } else { now };
        self.at = now;
        self.forget_minute(now);
        for until in self.seats.values_mut() {
            *until = (*until).min(later(now, SEAT));
        }
        self.seats.retain(|_, until| *until > now);
        self.ahead = self.ahead.filter(|(_, until)| *until > now && *until <= later(now, MINUTE + AHEAD));
        self.narrow = self.narrow.filter(|narrow| narrow.until > now && narrow.until <= later(now, NARROW));
        let over = [open(&mut self.minute, now), open(&mut self.spent, now)];
        if over.contains(&true) && self.minute.is_none() && self.spent.is_none() {
            self.narrow = Some(Narrow { most: 1, until: later(now, TRIAL), trial: true });
        }
        if let Some(day) = &mut self.day {
            day.turn(now);
        }
        now
    }

    fn forget_minute(&mut self, now: Timestamp) {
        let second = now.as_second();
        let future: u64 = self.recent.split_off(&(second + 1)).into_values().sum();
        if future > 0 {
            *self.recent.entry(second).or_default() += future;
        }
        self.recent.retain(|began, _| gone_at(*began) > now);
    }

    /// When one more call is fewer than allowed in a minute; in the past: now.
    fn free_at(&self, per_minute: u64) -> Option<Timestamp> {
        let mut too_many = (self.recent.values().sum::<u64>() + 1).checked_sub(per_minute.max(1))?;
        for (began, calls) in &self.recent {
            if too_many == 0 {
                break;
            }
            too_many = too_many.saturating_sub(*calls);
            if too_many == 0 {
                return Some(gone_at(*began));
            }
        }
        None
    }

    fn wait_ahead(&mut self, class: CallClass, until: Timestamp) {
        if self.ahead.is_none_or(|(urgent, _)| class <= urgent) && class < CallClass::Backfill {
            self.ahead = Some((class, until));
        }
    }

    fn learn(&mut self, quota: Quota, by: u64, now: Timestamp) {
        let under_way = count(self.seats.range(by.saturating_add(1)..).count());
        let told = Telling { quota, by, admitted: self.admitted, under_way };
        self.day = told.day(self.day, now).or(self.day);
    }
}

/// Whether a block ended now.
fn open(block: &mut Option<Block>, now: Timestamp) -> bool {
    let Some(known) = block else { return false };
    if now < known.since {
        known.until = later(now, known.until.duration_since(known.since));
        known.since = now;
    }
    if known.until > now {
        return false;
    }
    *block = None;
    true
}

fn wait_for(until: Timestamp, now: Timestamp, why: Why) -> Verdict {
    let left = span(now, until);
    if left <= SHORT { Verdict::Wait { until, seat: false } } else { Verdict::Refused { until, left, why } }
}

/// When the calls of a second no longer count.
fn gone_at(began: i64) -> Timestamp {
    later(Timestamp::from_second(began.saturating_add(1)).unwrap_or(Timestamp::UNIX_EPOCH), MINUTE)
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn signed(span: Duration) -> SignedDuration {
    SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX)
}

fn count(number: usize) -> u64 {
    number as u64
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
