//! When a failed attempt is due again.

use std::time::Duration;

/// The retry tiers: the delay before the second, third, ... attempt. Their sum is how long a sink may be away before
/// a job is given up. There is one queue per tier on RabbitMQ, so they are few and fixed.
pub const TIERS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
];

/// The delay after attempt number `attempt` (from 1) has failed; `None` when it was the last.
pub fn delay_after(attempt: u32) -> Option<Duration> {
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
