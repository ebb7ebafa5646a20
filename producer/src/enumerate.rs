//! One run of the producer: rows are mapped, compared with what is wanted and enqueued, those of the window page by page
//! (`walk.rs`), those of lost work before and chosen ones alone by key.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use shared::crash::{self, Point};
use shared::failure::{Failure, Reason};
use shared::job::{Attempt, Job, JobKind};
use shared::progress::Progress;
use shared::queue::{Queue, Receipt};
use shared::record::{RecordKey, Version};
use shared::state::{DeadLetter, Run, RunKind, State, Want, Wanted};
use shared::telemetry::Stage;
use tokio_util::sync::CancellationToken;

use crate::lost::LostWork;
use crate::mapped::Mapped;
use crate::only::{ByKey, Only};
use crate::source::{Source, SourceRow};
use crate::sweep::{Seen, Sweeping};
use crate::walk::PAGES_IN_FLIGHT;

/// Records whose details are read before their jobs are enqueued: where it takes long, the first are on their way already.
const DETAILS: usize = 40;

/// What one run works with.
#[derive(Debug)]
pub struct Enumeration<'a> {
    /// Where what is wanted is kept.
    pub state: &'a State,
    /// Where jobs go.
    pub queue: &'a Queue,
    /// Where records come from.
    pub source: &'a Source,
    /// Whether the sink takes images: without, those of the source are not looked at.
    pub images: bool,
    /// Whether an image that the source no longer has is taken from the sink.
    pub clears_images: bool,
    /// Which outstanding work has lost its jobs.
    pub lost: LostWork,
    /// These records alone, and no other work.
    pub only: Option<Arc<Only>>,
    /// What a sweep does about what is gone.
    pub sweeping: Sweeping,
    /// Counts for whoever watches.
    pub progress: Arc<Progress>,
    /// Cancelled when the run is to stop: after the page at hand.
    pub stop: CancellationToken,
}

/// What the state answered of the rows of a page.
#[derive(Default)]
pub(crate) struct Noted {
    pub(crate) unchanged: u64,
    pub(crate) dead: u64,
    /// Those that are to be enqueued.
    pub(crate) changed: Vec<Changed>,
}

impl Enumeration<'_> {
    /// Enumerates the run's window to its end; when it returns, every job of it is durable.
    ///
    /// # Errors
    /// What the source, the state or the queue reported; `Class::Interrupted` where it was stopped. The run stays open
    /// and is gone on with from its position.
    pub async fn run(&self, run: &Run) -> Result<(), Failure> {
        let result = match &self.only {
            Some(only) => self.read_only(run, only).await,
            None => self.read_window(run).await,
        };
        if let (Err(failure), Source::Odoo(source)) = (&result, self.source)
            && failure.reason == Reason::Field
        {
            crate::source::odoo::forget_fields(source, self.state).await?;
        }
        result
    }

    async fn read_window(&self, run: &Run) -> Result<(), Failure> {
        let lost = self.requeue_lost(run).await?;
        let mut in_flight = VecDeque::new();
        let mut seen = (run.kind == RunKind::Sweep).then(Seen::default);
        let read = self.walk(run, &mut in_flight, seen.as_mut()).await;
        // Where the source failed, what it had given is brought to its end all the same, so that the next run goes on
        // behind it. Where we were stopped, it is not waited for.
        while let Some(page) = in_flight.pop_front() {
            if let Err(failure) = self.advance(run, page).await {
                return read.and(Err(failure));
            }
        }
        read?;
        for receipt in lost {
            receipt.durable().await?;
        }
        match seen {
            // A run that goes on from somewhere has not seen what came before.
            Some(seen) if run.position.is_none() => self.find_gone(run, &seen).await,
            _ => Ok(()),
        }
    }

    /// Enqueues chosen records as the source has them, whatever is remembered of them.
    async fn read_only(&self, run: &Run, only: &Only) -> Result<(), Failure> {
        let mut rows = ByKey::new(self.source, only.records.keys().cloned(), only.since);
        let mut in_flight: VecDeque<Vec<Receipt>> = VecDeque::new();
        while let Some(mut rows) = rows.more().await? {
            self.stopped()?;
            rows.retain(|row| {
                let wanted = only.records.get(&row.key).copied().flatten();
                let is_same = wanted.is_none_or(|wanted| wanted == self.source.checksum(row));
                if !is_same {
                    tracing::warn!(pipeline = %run.pipeline, record = %row.key, "has changed since and is left out");
                }
                is_same
            });
            let noted = self.note(run, rows, false).await?;
            in_flight.push_back(self.enqueue_changed(run, noted.changed).await?);
            if in_flight.len() >= PAGES_IN_FLIGHT
                && let Some(oldest) = in_flight.pop_front()
            {
                self.durable(oldest).await?;
            }
        }
        for receipts in in_flight {
            self.durable(receipts).await?;
        }
        self.gone_of_plan(run, only).await
    }

    pub(crate) fn stopped(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() { Err(Failure::interrupted("stopped before the end")) } else { Ok(()) }
    }

    /// Maps rows and notes what is wanted of them.
    pub(crate) async fn note(&self, run: &Run, rows: Vec<SourceRow>, lost: bool) -> Result<Noted, Failure> {
        let read = rows.len() as u64;
        let map = |row| Mapped::of(self.source, row, self.images, self.clears_images);
        let mapped: Vec<Mapped> = rows.into_iter().map(map).collect();
        let wants: Vec<Want> = mapped.iter().map(Mapped::want).collect();
        let step = self.progress.meter().stage(Stage::Want);
        let answers = self.state.want(run, &wants, lost).await?;
        drop(step);
        crash::point(Point::Wanted);
        let mut noted = Noted::default();
        for (mapped, answer) in mapped.into_iter().zip(answers) {
            match answer {
                Wanted::Unchanged => noted.unchanged += 1,
                Wanted::Dead => noted.dead += 1,
                Wanted::Already => {}
                Wanted::Enqueue { version, place } => noted.changed.push(Changed { mapped, version, place }),
            }
        }
        self.progress.add_read(read);
        Ok(noted)
    }

    /// Enqueues rows with what their details say; what cannot be mapped is buried.
    pub(crate) async fn enqueue_changed(
        &self,
        run: &Run,
        changed: Vec<Changed>,
    ) -> Result<Vec<Receipt>, Failure> {
        let mut receipts = Vec::with_capacity(changed.len());
        let mut changed = changed.into_iter().peekable();
        while changed.peek().is_some() {
            let chunk: Vec<Changed> = changed.by_ref().take(DETAILS).collect();
            for Changed { mapped, version, place } in Box::pin(self.completed(run, chunk)).await? {
                match mapped.job(self.source.mapping(), run, version, place) {
                    (job, None) => receipts.push(self.enqueue(job).await?),
                    (job, Some(failure)) => {
                        self.progress.meter().failed(JobKind::Record, &failure, 1);
                        self.progress.meter().buried(JobKind::Record, 1);
                        self.state.bury(&[dead_letter(job, &failure)]).await?;
                    }
                }
            }
        }
        Ok(receipts)
    }

    /// The same with what only their details say. What the source has no more is withdrawn.
    async fn completed(&self, run: &Run, changed: Vec<Changed>) -> Result<Vec<Changed>, Failure> {
        if !self.source.has_details() {
            return Ok(changed);
        }
        let rows = changed.iter().map(|one| one.mapped.row.clone()).collect();
        let step = self.progress.meter().stage(Stage::Read);
        let rows = tokio::select! {
            () = self.stop.cancelled() => return Err(Failure::interrupted("stopped before the end")),
            rows = self.source.complete(rows) => rows?,
        };
        drop(step);
        let mut rows: HashMap<RecordKey, SourceRow> =
            rows.into_iter().map(|row| (row.key.clone(), row)).collect();
        let (mut whole, mut gone) = (Vec::with_capacity(changed.len()), Vec::new());
        for mut one in changed {
            match rows.remove(&one.mapped.row.key) {
                None => gone.push(one.mapped.row.key),
                Some(row) => {
                    one.mapped = one.mapped.with_details(row);
                    whole.push(one);
                }
            }
        }
        self.state.withdraw(&run.pipeline, &gone).await?;
        Ok(whole)
    }

    pub(crate) async fn enqueue(&self, job: Job) -> Result<Receipt, Failure> {
        self.progress.add_enqueued(1);
        tracing::debug!(pipeline = %job.pipeline, run = %job.run, record = %job.key, attempt = job.attempt, trace = job.trace_id(), "enqueued");
        let _step = self.progress.meter().stage(Stage::Publish);
        tokio::select! {
            () = self.stop.cancelled() => Err(Failure::interrupted("stopped before the end")),
            receipt = self.queue.publish(job) => {
                self.progress.meter().enqueued(JobKind::Record, 1);
                crash::point(Point::Published);
                receipt
            }
        }
    }

    pub(crate) async fn durable(&self, receipts: Vec<Receipt>) -> Result<(), Failure> {
        for receipt in receipts {
            tokio::select! {
                () = self.stop.cancelled() => return Err(Failure::interrupted("stopped before the end")),
                durable = receipt.durable() => durable?,
            }
        }
        Ok(())
    }
}

/// A row that is to be enqueued.
pub(crate) struct Changed {
    mapped: Mapped,
    version: Version,
    place: u64,
}

/// Of a row that could not be mapped.
fn dead_letter(job: Job, failure: &Failure) -> DeadLetter {
    let failure = Attempt::of(failure);
    tracing::error!(pipeline = %job.pipeline, run = %job.run, record = %job.key, attempt = job.attempt, trace = job.trace_id(), reason = failure.reason.label(), "{}", failure.message);
    DeadLetter { job, failure, unmapped: true }
}
