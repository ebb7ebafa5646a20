//! What a hash of a run or a pipeline holds, as it was read.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::answers::{Answers, damaged, number};
use crate::failure::Failure;
use crate::record::RunId;
use crate::state::{Ledger, RunSummary, Window};

/// A hash as it was read.
pub(super) struct Fields(pub(super) HashMap<String, String>);

impl Fields {
    /// A run; `None` where it is not known.
    pub(super) fn of(answers: &mut Answers) -> Result<Option<Self>, Failure> {
        let fields = Self(answers.next()?);
        // Counting alone makes none: it looks whether the run is there.
        Ok(Some(fields).filter(|fields| fields.text("pipeline").is_some()))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, Failure> {
        number(self.text(name))
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        self.text(name).map(|text| text.parse().map_err(|_| damaged("a time"))).transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        let text = self.text(name).unwrap_or_default();
        serde_json::from_str(text).map_err(|error| damaged("a run").because(error))
    }

    pub(super) fn window(&self) -> Result<Window, Failure> {
        self.json("window")
    }

    pub(super) fn summary(&self, id: RunId) -> Result<RunSummary, Failure> {
        let pipeline = self.text("pipeline").and_then(|name| name.parse().ok());
        let end = self.text("outcome").map(|_| self.json("outcome")).transpose()?;
        Ok(RunSummary {
            id,
            pipeline: pipeline.ok_or_else(|| damaged("a run's pipeline"))?,
            kind: self.json("kind")?,
            window: self.window()?,
            started: self.time("started")?.ok_or_else(|| damaged("a run's beginning"))?,
            ended: self.time("ended")?,
            end,
            ledger: self.ledger()?,
            settled: self.settled()?,
        })
    }

    /// Noted by the commit that counted the last place, in microseconds.
    pub(super) fn settled(&self) -> Result<Option<Timestamp>, Failure> {
        let time = |micros: &str| Timestamp::from_microsecond(micros.parse().ok()?).ok();
        self.text("settled").map(|micros| time(micros).ok_or_else(|| damaged("a time"))).transpose()
    }

    pub(super) fn ledger(&self) -> Result<Ledger, Failure> {
        let (unchanged_at_source, dead_at_source, enqueued) =
            (self.number("unchanged_at_source")?, self.number("dead_at_source")?, self.number("enqueued")?);
        Ok(Ledger {
            seen: unchanged_at_source + dead_at_source + enqueued,
            unchanged_at_source,
            dead_at_source,
            enqueued,
            created: self.number("created")?,
            updated: self.number("updated")?,
            unchanged: self.number("unchanged")?,
            gone: self.number("gone")?,
            superseded: self.number("superseded")?,
            dead: self.number("dead")?,
        })
    }
}
