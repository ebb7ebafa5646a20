//! The producer's loop: page by page, mapped, compared with what is wanted, enqueued; the cursor follows what is
//! durable. Memory is bounded by a few pages, whatever the number of records.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use shared::crash::{self, Point};
use shared::failure::{DEFECT, Failure, Reason};
use shared::job::{Attempt, Job, JobKind};
use shared::progress::Progress;
use shared::queue::{Queue, Receipt};
use shared::record::{RecordKey, Version};
use shared::state::{DeadLetter, Page, Run, RunKind, State, Want, Wanted};
use shared::telemetry::Stage;
use tokio_util::sync::CancellationToken;

use crate::lost::LostWork;
use crate::mapped::Mapped;
use crate::only::{ByKey, Only};
use crate::source::{Source, SourcePage, SourceRow};
use crate::sweep::{Seen, Sweeping};

/// Pages whose jobs are on their way while the next ones are read.
const PAGES_IN_FLIGHT: usize = 4;

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

/// A page whose jobs are enqueued and not yet all durable.
struct PageInFlight {
    page: Page,
    receipts: Vec<Receipt>,
}

/// What became of the rows of a page.
#[derive(Default)]
pub(crate) struct Noted {
    unchanged: u64,
    dead: u64,
    pub(crate) receipts: Vec<Receipt>,
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
            None => self.walk(run).await,
        };
        if let (Err(failure), Source::Odoo(source)) = (&result, self.source)
            && failure.reason == Reason::Field
        {
            crate::source::odoo::forget_fields(source, self.state).await?;
        }
        result
    }

    async fn walk(&self, run: &Run) -> Result<(), Failure> {
        let lost = self.requeue_lost(run).await?;
        let mut in_flight = VecDeque::new();
        let mut seen = (run.kind == RunKind::Sweep).then(Seen::default);
        let read = self.read_pages(run, &mut in_flight, seen.as_mut()).await;
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
            in_flight.push_back(self.note(run, rows, false).await?.receipts);
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

    async fn read_pages(
        &self,
        run: &Run,
        in_flight: &mut VecDeque<PageInFlight>,
        mut seen: Option<&mut Seen>,
    ) -> Result<(), Failure> {
        let mut number = run.pages;
        let mut reading = Some(self.read(run, run.position.clone()));
        while let Some(task) = reading.take() {
            let page = task.await?;
            reading = page.next.clone().map(|position| self.read(run, Some(position)));
            number += 1;
            let position = page.after;
            if let Some(seen) = &mut seen {
                page.rows.iter().for_each(|row| seen.insert(&row.key));
            }
            let noted = self.note(run, page.rows, false).await?;
            if let Some(position) = position {
                let page = Page { number, position, unchanged: noted.unchanged, dead: noted.dead };
                in_flight.push_back(PageInFlight { page, receipts: noted.receipts });
            }
            if in_flight.len() >= PAGES_IN_FLIGHT
                && let Some(oldest) = in_flight.pop_front()
            {
                self.advance(run, oldest).await?;
            }
        }
        Ok(())
    }

    /// Starts to read a page while the one before is worked on.
    fn read(
        &self,
        run: &Run,
        position: Option<String>,
    ) -> impl Future<Output = Result<SourcePage, Failure>> + use<> {
        let (source, mut window, stop) = (self.source.clone(), run.window, self.stop.clone());
        if run.kind == RunKind::Sweep {
            // To the very end of the list: what changes meanwhile moves there, and is not to seem missing.
            window.end = Timestamp::MAX;
        }
        let step = self.progress.meter().stage(Stage::Read);
        let task = tokio::spawn(async move {
            let _step = step;
            tokio::select! {
                () = stop.cancelled() => Err(Failure::interrupted("stopped before the end")),
                page = source.page(window, position.as_deref()) => page,
            }
        });
        async move {
            task.await.unwrap_or_else(|error| {
                Err(Failure::systemic(Reason::Crashed, "reading a page crashed")
                    .advise(DEFECT)
                    .because(error))
            })
        }
    }

    pub(crate) fn stopped(&self) -> Result<(), Failure> {
        if self.stop.is_cancelled() { Err(Failure::interrupted("stopped before the end")) } else { Ok(()) }
    }

    /// Maps rows, notes what is wanted of them and enqueues what is new.
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
        let mut changed = Vec::new();
        for (mapped, answer) in mapped.into_iter().zip(answers) {
            match answer {
                Wanted::Unchanged => noted.unchanged += 1,
                Wanted::Dead => noted.dead += 1,
                Wanted::Already => {}
                Wanted::Enqueue { version, place } => changed.push(Changed { mapped, version, place }),
            }
        }
        let mut changed = changed.into_iter().peekable();
        while changed.peek().is_some() {
            let chunk: Vec<Changed> = changed.by_ref().take(DETAILS).collect();
            for Changed { mapped, version, place } in Box::pin(self.completed(run, chunk)).await? {
                match mapped.job(self.source.mapping(), run, version, place) {
                    (job, None) => noted.receipts.push(self.enqueue(job).await?),
                    (job, Some(failure)) => {
                        self.progress.meter().failed(JobKind::Record, &failure, 1);
                        self.progress.meter().buried(JobKind::Record, 1);
                        self.state.bury(&[dead_letter(job, &failure)]).await?;
                    }
                }
            }
        }
        self.progress.add_read(read);
        Ok(noted)
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

    /// The cursor passes a page once all of its jobs are durable.
    async fn advance(&self, run: &Run, page: PageInFlight) -> Result<(), Failure> {
        let PageInFlight { page, receipts } = page;
        self.durable(receipts).await?;
        crash::point(Point::Confirmed);
        let _step = self.progress.meter().stage(Stage::Advance);
        self.state.advance(run, &page).await?;
        crash::point(Point::Advanced);
        Ok(())
    }
}

/// A row that is to be enqueued.
struct Changed {
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
