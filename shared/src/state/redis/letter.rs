//! Dead letters as they are listed, and what else is kept in the order of its coming.

use super::RedisState;
use super::answers::damaged;
use crate::failure::Failure;
use crate::record::PipelineName;
use crate::state::DeadLetter;

/// Texts read in one request: each may have a hundred kilobytes.
const PAGE: usize = 100;

impl RedisState {
    /// Newest first. One that goes while they are read is left out.
    pub(in crate::state) async fn dead_letters(
        &self,
        name: &PipelineName,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Failure> {
        let names = self.head(name).await?.1.keys(&self.keys, name);
        let texts = self.newest(&names.letter_order(), &names.letters(), limit).await?;
        let read = |text: Vec<u8>| {
            serde_json::from_slice(&text).map_err(|error| damaged("a dead letter").because(error))
        };
        texts.into_iter().map(read).collect()
    }

    /// The fields of a hash that are the newest by an order, newest first.
    pub(super) async fn newest(
        &self,
        order: &str,
        hash: &str,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let Some(last) = i64::try_from(limit).unwrap_or(i64::MAX).checked_sub(1).filter(|last| *last >= 0)
        else {
            return Ok(Vec::new());
        };
        let mut commands = redis::pipe();
        commands.cmd("ZREVRANGE").arg(order).arg(0).arg(last);
        let fields: Vec<Vec<u8>> = self.link.ask(&commands).await?.next()?;
        let mut found = Vec::with_capacity(fields.len());
        for page in fields.chunks(PAGE) {
            let mut commands = redis::pipe();
            commands.cmd("HMGET").arg(hash).arg(page);
            let texts: Vec<Option<Vec<u8>>> = self.link.ask(&commands).await?.next()?;
            found.extend(texts.into_iter().flatten());
        }
        Ok(found)
    }
}
