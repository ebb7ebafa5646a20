//! Small texts kept under a name.

use super::RedisState;
use super::commit::{Commit, Committed};
use crate::failure::Failure;

impl RedisState {
    pub(in crate::state) async fn memo(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("HGET").arg(self.keys.of("memo")).arg(name);
        Ok(self.link.ask(&commands).await?.next::<Option<String>>()?.map(unmarked))
    }

    pub(in crate::state) async fn set_memo(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        let mut commit = Commit::default();
        self.write_memo(&mut commit, name, text);
        self.commit(&commit).await.map(drop)
    }

    pub(in crate::state) async fn swap_memo(
        &self,
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<bool, Failure> {
        let mut commit = Commit::default();
        commit.expect(&self.keys.of("memo"), name, before.map(marked).as_deref().map(str::as_bytes));
        self.write_memo(&mut commit, name, after);
        Ok(self.commit(&commit).await? == Committed::Done)
    }

    /// Names are listed first and read then: one that went in between is left out.
    pub(in crate::state) async fn memos(&self, prefix: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut commands = redis::pipe();
        // No text has a byte 0xff: that is beyond all that begin so.
        let to = [b"(", prefix.as_bytes(), b"\xff"].concat();
        commands.cmd("ZRANGEBYLEX").arg(self.keys.of("memos")).arg(format!("[{prefix}")).arg(to);
        let names: Vec<String> = self.link.ask(&commands).await?.next()?;
        let texts = self.texts(&names).await?;
        Ok(names.into_iter().zip(texts).filter_map(|(name, text)| Some((name, text?))).collect())
    }

    /// The texts under these names, in their order.
    pub(super) async fn texts(&self, names: &[String]) -> Result<Vec<Option<String>>, Failure> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = redis::pipe();
        commands.cmd("HMGET").arg(self.keys.of("memo")).arg(names);
        let texts: Vec<Option<String>> = self.link.ask(&commands).await?.next()?;
        Ok(texts.into_iter().map(|text| text.map(unmarked)).collect())
    }

    fn write_memo(&self, commit: &mut Commit, name: &str, text: Option<&str>) {
        let (memo, memos) = (self.keys.of("memo"), self.keys.of("memos"));
        if let Some(text) = text {
            commit.set(&memo, name, marked(text));
            commit.index(&memos, 0, name);
        } else {
            commit.unset(&memo, name);
            commit.unindex(&memos, name);
        }
    }
}

/// An empty text is a text: no field of a hash that a commit expects is empty.
fn marked(text: &str) -> String {
    format!("={text}")
}

fn unmarked(mut text: String) -> String {
    if text.starts_with('=') {
        text.remove(0);
    }
    text
}
