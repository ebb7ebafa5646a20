//! Waiting for conditions of other processes.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Looks until there is something, for so long at most.
pub(crate) fn until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Does what blocks. On a runtime of several threads the other tasks of this one move to another.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
