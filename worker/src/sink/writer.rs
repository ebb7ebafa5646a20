//! The JSON sink as the worker uses it: blocking work off the runtime's own threads, and one bad record kept from
//! taking the process with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use shared::config::Gone;
use shared::failure::{Class, DEFECT, Failure, Reason};
use shared::job::Job;
use shared::record::RecordKey;

use super::Upserted;
use super::json::{Flushed, JsonRow, JsonSettings, JsonSink};

/// The answers to a batch, in its order.
type Answers = Vec<Result<Upserted, Failure>>;

/// A JSON file under the worker's hand. Needs tokio's multi-thread runtime.
#[derive(Debug)]
pub struct JsonWriter {
    settings: JsonSettings,
    gone: Gone,
    sink: Option<JsonSink>,
}

impl JsonWriter {
    /// Takes an opened sink; `settings` are kept to open it again. `gone`: what becomes of records that their source no
    /// longer has.
    pub fn new(settings: JsonSettings, gone: Gone, sink: JsonSink) -> Self {
        Self { settings, gone, sink: Some(sink) }
    }

    /// See [`super::Sink::upsert`]. A batch over which the code panics is taken apart: only the record that panics by
    /// itself is refused.
    pub(super) fn upsert(&mut self, jobs: &[&Job]) -> Result<Answers, Failure> {
        if let Some(answers) = tokio::task::block_in_place(|| self.try_upsert(jobs))? {
            return Ok(answers);
        }
        if jobs.len() <= 1 {
            let failure = Failure::new(Class::Poison, Reason::Crashed, "writing this record crashed")
                .advise("report it with the record: this is a defect of catalog-sync");
            return Ok(jobs.iter().map(|_| Err(failure.clone())).collect());
        }
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            answers.extend(self.upsert(&[*job])?);
        }
        Ok(answers)
    }

    /// `None`: the code panicked, and the sink was given up.
    fn try_upsert(&mut self, jobs: &[&Job]) -> Result<Option<Answers>, Failure> {
        let how = self.gone;
        let sink = self.opened()?;
        let rows = jobs.iter().filter(|job| !job.is_gone());
        let rows: Vec<JsonRow<'_>> = rows.map(|job| JsonRow { key: &job.key, values: &job.values }).collect();
        let gone: Vec<&RecordKey> = jobs.iter().filter(|job| job.is_gone()).map(|job| &job.key).collect();
        // Nothing of the sink is looked at after a panic: it is dropped and opened anew from its files.
        let write = || {
            let upserted = if rows.is_empty() { Vec::new() } else { sink.upsert(&rows)? };
            let gone = if gone.is_empty() { Vec::new() } else { sink.gone(&gone, how)? };
            Ok::<_, Failure>((upserted, gone))
        };
        let Ok(outcomes) = catch_unwind(AssertUnwindSafe(write)) else {
            self.sink = None;
            return Ok(None);
        };
        let (upserted, gone) = outcomes?;
        let (mut upserted, mut gone) = (upserted.into_iter(), gone.into_iter().map(Ok));
        let next = |job: &&Job| if job.is_gone() { gone.next() } else { upserted.next() };
        let answers = jobs.iter().filter_map(next);
        Ok(Some(answers.map(|answer| answer.map(|outcome| Upserted { outcome, sink_id: None })).collect()))
    }

    /// See [`super::Sink::flush`].
    pub(crate) fn flush(&mut self) -> Result<Flushed, Failure> {
        tokio::task::block_in_place(|| self.opened()?.flush())
    }

    /// Identity, generation and records of the file, as of the last call; `None` where it was given up after a panic.
    pub(crate) fn standing(&self) -> Option<(String, u64, u64)> {
        let sink = self.sink.as_ref()?;
        Some((sink.identity().to_owned(), sink.generation(), sink.records()))
    }

    /// See [`super::Sink::bytes_written`].
    pub(super) fn bytes_written(&self) -> u64 {
        self.sink.as_ref().map_or(0, JsonSink::bytes_written)
    }

    fn opened(&mut self) -> Result<&mut JsonSink, Failure> {
        if self.sink.is_none() {
            let (sink, _) = JsonSink::open(self.settings.clone())?;
            self.sink = Some(sink);
        }
        self.sink
            .as_mut()
            .ok_or_else(|| Failure::systemic(Reason::File, "the JSON file is not open").advise(DEFECT))
    }
}
