//! How fast a run goes now: by what was seen of it in the last minute. Its begin says nothing of a run that was broken off and is gone on
//! with hours later, or that stood still in a pause.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use shared::record::RunId;

/// What is older says nothing of now.
const WINDOW: Duration = Duration::from_mins(1);

/// Nothing is told from less.
const LEAST: Duration = Duration::from_secs(2);

/// What was seen sooner after the last time is not kept.
const APART: Duration = Duration::from_millis(500);

/// Runs that are watched at a time.
const RUNS: usize = 100;

/// How many records of each run were finished, and when it was looked.
#[derive(Debug, Default)]
pub(super) struct Pace(HashMap<RunId, VecDeque<(Instant, u64)>>);

impl Pace {
    /// Notes how far a run is, and says how long `left` records take; `None` where nobody can say.
    pub(super) fn left(&mut self, run: RunId, now: Instant, finished: u64, left: u64) -> Option<Duration> {
        if self.0.len() >= RUNS && !self.0.contains_key(&run) {
            self.0.clear();
        }
        let seen = self.0.entry(run).or_default();
        if seen.back().is_some_and(|(_, before)| *before > finished) {
            seen.clear();
        }
        if seen.back().is_none_or(|(at, _)| now.duration_since(*at) >= APART) {
            seen.push_back((now, finished));
        }
        // The first one is as old as the window where there is one so old.
        while seen.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            seen.pop_front();
        }
        let (since, before) = *seen.front()?;
        let (took, done) = (now.duration_since(since), finished.saturating_sub(before));
        if took < LEAST || done == 0 {
            return None;
        }
        let millis = u128::from(left) * took.as_millis() / u128::from(done);
        u64::try_from(millis).ok().map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_that_of_the_last_minute_not_of_the_begin() {
        let (mut pace, run, start) = (Pace::default(), RunId(7), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        // Gone on with at 500 of 1,000, whenever it began.
        assert_eq!(pace.left(run, after(0), 500, 500), None);
        assert_eq!(pace.left(run, after(1), 510, 490), None);
        assert_eq!(pace.left(run, after(10), 600, 400), Some(Duration::from_secs(40)));
        // It stands still: after a while nobody can say.
        assert_eq!(pace.left(run, after(70), 600, 400), None);
        assert_eq!(pace.left(run, after(75), 650, 350).map(|left| left.as_secs()), Some(455));
        // And goes on.
        assert_eq!(pace.left(run, after(140), 800, 200).map(|left| left.as_secs()), Some(86));
        assert_eq!(pace.left(RunId(8), after(141), 800, 200), None, "another run");
        assert_eq!(pace.left(run, after(142), 10, 200), None, "a state that begins anew");
    }
}
