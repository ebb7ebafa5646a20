//! Workers, and the calls that remote systems grant.

use jiff::Timestamp;
use shared::decimal::grouped;

use super::when::When;
use crate::operate::overview::WorkerView;
use crate::operate::quota::QuotaStatus;

/// Calls of one Zoho account.
#[derive(Debug, Clone)]
pub(in crate::page) struct QuotaView {
    pub(in crate::page) account: String,
    /// Left, and of how many; `None`: no answer has told.
    pub(in crate::page) gauge: Option<(u64, u64)>,
    pub(in crate::page) is_spent: bool,
    pub(in crate::page) words: String,
}

impl QuotaView {
    pub(in crate::page) fn of(quota: &QuotaStatus) -> Self {
        Self {
            account: quota.account.clone(),
            gauge: quota.left.zip(quota.limit),
            is_spent: quota.is_spent || quota.refused_until.is_some(),
            words: quota.text.clone(),
        }
    }
}

/// One worker process.
#[derive(Debug, Clone)]
pub(in crate::page) struct WorkerRow {
    pub(in crate::page) name: String,
    pub(in crate::page) is_alive: bool,
    pub(in crate::page) version: String,
    pub(in crate::page) lanes: String,
    pub(in crate::page) in_flight: String,
    pub(in crate::page) settled: String,
    pub(in crate::page) last: Option<When>,
    pub(in crate::page) started: When,
}

impl WorkerRow {
    pub(in crate::page) fn of(worker: &WorkerView, now: Timestamp) -> Self {
        let says = &worker.says;
        let working = says.lanes.iter().filter(|(_, _, works)| *works).count();
        Self {
            name: says.worker.to_string(),
            is_alive: worker.is_alive,
            version: says.version.clone(),
            lanes: format!("{working} of {}", says.lanes.len()),
            in_flight: grouped(says.in_flight),
            settled: grouped(says.settled),
            last: says.last_settled.map(|time| When::of(time, now)),
            started: When::of(says.started, now),
        }
    }
}
