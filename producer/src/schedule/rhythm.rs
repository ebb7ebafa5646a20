//! What an operator has set of a pipeline's rhythm, over what the configuration says.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Rhythm;

/// What is over the configuration's intervals. `None`: as the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    /// Runs over what changed.
    pub every: Option<Interval>,
    /// Runs that compare everything with what is wanted.
    pub compare_every: Option<Interval>,
    /// Runs that compare everything with the sink.
    pub full_every: Option<Interval>,
    /// Runs that look for what is gone.
    pub sweep_every: Option<Interval>,
}

/// An interval in whole seconds, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Not by itself.
    Never,
    /// So many seconds.
    Seconds(u64),
}

impl Interval {
    /// As a duration; `None`: never.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        }
    }
}

impl From<Option<Duration>> for Interval {
    fn from(span: Option<Duration>) -> Self {
        span.map_or(Self::Never, |span| Self::Seconds(span.as_secs()))
    }
}

impl Overrides {
    /// What is set in `newer` takes the place of ours.
    #[must_use]
    pub(crate) fn or_newer(self, newer: Self) -> Self {
        Self {
            every: newer.every.or(self.every),
            compare_every: newer.compare_every.or(self.compare_every),
            full_every: newer.full_every.or(self.full_every),
            sweep_every: newer.sweep_every.or(self.sweep_every),
        }
    }

    /// The rhythm that holds.
    pub fn over(self, configured: Rhythm) -> Rhythm {
        let of = |interval: Option<Interval>, configured| interval.map_or(configured, Interval::duration);
        Rhythm {
            every: of(self.every, Some(configured.every)).unwrap_or(configured.every),
            compare_every: of(self.compare_every, configured.compare_every),
            full_every: of(self.full_every, configured.full_every),
            sweep_every: of(self.sweep_every, configured.sweep_every),
        }
    }
}
