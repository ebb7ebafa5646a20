//! Strays: messages in our queues that are no job of ours.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::job::Attempt;
use crate::record::PipelineName;

/// Bytes of a payload that are kept.
const PAYLOAD_MAX: usize = 64 * 1024;

/// A message that cannot be a job of any record: kept to be looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Where it was found.
    pub queue: String,
    /// Whose queue that is.
    pub pipeline: Option<PipelineName>,
    /// When.
    pub at: Timestamp,
    /// Why it is no job.
    pub failure: Attempt,
    /// Its first 64 KiB, with what is no text replaced.
    pub payload: String,
    /// Bytes of the whole payload.
    pub bytes: u64,
}

impl Stray {
    /// A message just found.
    pub fn new(queue: &str, pipeline: Option<PipelineName>, failure: Attempt, payload: &[u8]) -> Self {
        let kept = payload.get(..PAYLOAD_MAX).unwrap_or(payload);
        Self {
            queue: queue.to_owned(),
            pipeline,
            at: failure.at,
            failure,
            payload: String::from_utf8_lossy(kept).into_owned(),
            bytes: payload.len() as u64,
        }
    }

    /// The same message found again has the same.
    pub fn id(&self) -> Checksum {
        Checksum::of_value(&serde_json::json!([self.queue, self.bytes, self.payload]))
    }
}
