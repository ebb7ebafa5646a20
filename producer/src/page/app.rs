//! What all requests share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::config::{Config, Pipeline};
use shared::failure::Failure;
use shared::queue::Queue;
use shared::state::State;
use shared::systems::Systems;
use tokio::sync::Semaphore;

use super::pace::Pace;
use super::refusal::Refusal;
use super::session;
use crate::operate::overview::{Overview, PipelineView};

/// However many look, the state is asked once in this time.
const FRESH: Duration = Duration::from_millis(900);

/// Pages that are kept up to date at a time.
const VIEWERS: usize = 64;

/// Wrong tokens that are answered, slowly, at a time.
const GUESSES: usize = 4;

#[derive(Debug, Clone)]
pub(super) struct App(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    /// Sources and sinks, where a record is looked up; nothing is connected before.
    pub(super) systems: Systems,
    /// Where redriven jobs go; `None` on one machine, where the next run enqueues them.
    pub(super) queue: Option<Queue>,
    /// In every form where nobody signs in.
    pub(super) form_token: String,
    pub(super) viewers: Arc<Semaphore>,
    pub(super) guesses: Semaphore,
    looked: Mutex<Option<(Instant, Arc<Overview>)>>,
    pace: Mutex<Pace>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(super) fn new(config: Arc<Config>, state: State, queue: Option<Queue>) -> Result<Self, Failure> {
        Ok(Self(Arc::new(Inner {
            systems: Systems::new(Arc::clone(&config)).governed_by(&state),
            config,
            state,
            queue,
            form_token: session::random()?,
            viewers: Arc::new(Semaphore::new(VIEWERS)),
            guesses: Semaphore::new(GUESSES),
            looked: Mutex::default(),
            pace: Mutex::default(),
        })))
    }

    /// The service at a glance, not older than a second.
    pub(super) async fn overview(&self) -> Result<Arc<Overview>, Failure> {
        let known = self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, overview)) = known
            && at.elapsed() < FRESH
        {
            return Ok(overview);
        }
        let begun = Instant::now();
        let mut overview = Overview::look(&self.state, &self.config).await?;
        overview.pipelines.iter_mut().for_each(|view| self.pace(view));
        let overview = Arc::new(overview);
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, Arc::clone(&overview)));
        Ok(overview)
    }

    /// One pipeline as it is now.
    pub(super) async fn look(&self, pipeline: &Pipeline) -> Result<PipelineView, Failure> {
        let mut view = PipelineView::look(&self.state, pipeline, self.state.now().await?).await?;
        self.pace(&mut view);
        Ok(view)
    }

    /// With the time that its run takes.
    fn pace(&self, view: &mut PipelineView) {
        let (Some(running), Some(run)) = (&mut view.running, &view.status.last_run) else { return };
        let Some(left) = running.expected.map(|expected| expected.saturating_sub(running.finished)) else {
            return;
        };
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let left = pace.left(run.id, Instant::now(), running.finished, left);
        running.left_s = left.map(|left| left.as_secs());
    }

    /// Something was changed: who looks next sees it.
    pub(super) fn look_again(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn pipeline(&self, name: &str) -> Result<&Pipeline, Refusal> {
        let pipelines = &self.config.pipelines;
        pipelines
            .iter()
            .find(|pipeline| pipeline.name.as_str() == name)
            .ok_or_else(|| Refusal::unknown("pipeline"))
    }
}
