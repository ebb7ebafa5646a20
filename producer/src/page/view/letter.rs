//! Dead letters.

use jiff::Timestamp;
use shared::decimal::grouped;
use shared::failure::Reason;
use shared::job::JobKind;
use shared::record::PipelineName;

use super::when::When;
use crate::operate::letters::Line;

/// All letters of a pipeline with one reason.
#[derive(Debug, Clone)]
pub(in crate::page) struct Group {
    pub(in crate::page) pipeline: String,
    pub(in crate::page) reason: &'static str,
    pub(in crate::page) words: String,
    pub(in crate::page) count: String,
}

impl Group {
    pub(in crate::page) fn of(pipeline: &PipelineName, reason: Reason, count: u64) -> Self {
        Self {
            pipeline: pipeline.to_string(),
            reason: reason.label(),
            words: words(reason),
            count: grouped(count),
        }
    }
}

/// One letter.
#[derive(Debug, Clone)]
pub(in crate::page) struct LetterRow {
    pub(in crate::page) key: String,
    pub(in crate::page) what: &'static str,
    pub(in crate::page) attempts: u32,
    pub(in crate::page) at: When,
    pub(in crate::page) reason: String,
    pub(in crate::page) message: String,
}

impl LetterRow {
    pub(in crate::page) fn of(line: &Line, now: Timestamp) -> Self {
        Self {
            key: line.key.to_string(),
            what: what(line.kind),
            attempts: line.attempts,
            at: When::of(line.failure.at, now),
            reason: words(line.failure.reason),
            message: line.failure.message.clone(),
        }
    }
}

pub(in crate::page) fn what(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Record => "record",
        JobKind::Image => "image",
    }
}

/// "bad record".
pub(in crate::page) fn words(reason: Reason) -> String {
    reason.label().replace('_', " ")
}
