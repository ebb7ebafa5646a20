//! What is left of an organisation's day, by what Zoho told and what was admitted since.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::clock::later;
use super::quota::Quota;

/// Zoho tells its reset in whole seconds, and by its own clock: a call just before it would be refused.
pub(super) const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// Zoho refuses calls for a day at the longest, and a day has up to 25 hours.
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(25);

/// Resets further apart are of different days; summer time moves them by an hour.
const DAYS_APART: SignedDuration = SignedDuration::from_hours(1);

/// An answer of the day before may come so late.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) limit: u64,
    pub(super) left: u64,
    pub(super) resets_at: Timestamp,
    pub(super) told_at: Timestamp,
    /// The admission whose answer told it.
    told_by: u64,
    /// What it told, and how many were admitted by then.
    #[serde(default)]
    told: u64,
    #[serde(default)]
    admitted: u64,
}

/// What an answer tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    pub(super) quota: Quota,
    /// The admission whose answer it is.
    pub(super) by: u64,
    /// Admissions so far.
    pub(super) admitted: u64,
    /// Calls that were admitted later than this one, and are under way.
    pub(super) under_way: u64,
}

impl Telling {
    /// The day by it and by what was known. Zoho's number is the truth: others use the same calls. Those that were admitted
    /// later than the one which told, and are under way, may not be in it. `None`: it tells nothing.
    pub(super) fn day(self, known: Option<Day>, now: Timestamp) -> Option<Day> {
        let Self { quota, by, admitted, under_way } = self;
        let reset = quota.resets_at.duration_since(quota.told_at).clamp(SignedDuration::ZERO, LONGEST);
        if reset.is_zero() {
            return None;
        }
        let resets_at = later(now, reset);
        let told = quota.remaining.min(quota.limit);
        let left = told.saturating_sub(under_way);
        let new = Day { limit: quota.limit, left, resets_at, told_at: now, told_by: by, told, admitted };
        Some(match known {
            Some(known) if resets_at.duration_since(known.resets_at).abs() <= DAYS_APART => {
                if known.limit == quota.limit && known.counts(by, told) {
                    // Where it was admitted later than the one which told, it was taken off what that told.
                    let left = (known.left + u64::from(by > known.told_by)).min(known.told);
                    Day { left, ..known }
                } else {
                    Day { resets_at: resets_at.max(known.resets_at), ..new }
                }
            }
            // Told before midnight, heard after.
            Some(known) if resets_at < known.resets_at && reset < LATE => known,
            _ => new,
        })
    }
}

impl Day {
    /// Whether Zoho had counted this call already when it told what is known: of two that were under way together, the one
    /// with more left came first, whichever was admitted or heard of first.
    fn counts(&self, admission: u64, told: u64) -> bool {
        admission <= self.admitted && told >= self.told
    }

    /// A new day has all of its calls, until an answer says otherwise.
    pub(super) fn turn(&mut self, now: Timestamp) {
        if self.resets_at.duration_since(now) > LONGEST {
            self.resets_at = later(now, LONGEST);
        }
        let over = now.duration_since(later(self.resets_at, MARGIN));
        if over.is_negative() {
            return;
        }
        let days = over.as_hours() / 24 + 1;
        self.resets_at = later(self.resets_at, SignedDuration::from_hours(24 * days));
        (self.left, self.told) = (self.limit, self.limit);
        self.told_by = 0;
    }
}
