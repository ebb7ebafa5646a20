//! The way of a window's pages through the producer: while the jobs of one are handed to the queue, what is wanted of the
//! next is noted and the one after it is read. The cursor follows what is durable. Memory is bounded by a few pages, whatever
//! the number of records.

use std::collections::VecDeque;

use jiff::Timestamp;
use shared::crash::{self, Point};
use shared::failure::{DEFECT, Failure, Reason};
use shared::queue::Receipt;
use shared::state::{Page, Run, RunKind};
use shared::telemetry::Stage;

use crate::enumerate::{Changed, Enumeration};
use crate::source::SourcePage;
use crate::sweep::Seen;

/// Pages whose jobs are on their way while the next ones are read.
pub(crate) const PAGES_IN_FLIGHT: usize = 4;

/// A page whose jobs are enqueued and not yet all durable.
pub(crate) struct PageInFlight {
    page: Page,
    receipts: Vec<Receipt>,
}

/// A page of which the state knows what is wanted.
struct NotedPage {
    /// Where the cursor goes behind it; `None`: not even there can a later run go on.
    page: Option<Page>,
    changed: Vec<Changed>,
}

impl Enumeration<'_> {
    /// Reads the run's window to its end. What is in flight when it returns is enqueued, and not all durable.
    pub(crate) async fn walk(
        &self,
        run: &Run,
        in_flight: &mut VecDeque<PageInFlight>,
        mut seen: Option<&mut Seen>,
    ) -> Result<(), Failure> {
        let mut number = run.pages;
        let mut reading = Some(self.read(run, run.position.clone()));
        let mut noted = None;
        while reading.is_some() || noted.is_some() {
            number += 1;
            let note_next = async {
                let Some(task) = reading.take() else { return Ok(None) };
                let page = task.await?;
                reading = page.next.clone().map(|position| self.read(run, Some(position)));
                if let Some(seen) = &mut seen {
                    page.rows.iter().for_each(|row| seen.insert(&row.key));
                }
                self.note_page(run, number, page).await.map(Some)
            };
            let enqueue = self.enqueue_page(run, noted, in_flight);
            noted = if self.source.has_details() {
                // The day's calls may end between two details; what was noted by then is read again record by record.
                enqueue.await?;
                note_next.await?
            } else {
                let (enqueued, next) = tokio::join!(enqueue, note_next);
                enqueued?;
                next?
            };
        }
        Ok(())
    }

    async fn note_page(&self, run: &Run, number: u64, page: SourcePage) -> Result<NotedPage, Failure> {
        let noted = self.note(run, page.rows, false).await?;
        let of = |position| Page { number, position, unchanged: noted.unchanged, dead: noted.dead };
        Ok(NotedPage { page: page.after.map(of), changed: noted.changed })
    }

    async fn enqueue_page(
        &self,
        run: &Run,
        noted: Option<NotedPage>,
        in_flight: &mut VecDeque<PageInFlight>,
    ) -> Result<(), Failure> {
        let Some(NotedPage { page, changed }) = noted else { return Ok(()) };
        let receipts = self.enqueue_changed(run, changed).await?;
        if let Some(page) = page {
            in_flight.push_back(PageInFlight { page, receipts });
        }
        if in_flight.len() >= PAGES_IN_FLIGHT
            && let Some(oldest) = in_flight.pop_front()
        {
            self.advance(run, oldest).await?;
        }
        Ok(())
    }

    /// Starts to read a page while those before are worked on.
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

    /// The cursor passes a page once all of its jobs are durable.
    pub(crate) async fn advance(&self, run: &Run, page: PageInFlight) -> Result<(), Failure> {
        let PageInFlight { page, receipts } = page;
        self.durable(receipts).await?;
        crash::point(Point::Confirmed);
        let _step = self.progress.meter().stage(Stage::Advance);
        self.state.advance(run, &page).await?;
        crash::point(Point::Advanced);
        Ok(())
    }
}
