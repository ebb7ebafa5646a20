//! The images under way in one worker, and why nothing more may be.

use std::collections::VecDeque;
use std::time::Duration;

use shared::failure::Failure;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::bring::Brought;
use super::settle::Work;

/// What has ended is settled at the latest after this: others that end meanwhile are settled with it, and others that came
/// meanwhile are claimed together in the room that this makes. Each of the two is a trip to the state.
const TOGETHER: Duration = Duration::from_millis(50);

/// A task's work and how it ended.
pub(super) type Ended = (Work, Result<Brought, Failure>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) running: JoinSet<Ended>,
    /// What ended and is not settled yet.
    ended: Vec<Result<Ended, JoinError>>,
    /// When the first of those did.
    ended_since: Option<Instant>,
    /// A worker died over each of these images, or over a neighbour of it: it waits until it is the only one, so that the
    /// next death is its own. Only then is it claimed: a mark that it had while it waits would count the death of another.
    pub(super) suspects: VecDeque<Work>,
    /// A suspect is running.
    pub(super) is_alone: bool,
    /// The source asked us to wait until then.
    pub(super) wait: Option<Instant>,
    /// The queue was closed, or we were told to stop.
    pub(super) is_ending: bool,
    /// The system is sick.
    pub(super) sick: Option<Failure>,
}

impl Line {
    /// How many more deliveries may be taken.
    pub(super) fn room(&self, parallel: usize) -> usize {
        if !self.suspects.is_empty() || self.is_alone || self.wait.is_some() || self.is_over() {
            return 0;
        }
        parallel.max(1).saturating_sub(self.under_way())
    }

    /// Whether nothing new is begun.
    pub(super) fn is_over(&self) -> bool {
        self.is_ending || self.sick.is_some()
    }

    /// How many are not settled yet.
    pub(super) fn under_way(&self) -> usize {
        self.running.len() + self.ended.len()
    }

    /// One has ended, and perhaps others with it.
    pub(super) fn end(&mut self, first: Result<Ended, JoinError>) {
        self.ended_since.get_or_insert_with(Instant::now);
        self.ended.push(first);
        self.ended.extend(std::iter::from_fn(|| self.running.try_join_next()));
    }

    /// When what has ended is to be settled: at once where something went wrong, nothing else runs, or it is enough for a
    /// trip to the state.
    pub(super) fn settle_at(&self, parallel: usize) -> Option<Instant> {
        let since = self.ended_since?;
        let went_wrong = |ended: &Result<Ended, JoinError>| !matches!(ended, Ok((_, Ok(_))));
        let is_due = self.running.is_empty()
            || self.is_over()
            || self.ended.len() * 4 >= parallel
            || self.ended.iter().any(went_wrong);
        Some(if is_due { since } else { since + TOGETHER })
    }

    /// What has ended.
    pub(super) fn take_ended(&mut self) -> Vec<Result<Ended, JoinError>> {
        self.ended_since = None;
        std::mem::take(&mut self.ended)
    }
}
