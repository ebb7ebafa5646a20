//! The two services that the processes of a fleet meet at, opened for one of them.

use crate::config::{Config, Fleet};
use crate::failure::Failure;
use crate::job::JobKind;
use crate::queue::{Lane, Queue};
use crate::state::State;

/// Bytes of one job: far above any record, below what a broker takes in one piece.
const JOB_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The state and the queue of a fleet.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// In Redis.
    pub state: State,
    /// On `RabbitMQ`.
    pub queue: Queue,
    /// This process in words: role, host and number.
    pub name: String,
}

impl Meeting {
    /// Opens both for a role ("producer", "worker", "sync"), after a few tries where they are not there yet.
    ///
    /// # Errors
    /// Which of the two cannot be reached or signed in to.
    pub async fn open(config: &Config, fleet: &Fleet, role: &str) -> Result<Self, Failure> {
        let name = format!("{role} {} {}", crate::platform::host(), std::process::id());
        let state = open_state(fleet).await?;
        let queue = Queue::rabbit(fleet.rabbit(lanes(config), name.clone(), JOB_BYTES_MAX)?).await?;
        Ok(Self { state, queue, name })
    }
}

/// The state of a fleet alone, for whoever only looks.
///
/// # Errors
/// Why it cannot be reached or signed in to.
pub async fn open_state(fleet: &Fleet) -> Result<State, Failure> {
    State::open_redis(&fleet.redis()).await
}

/// Signs in to the broker and out again; declares nothing of any pipeline.
///
/// # Errors
/// Why it cannot be reached or signed in to.
pub async fn knock_at_broker(fleet: &Fleet, role: &str) -> Result<(), Failure> {
    let name = format!("{role} {} {}", crate::platform::host(), std::process::id());
    let queue = Queue::rabbit(fleet.rabbit(Vec::new(), name, JOB_BYTES_MAX)?).await?;
    queue.close();
    queue.closed().await;
    Ok(())
}

/// One queue per pipeline for records, and one for images where the sink takes them.
fn lanes(config: &Config) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for pipeline in &config.pipelines {
        let lane = |kind, single| Lane { pipeline: pipeline.name.clone(), kind, single };
        lanes.push(lane(JobKind::Record, pipeline.has_one_writer()));
        if pipeline.takes_images() {
            lanes.push(lane(JobKind::Image, false));
        }
    }
    lanes
}
