//! How far a run is: counted by producer and worker, shown by whoever runs them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::Meter;

/// Counts of a run under way. Reading them is racy by a few records, which is right for a progress bar and wrong for
/// anything else: the ledger in the state is the truth.
#[derive(Debug, Default)]
pub struct Progress {
    expected: AtomicU64,
    read: AtomicU64,
    enqueued: AtomicU64,
    settled: AtomicU64,
    meter: Meter,
}

impl Progress {
    /// The same counted for metrics, too.
    pub fn metered(meter: Meter) -> Self {
        Self { meter, ..Self::default() }
    }

    /// Where metrics of the same work are counted.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The source says that it will be about this many records.
    pub fn expect(&self, records: u64) {
        self.expected.store(records, Ordering::Relaxed);
    }

    /// Records were read from the source.
    pub fn add_read(&self, records: u64) {
        self.read.fetch_add(records, Ordering::Relaxed);
    }

    /// Jobs were enqueued.
    pub fn add_enqueued(&self, jobs: u64) {
        self.enqueued.fetch_add(jobs, Ordering::Relaxed);
    }

    /// Jobs were settled.
    pub fn add_settled(&self, jobs: u64) {
        self.settled.fetch_add(jobs, Ordering::Relaxed);
    }

    /// Records that are expected, 0 where it is not known.
    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    /// Jobs that have been settled.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Records that need nothing more: read, and settled where there was a job.
    pub fn finished(&self) -> u64 {
        let open = self.enqueued.load(Ordering::Relaxed).saturating_sub(self.settled.load(Ordering::Relaxed));
        self.read.load(Ordering::Relaxed).saturating_sub(open)
    }
}
