//! Many records that fail for one reason are not bad records: the system, or what we believe of it, is.

use std::collections::VecDeque;

use shared::failure::{Class, Failure, Reason};

/// Jobs that are looked back on.
const LAST: usize = 100;

/// More of them than this, failed for one reason, stop the pipeline.
const FAILED_MAX: usize = 20;

/// The last jobs of a worker: `None` went well, `Some` was refused for that reason.
#[derive(Debug, Default)]
pub(crate) struct Breaker(VecDeque<Option<Reason>>);

impl Breaker {
    /// Jobs that went well.
    pub(crate) fn succeeded(&mut self, jobs: usize) {
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
        let alike = self.0.iter().filter(|noted| **noted == Some(failure.reason)).count();
        if alike <= FAILED_MAX {
            return None;
        }
        self.0.clear();
        let what = format!(
            "{alike} of the last {LAST} records failed for one reason, the newest with: {}",
            failure.what()
        );
        Some(Failure::systemic(failure.reason, what).advise(
            "correct the mapping or the sink, then sync again; what was given up so far is in `catalog-sync status`",
        ))
    }

    fn note(&mut self, reason: Option<Reason>) {
        if self.0.len() == LAST {
            self.0.pop_front();
        }
        self.0.push_back(reason);
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
    fn failures_for_many_reasons_or_that_pass_are_not_added_up() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILED_MAX {
            assert!(breaker.failed(&refused(Reason::BadRecord)).is_none());
            assert!(breaker.failed(&refused(Reason::Missing)).is_none());
            assert!(breaker.failed(&Failure::transient(Reason::Timeout, "late")).is_none());
        }
    }
}
