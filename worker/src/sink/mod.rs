//! Where records go. One closed set of sinks behind one contract.

pub mod json;
mod writer;

use shared::failure::Failure;
use shared::job::Job;
use shared::record::Outcome;

use json::Flushed;

pub use writer::JsonWriter;

/// An opened sink.
#[derive(Debug)]
pub enum Sink {
    /// A JSON file.
    Json(JsonWriter),
}

/// How one job ended in the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    /// Created, updated or unchanged.
    pub outcome: Outcome,
    /// What the sink calls the record, where that differs from its key.
    pub sink_id: Option<String>,
}

impl Sink {
    /// Writes a batch: one answer per job, in their order. When it returns, what it answers is durable.
    ///
    /// # Errors
    /// The outer failure is the sink's own (disk full, not reachable) and says nothing of any job.
    pub fn upsert(&mut self, jobs: &[&Job]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        match self {
            Self::Json(sink) => sink.upsert(jobs),
        }
    }

    /// Makes everything that was written visible to readers.
    pub fn flush(&mut self) -> Result<Flushed, Failure> {
        match self {
            Self::Json(sink) => sink.flush(),
        }
    }

    /// Bytes written to files since the sink was opened: journals, indexes and what readers see.
    pub fn bytes_written(&self) -> u64 {
        match self {
            Self::Json(sink) => sink.bytes_written(),
        }
    }
}
