//! The short repetition of calls that change nothing. Longer waits belong to the queue.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use crate::failure::{Class, Failure};

/// A wait that is told and not longer than this is kept inside the call.
pub(crate) const SHORT: Duration = Duration::from_secs(5);

/// Up to three tries in about a second while the failure is transient, or within a wait that we were told and that is
/// [`SHORT`]. A call that ran into its time limit is not repeated: it would again.
pub(crate) async fn repeated<T, F, Fut>(system: &'static str, attempt: F) -> Result<T, Failure>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Failure>>,
{
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_times(2)
        .with_jitter();
    attempt
        .retry(backoff)
        .when(is_worth_it)
        .adjust(|failure, wait| Some(wait?.max(failure.retry_after.unwrap_or_default())))
        .notify(|failure, wait| tracing::debug!(system, %failure, ?wait, "a call is repeated"))
        .await
}

fn is_worth_it(failure: &Failure) -> bool {
    use crate::failure::Reason::Timeout;
    let short = failure.retry_after.is_none_or(|wait| wait <= SHORT);
    match failure.class {
        Class::Transient => failure.reason != Timeout && short,
        Class::Throttled => failure.retry_after.is_some() && short,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    fn throttled() -> Failure {
        Failure::new(Class::Throttled, Reason::Throttled, "slow down")
    }

    #[test]
    fn only_what_passes_soon_is_repeated() {
        assert!(is_worth_it(&Failure::transient(Reason::Unreachable, "broke")));
        assert!(is_worth_it(&throttled().after(Duration::from_secs(2))));
        for failure in [
            Failure::transient(Reason::Timeout, "too slow"),
            Failure::permanent(Reason::Missing, "gone"),
            Failure::systemic(Reason::Rights, "no"),
            throttled(),
            throttled().after(Duration::from_hours(1)),
        ] {
            assert!(!is_worth_it(&failure), "{failure}");
        }
    }
}
