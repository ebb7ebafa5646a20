//! Dead letters as they are listed, and what else is kept in the order of its coming.

use super::RedisState;
use super::answers::damaged;
use crate::failure::{Failure, Reason};
use crate::record::PipelineName;
use crate::state::{DeadLetter, FiledLetter};

/// Texts read in one request: each may have a hundred kilobytes.
const PAGE: usize = 100;

impl RedisState {
    /// Newest first. One that goes while they are read is left out.
    pub(in crate::state) async fn letters(
        &self,
        name: &PipelineName,
        reason: Option<Reason>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<FiledLetter>, Failure> {
        self.filed(name, reason, before, limit, |_| true).await
    }

    pub(in crate::state) async fn letters_with(
        &self,
        name: &PipelineName,
        text: &str,
        newest: usize,
    ) -> Result<Vec<FiledLetter>, Failure> {
        self.filed(name, None, None, newest, |letter| {
            std::str::from_utf8(letter).is_ok_and(|letter| letter.contains(text))
        })
        .await
    }

    /// Of the newest `limit` letters those whose text is to be `taken`.
    async fn filed(
        &self,
        name: &PipelineName,
        reason: Option<Reason>,
        before: Option<u64>,
        limit: usize,
        taken: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<FiledLetter>, Failure> {
        let names = self.head(name).await?.1.keys(&self.keys, name);
        let order = reason.map_or_else(|| names.letter_order(), |reason| names.letters_by(reason));
        let below = before.map_or_else(|| "+inf".to_owned(), |before| format!("({before}"));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut commands = redis::pipe();
        commands.cmd("ZREVRANGEBYSCORE").arg(&order).arg(below).arg("-inf").arg("WITHSCORES");
        commands.arg("LIMIT").arg(0).arg(limit);
        let fields: Vec<(Vec<u8>, u64)> = self.link.ask(&commands).await?.next()?;
        let mut found = Vec::new();
        for page in fields.chunks(PAGE) {
            let mut commands = redis::pipe();
            let names_of_page = page.iter().map(|(field, _)| field.as_slice()).collect::<Vec<_>>();
            commands.cmd("HMGET").arg(names.letters()).arg(names_of_page);
            let texts: Vec<Option<Vec<u8>>> = self.link.ask(&commands).await?.next()?;
            for ((_, number), text) in page.iter().zip(texts) {
                let Some(text) = text.filter(|text| taken(text)) else { continue };
                found.push(FiledLetter { number: *number, letter: letter_of(&text)? });
            }
        }
        Ok(found)
    }

    pub(in crate::state) async fn letter_counts(
        &self,
        name: &PipelineName,
    ) -> Result<Vec<(Reason, u64)>, Failure> {
        let names = self.head(name).await?.1.keys(&self.keys, name);
        let mut commands = redis::pipe();
        for reason in Reason::ALL {
            commands.cmd("ZCARD").arg(names.letters_by(reason));
        }
        let mut answers = self.link.ask(&commands).await?;
        let mut counts = Vec::new();
        for reason in Reason::ALL {
            let count = answers.next()?;
            if count > 0 {
                counts.push((reason, count));
            }
        }
        Ok(counts)
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

/// The text of a dead letter.
pub(super) fn letter_of(text: &[u8]) -> Result<DeadLetter, Failure> {
    serde_json::from_slice(text).map_err(|error| damaged("a dead letter").because(error))
}
