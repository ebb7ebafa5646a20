//! What a sink has of records, and what an upsert would make of it: found and compared by the code that writes, so that
//! looking and writing never disagree, and without writing anything.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::config::Gone;
use shared::failure::Failure;
use shared::job::Job;
use shared::record::RecordKey;

use super::json::{JsonRow, JsonView};
use super::odoo::OdooSink;

/// A column that an upsert would write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The column, as the pipeline names it.
    pub field: String,
    /// What the sink has, in its own form; `None` where it has no such field, or no such record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it would have; `None` where the field would go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// What an upsert of a record would do.
#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// The sink lacks it: it would be made.
    Missing {
        /// With these values.
        fields: Vec<FieldChange>,
    },
    /// It would be changed.
    Different {
        /// What the sink calls it, where that differs from its key.
        sink_id: Option<String>,
        /// It was found by its values and would be given our external id.
        binds: bool,
        /// What would be written; none where it would be bound alone.
        fields: Vec<FieldChange>,
    },
    /// Nothing.
    Same {
        /// What the sink calls it, where that differs from its key.
        sink_id: Option<String>,
    },
}

/// A sink that is looked at and never written.
#[derive(Debug)]
pub enum SinkView {
    /// A JSON file.
    Json(Box<JsonView>),
    /// Records of an Odoo model.
    Odoo(Box<OdooSink>),
}

impl SinkView {
    /// What an upsert of these jobs would do: one answer per job, in their order. No key may be there twice.
    ///
    /// # Errors
    /// Of a job: why the sink would refuse it, as far as that can be told beforehand. The outer failure is the sink's own.
    pub async fn look(&mut self, jobs: &[&Job]) -> Result<Vec<Result<Looked, Failure>>, Failure> {
        match self {
            Self::Json(view) => tokio::task::block_in_place(|| {
                jobs.iter().map(|job| view.look(&JsonRow { key: &job.key, values: &job.values })).collect()
            }),
            Self::Odoo(sink) => sink.look(jobs).await,
        }
    }

    /// What would be done with these records if they were gone from the source: one answer per key, in their order;
    /// [`Looked::Same`] where there is nothing to do, never [`Looked::Missing`].
    ///
    /// # Errors
    /// The sink's own.
    pub async fn look_gone(&mut self, keys: &[RecordKey], how: Gone) -> Result<Vec<Looked>, Failure> {
        match (self, how) {
            (_, Gone::Keep) => Ok(keys.iter().map(|_| Looked::Same { sink_id: None }).collect()),
            (Self::Json(view), how) => {
                tokio::task::block_in_place(|| keys.iter().map(|key| view.look_gone(key, how)).collect())
            }
            (Self::Odoo(sink), _) => sink.look_gone(keys).await,
        }
    }
}
