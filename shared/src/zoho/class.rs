//! What a call is for, and so which calls go first where there are not enough.

use serde::{Deserialize, Serialize};

use super::quota::Quota;

/// What a call is for, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallClass {
    /// A page of a list: without it, nothing is known of any change.
    List,
    /// Records by id.
    Detail,
    /// An image in place of another one that the sink has.
    Changed,
    /// An image that the sink never had: a catalogue's first load takes days, and may.
    Backfill,
}

impl CallClass {
    /// From the most urgent to the least.
    pub const ALL: [Self; 4] = [Self::List, Self::Detail, Self::Changed, Self::Backfill];

    /// As text, the same as in JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Detail => "detail",
            Self::Changed => "changed",
            Self::Backfill => "backfill",
        }
    }

    /// Calls of the day that this class leaves for others: the reserve, and of the less urgent classes a little more for
    /// the more urgent ones.
    pub fn floor(self, limit: u64, reserve_percent: u8) -> u64 {
        let more = match self {
            Self::List => 0,
            Self::Detail => 1,
            Self::Changed => 2,
            Self::Backfill => 3,
        };
        limit.saturating_mul(u64::from(reserve_percent) + more) / 100
    }

    /// Calls of the day that this class may still make.
    pub fn left(self, day: &Quota, reserve_percent: u8) -> u64 {
        day.remaining.saturating_sub(self.floor(day.limit, reserve_percent))
    }
}
