//! Whether the broker still answers on a channel, and whether it delivers what it has.
//!
//! A connection that is idle because there is nothing to do must live, and one whose other side is gone must not; so
//! silence is met with a question, never with a guess.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::fault::Fault;

/// After so long a silence the broker is asked.
const SILENCE: Duration = Duration::from_secs(2);

/// So long it has to answer: with [`SILENCE`], how long a half-open connection is held for a good one.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(3);

/// When something was last heard on a channel.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    /// Milliseconds since `start`.
    heard: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), heard: AtomicU64::new(0) }
    }

    /// Something came from the broker just now.
    pub(super) fn heard(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(since, Ordering::Relaxed);
    }

    /// When that was.
    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.heard.load(Ordering::Relaxed))
    }

    /// Asks for an exchange, which costs the broker nothing, whenever all has been silent. Returns when there is no
    /// answer. On a blocked connection nothing can be asked: there the heartbeats decide.
    pub(super) async fn watch(
        &self,
        channel: &Channel,
        exchange: &str,
        mut blocked: watch::Receiver<bool>,
    ) -> Fault {
        loop {
            let silence = self.last().elapsed();
            if let Some(rest) = SILENCE.checked_sub(silence).filter(|rest| !rest.is_zero()) {
                sleep(rest).await;
                continue;
            }
            // Without a sender the connection is gone, and the question will tell.
            blocked.wait_for(|blocked| !blocked).await.ok();
            let asked = Instant::now();
            let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
            let call = channel.exchange_declare(
                exchange.into(),
                ExchangeKind::Direct,
                options,
                FieldTable::default(),
            );
            match timeout(ANSWER_MAX, call).await {
                Ok(Ok(())) => self.heard(),
                Ok(Err(error)) => return Fault::Broken(error),
                // It is busy, but with us; or it could not be asked.
                Err(_) if self.last() > asked || *blocked.borrow() => {}
                Err(_) => return Fault::Silent("are you there", ANSWER_MAX),
            }
        }
    }
}
