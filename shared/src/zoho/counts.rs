//! What a client has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

use super::request::CallKind;

/// What a client has done so far, by what it was for. Redirects are part of the call that they happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCounts {
    /// Pages of lists.
    pub list: u64,
    /// Records by id, one or a hundred at once.
    pub detail: u64,
    /// Images.
    pub image: u64,
    /// Access tokens; they do not count against the organisation's calls.
    pub token: u64,
    /// Anything else.
    pub other: u64,
    /// Bytes of bodies received.
    pub bytes_received: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    list: AtomicU64,
    detail: AtomicU64,
    image: AtomicU64,
    token: AtomicU64,
    other: AtomicU64,
    bytes_received: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> CallCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CallCounts {
            list: read(&self.list),
            detail: read(&self.detail),
            image: read(&self.image),
            token: read(&self.token),
            other: read(&self.other),
            bytes_received: read(&self.bytes_received),
        }
    }

    pub(super) fn count(&self, kind: CallKind) {
        let counter = match kind {
            CallKind::List => &self.list,
            CallKind::Detail => &self.detail,
            CallKind::Image => &self.image,
            CallKind::Token => &self.token,
            CallKind::Other => &self.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: u64) {
        self.bytes_received.fetch_add(bytes, Ordering::Relaxed);
    }
}
