//! From a delivery to a job: what is none of ours goes to the strays, what a newer version made waits for a newer worker.

use std::time::Duration;

use shared::failure::{Class, Failure, Reason, STRANGER};
use shared::job::{Attempt, DecodeError, Job, JobKind};
use shared::queue::{Delivery, TIERS, Undecoded};
use shared::record::PipelineName;
use shared::state::{State, Stray};

/// When a job of a newer format is looked at again.
const NEWER: Duration = TIERS[2];

/// The job of a delivery, if it is one of this pipeline and kind; else the delivery is settled.
pub(crate) async fn unpack(
    state: &State,
    pipeline: &PipelineName,
    kind: JobKind,
    mut delivery: Delivery,
) -> Result<Option<(Job, Delivery)>, Failure> {
    let (whose, queue, payload, what) = match delivery.take_job() {
        Ok(job) if job.pipeline == *pipeline && job.kind == kind => return Ok(Some((job, delivery))),
        Ok(job) => {
            let what = format!(
                "a job of kind '{}' and pipeline '{}' came to {pipeline}.{}",
                job.kind.label(),
                job.pipeline,
                kind.label()
            );
            (job.pipeline.clone(), format!("{pipeline}.{}", kind.label()), job.encode(), what)
        }
        Err(Undecoded { error: error @ DecodeError::Newer(_), .. }) => {
            tracing::warn!(%pipeline, "{error}; it waits for a newer worker");
            delivery.postpone(NEWER).await?;
            return Ok(None);
        }
        Err(Undecoded { error, payload, queue }) => (pipeline.clone(), queue, payload, error.to_string()),
    };
    tracing::error!(%pipeline, queue, bytes = payload.len(), "{what}");
    let failure = Failure::new(Class::Poison, Reason::Undecodable, what).advise(STRANGER);
    let stray = Stray::new(&queue, Some(whose), Attempt::of(&failure), &payload);
    state.bury_stray(&stray).await?;
    delivery.ack().await?;
    Ok(None)
}
