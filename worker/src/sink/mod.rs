//! Where records go. One closed set of sinks behind one contract.

pub mod json;
mod look;
pub mod odoo;
mod writer;

use std::time::Duration;

use shared::failure::Failure;
use shared::job::Job;
use shared::record::Outcome;

use odoo::OdooSink;

pub use look::{FieldChange, Looked, SinkView};
pub use writer::JsonWriter;

/// An opened sink.
#[derive(Debug)]
pub enum Sink {
    /// A JSON file.
    Json(Box<JsonWriter>),
    /// Records of an Odoo model.
    Odoo(Box<OdooSink>),
    /// None: every record counts as created.
    #[cfg(feature = "bench")]
    Nowhere,
}

/// A job for a sink.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// It.
    pub job: &'a Job,
    /// The record may be archived because it was gone: where no column says whether it is, it is brought back.
    pub was_gone: bool,
}

/// How one job ended in the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    /// Created, updated, unchanged or gone.
    pub outcome: Outcome,
    /// What the sink calls the record, where that differs from its key.
    pub sink_id: Option<String>,
}

impl Sink {
    /// Writes a batch, archives or removes what is gone: one answer per job, in their order. When it returns, what it
    /// answers is durable.
    ///
    /// # Errors
    /// The outer failure is the sink's own (disk full, not reachable) and says nothing of any job.
    pub async fn bring(&mut self, asked: &[Asked<'_>]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        match self {
            Self::Json(sink) => {
                let jobs: Vec<&Job> = asked.iter().map(|asked| asked.job).collect();
                sink.upsert(&jobs)
            }
            Self::Odoo(sink) => sink.bring(asked).await,
            #[cfg(feature = "bench")]
            Self::Nowhere => {
                let created = Upserted { outcome: Outcome::Created, sink_id: None };
                Ok(vec![Ok(created); asked.len()])
            }
        }
    }

    /// Makes everything that was written visible to readers (Odoo shows it already) and counts the pipeline's records
    /// in the sink.
    pub async fn flush(&mut self) -> Result<Option<u64>, Failure> {
        match self {
            Self::Json(sink) => Ok(Some(sink.flush()?.records_total)),
            Self::Odoo(sink) => sink.count().await.map(Some),
            #[cfg(feature = "bench")]
            Self::Nowhere => Ok(None),
        }
    }

    /// How many records fit into one batch.
    pub(crate) fn batch_records(&self) -> usize {
        match self {
            Self::Json(_) => 500,
            // What one `load` takes: larger batches are not faster in Odoo, and a drain waits for one of them.
            Self::Odoo(_) => 100,
            #[cfg(feature = "bench")]
            Self::Nowhere => 500,
        }
    }

    /// How long a call that was broken off may still change the sink. A file is written by this process alone: what it
    /// had not written when it died never will be.
    pub fn late(&self) -> Duration {
        match self {
            Self::Json(_) => Duration::ZERO,
            Self::Odoo(sink) => sink.late(),
            #[cfg(feature = "bench")]
            Self::Nowhere => Duration::ZERO,
        }
    }

    /// Bytes written to files since the sink was opened: journals, indexes and what readers see.
    pub fn bytes_written(&self) -> u64 {
        match self {
            Self::Json(sink) => sink.bytes_written(),
            Self::Odoo(_) => 0,
            #[cfg(feature = "bench")]
            Self::Nowhere => 0,
        }
    }
}
