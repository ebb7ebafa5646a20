//! What the calls of an organisation suffice for.

use std::fmt;

use serde::Serialize;

use super::class::CallClass;
use super::quota::Limits;
use crate::decimal::grouped;

/// How long the images that wait will take, one call each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Images that wait.
    pub images: u64,
    /// Of them, what is left of today suffices for so many; `None`: no answer has told how much is left.
    pub today: Option<u64>,
    /// And each later day for so many more.
    pub per_day: Option<u64>,
    /// Days until all are there, today included. `None`: never on this plan, or nobody knows.
    pub days: Option<u64>,
    /// Calls in a minute.
    pub per_minute: u64,
}

impl Forecast {
    /// For so many images.
    pub fn of(images: u64, limits: &Limits, reserve_percent: u8, calls_per_minute: usize) -> Self {
        let class = CallClass::Backfill;
        let today = limits.day.map(|day| if limits.daily { 0 } else { class.left(&day, reserve_percent) });
        let per_day = limits.day.map(|day| day.limit.saturating_sub(class.floor(day.limit, reserve_percent)));
        let days = match (today, per_day) {
            _ if images == 0 => Some(0),
            (Some(today), _) if today >= images => Some(1),
            (Some(today), Some(per_day)) if per_day > 0 => Some(1 + (images - today).div_ceil(per_day)),
            _ => None,
        };
        Self { images, today, per_day, days, per_minute: calls_per_minute.max(1) as u64 }
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.images {
            0 => return f.write_str("no image waits"),
            1 => f.write_str("1 image left")?,
            images => write!(f, "{} images left", grouped(images))?,
        }
        match self.days {
            Some(days) if days > 1 => write!(f, ", about {} days at this plan", grouped(days)),
            None if self.per_day == Some(0) => f.write_str(", and this plan has no calls for them"),
            _ => match self.images.div_ceil(self.per_minute) {
                1 => f.write_str(", about a minute"),
                minutes if minutes < 100 => write!(f, ", about {minutes} minutes"),
                minutes => write!(f, ", about {} hours", grouped(minutes.div_ceil(60))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::zoho::Quota;

    fn limits(limit: u64, remaining: u64) -> Limits {
        let (resets_at, told_at) = (Timestamp::MAX, Timestamp::UNIX_EPOCH);
        Limits { day: Some(Quota { limit, remaining, resets_at, told_at }), ..Limits::default() }
    }

    fn told(images: u64, limits: &Limits) -> String {
        Forecast::of(images, limits, 5, 80).to_string()
    }

    #[test]
    fn days_and_minutes_are_told_as_a_person_would() {
        assert_eq!(told(0, &limits(5_000, 5_000)), "no image waits");
        assert_eq!(told(1, &limits(5_000, 5_000)), "1 image left, about a minute");
        assert_eq!(told(1_240, &limits(5_000, 5_000)), "1,240 images left, about 16 minutes");
        assert_eq!(told(1_240, &limits(5_000, 1_000)), "1,240 images left, about 2 days at this plan");
        assert_eq!(told(20_000, &limits(5_000, 4_900)), "20,000 images left, about 5 days at this plan");
        assert_eq!(told(12_000, &Limits::default()), "12,000 images left, about 3 hours");
        assert_eq!(told(3, &limits(0, 0)), "3 images left, and this plan has no calls for them");
        let spent = Limits { daily: true, ..limits(5_000, 5_000) };
        assert_eq!(told(3, &spent), "3 images left, about 2 days at this plan");
    }
}
