//! What a call takes on a real server, and how many it works on at once.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::odoo::database::Tally;

/// The time that calls take on a server with so many workers: the other calls wait meanwhile, as in a real one. No more than
/// that: what larger batches cost beyond their rows (indexes, memory, locks) is not imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OdooCost {
    /// Calls worked on at once (`--workers`).
    pub workers: usize,
    /// Each call.
    pub call: Duration,
    /// A `load` beside that: its header is looked up, its references are resolved.
    pub load: Duration,
    /// A record that is read.
    pub read: Duration,
    /// A record that is created.
    pub created: Duration,
    /// A record that is written.
    pub written: Duration,
    /// A picture that is set, with the sizes that the server makes of it.
    pub image: Duration,
}

impl OdooCost {
    /// Odoo 17 as measured with products of about ten columns, written as variants: 100 new ones a second, 148 changed in one
    /// column, 1,500 read, 10 pictures.
    pub fn measured(workers: usize) -> Self {
        Self {
            workers,
            call: Duration::from_millis(10),
            load: Duration::from_millis(90),
            read: Duration::from_micros(640),
            created: Duration::from_millis(9),
            written: Duration::from_micros(5_750),
            image: Duration::from_millis(100),
        }
    }

    fn of(&self, method: &str, tally: Tally) -> Duration {
        let times = |each: Duration, rows: u64| each.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX));
        let load = if method == "load" { self.load } else { Duration::ZERO };
        self.call
            + load
            + times(self.read, tally.rows_read)
            + times(self.created, tally.created)
            + times(self.written, tally.written)
            + times(self.image, tally.image_writes)
    }
}

/// The workers of one server.
#[derive(Debug)]
pub(crate) struct Workers {
    cost: OdooCost,
    idle: Semaphore,
}

impl Workers {
    pub(crate) fn new(cost: OdooCost) -> Self {
        Self { cost, idle: Semaphore::new(cost.workers.max(1)) }
    }

    /// Does the work, which says what it did, on the first worker that is idle, for as long as it takes there.
    pub(crate) async fn take<T>(&self, method: &str, work: impl Future<Output = (T, Tally)>) -> T {
        // Never closed: without a worker it goes on all the same.
        let _worker = self.idle.acquire().await.ok();
        let (answer, tally) = work.await;
        tokio::time::sleep(self.cost.of(method, tally)).await;
        answer
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_what_its_rows_cost_and_no_more_are_worked_on_than_there_are_workers() {
        let workers = Workers::new(OdooCost::measured(2));
        let began = Instant::now();
        let created = |rows| async move { ((), Tally { created: rows, ..Tally::default() }) };
        workers.take("load", created(100)).await;
        assert_eq!(began.elapsed().as_millis(), 1_000);
        workers.take("read", async { ((), Tally { rows_read: 1_000, ..Tally::default() }) }).await;
        assert_eq!(began.elapsed().as_millis(), 1_650);
        let call = || workers.take("load", created(100));
        tokio::join!(call(), call(), call());
        assert_eq!(began.elapsed().as_millis(), 3_650);
    }
}
