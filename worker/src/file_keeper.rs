//! What the one writer of a file owes its readers and its producer while it has nothing to write: the visible file is
//! brought up to date, the marker of the last sync follows it, and the producer learns of a file that was removed.

use std::time::Duration;

use jiff::Timestamp;
use shared::failure::Failure;
use shared::fleet::SinkNote;
use shared::record::PipelineName;
use shared::state::{RunEnd, RunKind, State};
use tokio::time::Instant;

use crate::sink::JsonWriter;
use crate::sink::json::last_sync::LastSync;

/// A file that nobody writes is looked at this often.
const LOOK: Duration = Duration::from_secs(2);

/// Merging takes no more than one part in so many of the time: a trickle of changes must not rewrite a large file
/// without end.
const REST: u32 = 20;

/// The same while deliveries keep coming: a first load must not rewrite what it has loaded so far too often.
const REST_AT_WORK: u32 = 60;

/// Readers never wait longer than this for what was written, however slow the disk was once.
const REST_MAX: Duration = Duration::from_mins(1);

/// Runs that are looked back on for one that is over.
const RUNS: usize = 20;

/// Keeps the file of one pipeline.
#[derive(Debug)]
pub(crate) struct FileKeeper {
    state: State,
    pipeline: PipelineName,
    marker: LastSync,
    /// Something is in the journal that readers do not see yet.
    pending: bool,
    /// When it was looked at, or merged, last.
    kept: Option<Instant>,
    /// How long the last merge took.
    merge: Duration,
}

impl FileKeeper {
    pub(crate) fn new(state: State, pipeline: PipelineName, marker: LastSync) -> Self {
        Self { state, pipeline, marker, pending: false, kept: None, merge: Duration::ZERO }
    }

    /// A batch was written.
    pub(crate) fn wrote(&mut self) {
        self.pending = true;
    }

    /// To be called before the first delivery, behind each batch (`at_work`), and when none has come for a moment.
    pub(crate) async fn keep(&mut self, sink: &mut JsonWriter, at_work: bool) -> Result<(), Failure> {
        if self.kept.is_some_and(|kept| kept.elapsed() < rest(self.merge, at_work)) {
            return Ok(());
        }
        // Over as of before the merge: what it settled is in the journal.
        let over = self.over().await?;
        // The disk's time alone: a state that did not answer for a while is no reason to leave the file as it is.
        let began = Instant::now();
        sink.flush()?;
        self.merge = if self.pending { began.elapsed() } else { Duration::ZERO };
        self.kept = Some(Instant::now());
        self.pending = false;
        // By the state, not by our memory: it may have been wiped.
        let before = SinkNote::of(&self.state, &self.pipeline).await?;
        let recorded = before.as_ref().and_then(|before| before.recorded);
        let there = self.mark(over, recorded)?;
        let Some((identity, generation, records)) = sink.standing() else { return Ok(()) };
        // Until the producer has begun the run that a removed marker asks for.
        let unmarked = !there || before.as_ref().is_some_and(|before| before.unmarked);
        let recorded = over.max(recorded).filter(|_| !unmarked);
        let note = SinkNote { identity, generation, records, recorded, unmarked };
        if before.as_ref() != Some(&note) {
            note.say(&self.state, &self.pipeline).await?;
        }
        Ok(())
    }

    /// Up to when the pipeline is complete: the end of the window of the newest run whose jobs, and those of all before
    /// it, have ended.
    async fn over(&self) -> Result<Option<Timestamp>, Failure> {
        let runs = self.state.runs(Some(&self.pipeline), RUNS).await?;
        let are_over = |from: usize| runs.iter().skip(from).all(|run| run.ledger.outstanding() == 0);
        let newest = runs
            .iter()
            .enumerate()
            .filter(|(_, run)| run.kind != RunKind::Chosen)
            .find(|(at, run)| run.end == Some(RunEnd::Complete) && are_over(*at))
            .map(|(_, run)| run.window.end);
        Ok(newest)
    }

    /// Sets the marker where it is behind. `false`: somebody removed it since it was set.
    fn mark(&self, over: Option<Timestamp>, recorded: Option<Timestamp>) -> Result<bool, Failure> {
        tokio::task::block_in_place(|| {
            if recorded.is_some() && self.marker.time_of(&self.pipeline)?.is_none() {
                return Ok(false);
            }
            if let Some(over) = over.filter(|over| recorded.is_none_or(|recorded| recorded < *over)) {
                self.marker.record(&self.pipeline, over)?;
            }
            Ok(true)
        })
    }
}

/// What lies between two merges.
fn rest(merge: Duration, at_work: bool) -> Duration {
    (merge * if at_work { REST_AT_WORK } else { REST }).clamp(LOOK, REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_wait_as_long_as_merging_costs_and_never_longer_than_a_minute() {
        let quick = Duration::from_millis(1);
        assert_eq!((rest(quick, false), rest(quick, true)), (LOOK, LOOK));
        let usual = Duration::from_millis(500);
        assert_eq!((rest(usual, false), rest(usual, true)), (usual * 20, usual * 60));
        assert_eq!(rest(Duration::from_mins(5), true), REST_MAX);
    }
}
