//! How many bytes of images may be in the memory at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the budget is counted in: a permit is 1 kB.
const UNIT: usize = 1_000;

/// Permits at most, some 268 GB: fewer than a semaphore takes on any machine.
const MOST: u32 = 1 << 28;

/// A number of bytes that is shared by all images under way.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    permits: Arc<Semaphore>,
    total: u32,
}

/// A part of a budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation(OwnedSemaphorePermit);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let total = units(bytes).max(1);
        Self { permits: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// Waits until this many bytes are free; first come, first served, so that a large image is not starved by small
    /// ones. More than the whole budget is the whole budget.
    pub(super) async fn reserve(&self, bytes: usize) -> Reservation {
        let permits = Arc::clone(&self.permits)
            .acquire_many_owned(units(bytes).min(self.total))
            .await
            .expect("the semaphore is never closed");
        Reservation(permits)
    }

    /// Bytes that nobody has reserved.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.permits.available_permits() * UNIT
    }
}

impl Reservation {
    /// It has become clear that fewer bytes are needed.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let surplus = self.0.num_permits().saturating_sub(units(bytes) as usize);
        drop(self.0.split(surplus));
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_free_is_waited_for() {
        let budget = Budget::new(10_000);
        let mut first = budget.reserve(7_001).await;
        let soon = Duration::from_secs(1);
        assert!(timeout(soon, budget.reserve(2_001)).await.is_err());
        first.shrink(5_000);
        let second = timeout(soon, budget.reserve(5_000)).await.unwrap();
        first.shrink(9_000);
        assert!(timeout(soon, budget.reserve(1)).await.is_err());
        drop((first, second));
        assert!(timeout(soon, budget.reserve(10_000)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn one_image_larger_than_the_budget_passes_alone() {
        let budget = Budget::new(10_000);
        let first = budget.reserve(usize::MAX).await;
        assert!(timeout(Duration::from_secs(1), budget.reserve(1)).await.is_err());
        drop(first);
        assert!(timeout(Duration::from_secs(1), budget.reserve(1)).await.is_ok());
    }
}
