//! When a failed attempt is due again.

use std::time::Duration;

use shared::queue::TIERS;

/// A wait whose length nobody told.
pub(crate) const SOON: Duration = TIERS[0];

/// The delay after attempt number `attempt` (from 1) has failed; `None` when it was the last.
pub(crate) fn delay_after(attempt: u32) -> Option<Duration> {
    TIERS.get(attempt.checked_sub(1)? as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_end() {
        let delays: Vec<_> = (1..=6).map(delay_after).collect();
        assert!(delays.windows(2).all(|pair| pair[1].is_none() || pair[0] < pair[1]));
        assert_eq!(delays.last(), Some(&None));
        assert_eq!(delay_after(0), None);
    }
}
