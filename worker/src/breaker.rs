//! Many records that fail for one reason are not bad records: the system, or what we believe of it, is.

use std::collections::VecDeque;

use shared::failure::{Class, Failure, Reason};

/// Jobs that are looked back on.
const LAST: usize = 100;

/// More of them than this, failed for one reason, stop the pipeline.
const FAILED_MAX: usize = 20;

/// The same before anything has gone well in a trial.
const TRIAL_MAX: usize = 2;

/// The last jobs of a worker: `None` went well, `Some` was refused for that reason.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    jobs: VecDeque<Option<Reason>>,
    /// The pipeline is paused, and this is the try whether it is well again: nothing has gone well yet.
    is_trial: bool,
}

impl Breaker {
    /// For a try whether a sick system is well again: a few failures alike before anything goes well are enough.
    pub(crate) fn on_trial() -> Self {
        Self { is_trial: true, ..Self::default() }
    }

    /// Jobs that went well.
    pub(crate) fn succeeded(&mut self, jobs: usize) {
        self.is_trial &= jobs == 0;
        for _ in 0..jobs.min(LAST) {
            self.note(None);
        }
    }

    /// A job that failed. When too many of the last ones failed alike, the systemic failure to stop with; the job is
    /// not to be given up then.
    pub(crate) fn failed(&mut self, failure: &Failure) -> Option<Failure> {
        if failure.class != Class::Permanent {
            return None;
        }
        self.note(Some(failure.reason));
        let alike = self.jobs.iter().filter(|noted| **noted == Some(failure.reason)).count();
        let most = if self.is_trial { TRIAL_MAX } else { FAILED_MAX };
        if alike <= most {
            return None;
        }
        self.jobs.clear();
        let what = format!(
            "{alike} of the last {LAST} records failed for one reason, the newest with: {}",
            failure.what()
        );
        Some(Failure::systemic(failure.reason, what).advise(
            "correct the mapping or the sink, then sync again; what was given up so far is in `catalog-sync status`",
        ))
    }

    fn note(&mut self, reason: Option<Reason>) {
        if self.jobs.len() == LAST {
            self.jobs.pop_front();
        }
        self.jobs.push_back(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason) -> Failure {
        Failure::permanent(reason, "no")
    }

    #[test]
    fn one_bad_record_in_five_is_still_the_record() {
        let mut breaker = Breaker::default();
        for _ in 0..1_000 {
            assert!(breaker.failed(&refused(Reason::BadRecord)).is_none());
            breaker.succeeded(4);
        }
    }

    #[test]
    fn more_than_that_for_one_reason_is_the_system() {
        let mut breaker = Breaker::default();
        breaker.succeeded(500);
        let stops = (1..100).find(|_| breaker.failed(&refused(Reason::BadRecord)).is_some());
        assert_eq!(stops, Some(FAILED_MAX + 1));
    }

    #[test]
    fn a_trial_ends_sooner_until_something_goes_well() {
        let mut breaker = Breaker::on_trial();
        let stops = (1..100).find(|_| breaker.failed(&refused(Reason::BadRecord)).is_some());
        assert_eq!(stops, Some(TRIAL_MAX + 1));
        breaker.succeeded(1);
        let stops = (1..100).find(|_| breaker.failed(&refused(Reason::BadRecord)).is_some());
        assert_eq!(stops, Some(FAILED_MAX + 1));
    }

    #[test]
    fn failures_for_many_reasons_or_that_pass_are_not_added_up() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILED_MAX {
            assert!(breaker.failed(&refused(Reason::BadRecord)).is_none());
            assert!(breaker.failed(&refused(Reason::Missing)).is_none());
            assert!(breaker.failed(&Failure::transient(Reason::Timeout, "late")).is_none());
        }
    }
}
