//! One run on one machine: producer and worker over a queue in memory.

use std::sync::Arc;

use producer::enumerate::Enumeration;
use producer::lost::LostWork;
use producer::only::Only;
use producer::source::Source;
use producer::sweep::Sweeping;
use shared::failure::{Failure, Reason};
use shared::progress::Progress;
use shared::queue::Queue;
use shared::state::{Run, State};
use tokio_util::sync::CancellationToken;
use worker::consume::Worker;
use worker::sink::Sink;

/// Jobs in memory at once: four batches of the worker.
const QUEUE_CAPACITY: usize = 2_000;

pub(super) struct OneRun<'a> {
    pub(super) state: &'a State,
    pub(super) source: &'a Source,
    pub(super) run: &'a Run,
    pub(super) images: bool,
    pub(super) only: Option<Arc<Only>>,
    pub(super) sweeping: Sweeping,
    pub(super) clears_images: bool,
    pub(super) progress: Arc<Progress>,
    pub(super) stop: &'a CancellationToken,
}

impl OneRun<'_> {
    /// Enumerates and works until everything is settled, or one of the two cannot go on: then the other is stopped,
    /// and what is in hand is ended. The sink is always given back.
    pub(super) async fn run(&self, sink: Sink) -> (Sink, Result<(), Failure>) {
        let queue = Queue::memory(QUEUE_CAPACITY);
        let (drain, stop) = (CancellationToken::new(), self.stop.child_token());
        let worker = Worker::new(
            self.run.pipeline.clone(),
            self.state.clone(),
            queue.clone(),
            sink,
            Arc::clone(&self.progress),
        );
        let enumeration = Enumeration {
            state: self.state,
            queue: &queue,
            source: self.source,
            images: self.images,
            clears_images: self.clears_images,
            lost: LostWork::All,
            only: self.only.clone(),
            sweeping: self.sweeping,
            progress: Arc::clone(&self.progress),
            stop: stop.clone(),
        };
        let produce = async {
            let produced = enumeration.run(self.run).await;
            drain.cancel();
            produced
        };
        let consume = async {
            let (sink, worked) = worker.run(drain.clone()).await;
            if worked.is_err() {
                stop.cancel();
                queue.close();
            }
            (sink, worked)
        };
        let (produced, (sink, worked)) = tokio::join!(produce, consume);
        queue.close();
        (sink, first_cause(worked, produced))
    }
}

/// A sick sink stops the producer too: the sink's failure is the one to tell.
fn first_cause(worked: Result<(), Failure>, produced: Result<(), Failure>) -> Result<(), Failure> {
    match (worked, produced) {
        (Ok(()), produced) => produced,
        (Err(worked), Err(produced)) if worked.reason == Reason::Stopped => Err(produced),
        (Err(worked), _) => Err(worked),
    }
}
