//! Messages that are no job of ours.

use super::RedisState;
use super::answers::damaged;
use super::commit::Commit;
use crate::checksum::Checksum;
use crate::failure::{DEFECT, Failure, Reason};
use crate::state::Stray;
use crate::state::rules::STRAYS_MAX;

impl RedisState {
    pub(in crate::state) async fn bury_stray(&self, stray: &Stray) -> Result<(), Failure> {
        let (strays, order, counters) = (self.keys.of("stray"), self.keys.of("strays"), self.keys.counters());
        let text = serde_json::to_vec(stray).map_err(|error| {
            Failure::permanent(Reason::BadRecord, "a stray message has no JSON").advise(DEFECT).because(error)
        })?;
        let id = stray.id();
        let mut commit = Commit::default();
        commit.expect(&strays, id.as_bytes(), None);
        commit.set(&strays, id.as_bytes(), text);
        commit.index_newest(&order, (&counters, "stray"), id.as_bytes());
        commit.trim(&order, &strays, STRAYS_MAX);
        // A conflict: it is there already.
        self.commit(&commit).await.map(drop)
    }

    /// Newest first. One that goes while they are read is left out.
    pub(in crate::state) async fn strays(&self, limit: usize) -> Result<Vec<Stray>, Failure> {
        let texts = self.newest(&self.keys.of("strays"), &self.keys.of("stray"), limit).await?;
        let read = |text: Vec<u8>| {
            serde_json::from_slice(&text).map_err(|error| damaged("a stray message").because(error))
        };
        texts.into_iter().map(read).collect()
    }

    pub(in crate::state) async fn discard_stray(&self, id: &Checksum) -> Result<bool, Failure> {
        let mut commands = redis::pipe();
        commands.atomic();
        commands.cmd("HDEL").arg(self.keys.of("stray")).arg(id.as_bytes());
        commands.cmd("ZREM").arg(self.keys.of("strays")).arg(id.as_bytes()).ignore();
        self.link.ask(&commands).await?.next()
    }

    pub(in crate::state) async fn stray_count(&self) -> Result<u64, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("ZCARD").arg(self.keys.of("strays"));
        self.link.ask(&commands).await?.next()
    }
}
