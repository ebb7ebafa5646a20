//! Where records go. One closed set of sinks behind one contract.

pub mod json;
pub mod odoo;
mod writer;

use shared::failure::Failure;
use shared::job::Job;
use shared::record::Outcome;

use odoo::OdooSink;

pub use writer::JsonWriter;

/// An opened sink.
#[derive(Debug)]
pub enum Sink {
    /// A JSON file.
    Json(JsonWriter),
    /// Records of an Odoo model.
    Odoo(Box<OdooSink>),
}

/// What a flush made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Records of the pipeline in the sink, where it tells without being asked record by record.
    pub records_total: Option<u64>,
    /// Bytes that were written to files.
    pub bytes_written: u64,
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
    pub async fn upsert(&mut self, jobs: &[&Job]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        match self {
            Self::Json(sink) => sink.upsert(jobs),
            Self::Odoo(sink) => sink.upsert(jobs).await,
        }
    }

    /// Makes everything that was written visible to readers. Odoo shows it already.
    pub async fn flush(&mut self) -> Result<Flushed, Failure> {
        match self {
            Self::Json(sink) => {
                let flushed = sink.flush()?;
                Ok(Flushed {
                    records_total: Some(flushed.records_total),
                    bytes_written: flushed.bytes_written,
                })
            }
            Self::Odoo(sink) => Ok(Flushed {
                records_total: Some(sink.count().await?),
                bytes_written: 0,
            }),
        }
    }

    /// How many records fit into one batch.
    pub(crate) fn batch_records(&self) -> usize {
        match self {
            Self::Json(_) => 500,
            // What one `load` takes: larger batches are not faster in Odoo, and a drain waits for one of them.
            Self::Odoo(_) => 100,
        }
    }
}
