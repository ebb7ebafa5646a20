//! Outstanding work whose jobs are lost: which it is, and how it is enqueued again.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use shared::failure::Failure;
use shared::job::JobKind;
use shared::queue::{Queue, Receipt};
use shared::record::{PipelineName, RecordKey, Version};
use shared::state::{Run, State};

use crate::enumerate::Enumeration;

/// Records asked for at once when outstanding work is read again by key.
const KEYS_PER_CALL: usize = 1_000;

/// Which outstanding work of earlier runs has lost its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostWork {
    /// All of it: the queue died with its process.
    All,
    /// What is older than this, once its queue is empty: a broker keeps jobs, unless somebody deletes or purges its queue.
    OlderThan(SignedDuration),
}

impl Enumeration<'_> {
    /// Outstanding work whose jobs died with an earlier process, or whose doubts have run out: read again by key and
    /// enqueued anew. What the source no longer has is withdrawn, unless it is wanted as gone.
    pub(crate) async fn requeue_lost(&self, run: &Run) -> Result<Vec<Receipt>, Failure> {
        let before = Version { epoch: run.epoch, sequence: 0 };
        let mut receipts = Vec::new();
        loop {
            // A write that came late may have gone over a newer one: nothing but the sink itself knows.
            let dirty = self.state.mature(&run.pipeline).await?;
            self.progress.meter().dirty(dirty.len());
            if dirty.is_empty() {
                break;
            }
            receipts.extend(self.enqueue_again(run, dirty).await?);
        }
        let since = lost_since(self.state, self.queue, &run.pipeline, self.lost).await?;
        while let Some(since) = since {
            let lost = self.state.outstanding(&run.pipeline, before, KEYS_PER_CALL).await?;
            let lost = lost.into_iter().filter(|record| record.since <= since);
            let keys: Vec<RecordKey> = lost.map(|record| record.key).collect();
            if keys.is_empty() {
                break;
            }
            receipts.extend(self.enqueue_again(run, keys).await?);
        }
        Ok(receipts)
    }

    /// Reads records again by key and enqueues them anew; what the source no longer has is withdrawn, or gone.
    async fn enqueue_again(&self, run: &Run, keys: Vec<RecordKey>) -> Result<Vec<Receipt>, Failure> {
        tracing::info!(pipeline = %run.pipeline, records = keys.len(), "enqueueing outstanding work again");
        let mut receipts = Vec::new();
        for keys in keys.chunks(KEYS_PER_CALL) {
            let rows = self.source.by_key(keys).await?;
            let found: HashSet<&RecordKey> = rows.iter().map(|row| &row.key).collect();
            let gone: Vec<RecordKey> = keys.iter().filter(|key| !found.contains(key)).cloned().collect();
            let gone = self.state.withdraw(&run.pipeline, &gone).await?;
            receipts.extend(self.want_gone(run, gone, true).await?);
            let noted = self.note(run, rows, true).await?;
            receipts.extend(self.enqueue_changed(run, noted.changed).await?);
            self.stopped()?;
        }
        Ok(receipts)
    }
}

/// Work that has been outstanding since before this has lost its jobs; `None`: none has, as far as can be told.
pub(crate) async fn lost_since(
    state: &State,
    queue: &Queue,
    pipeline: &PipelineName,
    lost: LostWork,
) -> Result<Option<Timestamp>, Failure> {
    let LostWork::OlderThan(age) = lost else { return Ok(Some(Timestamp::MAX)) };
    let depth = queue.depth(pipeline, JobKind::Record).await?;
    if depth.ready + depth.in_flight + depth.delayed > 0 {
        return Ok(None);
    }
    Ok(state.now().await?.checked_sub(age).ok())
}
