//! What a pipeline's sync did.

use std::time::Duration;

use jiff::Timestamp;
use producer::sweep::Swept;
use serde::Serialize;
use shared::failure::Failure;
use shared::record::PipelineName;
use shared::state::{Ledger, RunKind};

use crate::exit::Exit;

/// What a pipeline's sync did. After a run that was broken off there are two runs; their ledgers are added up.
#[derive(Debug)]
pub(crate) struct PipelineReport {
    pub(crate) pipeline: PipelineName,
    /// Kind of the last run.
    pub(crate) kind: Option<RunKind>,
    /// Why it was that kind.
    pub(crate) why: String,
    pub(crate) ledger: Ledger,
    pub(crate) took: Duration,
    /// Of what the ledger has as given up, so many still are: a person may have redriven some since. The ledger of a run that
    /// was broken off keeps what it counted.
    pub(crate) still_dead: u64,
    /// Records in the sink afterwards, where that is known.
    pub(crate) records_total: Option<u64>,
    /// Bytes that the sink wrote.
    pub(crate) bytes_written: u64,
    /// The next incremental run reads what changed from here on.
    pub(crate) next_start: Option<Timestamp>,
    /// Why a person lets it stand still: then nothing was done.
    pub(crate) paused: Option<String>,
    /// What ended it early.
    pub(crate) failure: Option<Failure>,
    /// Its images, where it has any.
    pub(crate) images: Option<ImagesReport>,
    /// What a sweep found.
    pub(crate) sweep: Option<Swept>,
}

/// What became of a pipeline's images in this sync.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ImagesReport {
    /// Brought to the sink, or found there.
    pub(crate) applied: u64,
    /// Given up.
    pub(crate) dead: u64,
    /// Waiting for a later sync.
    pub(crate) outstanding: u64,
    /// What stopped them early, in words.
    pub(crate) stopped: Option<String>,
    /// When Zoho takes calls again, where that stopped them.
    #[serde(skip)]
    pub(crate) retry_after: Option<std::time::Duration>,
    /// What that means for the exit code.
    #[serde(skip)]
    pub(crate) exit: Option<Exit>,
}

/// The form in `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct PipelineJson<'a> {
    pipeline: &'a PipelineName,
    kind: Option<RunKind>,
    why: &'a str,
    seconds: f64,
    outcomes: Ledger,
    outstanding: u64,
    records_total: Option<u64>,
    bytes_written: u64,
    next_start: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<&'a str>,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<&'a ImagesReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<&'a Swept>,
}

impl PipelineReport {
    pub(crate) fn new(pipeline: PipelineName) -> Self {
        Self {
            pipeline,
            kind: None,
            why: String::new(),
            ledger: Ledger::default(),
            still_dead: 0,
            took: Duration::ZERO,
            records_total: None,
            bytes_written: 0,
            next_start: None,
            paused: None,
            failure: None,
            images: None,
            sweep: None,
        }
    }

    /// Adds what a run's ledger has, with `dead` records of the pipeline in the dead letters now.
    pub(crate) fn add(&mut self, ledger: Ledger, dead: u64) {
        self.ledger += ledger;
        self.still_dead = dead.min(self.ledger.dead + self.ledger.dead_at_source);
    }

    pub(crate) fn exit(&self) -> Exit {
        let images = self.images.as_ref().and_then(|images| images.exit).unwrap_or(Exit::Done);
        images.max(self.exit_of_records())
    }

    fn exit_of_records(&self) -> Exit {
        match &self.failure {
            Some(failure) => Exit::after(failure),
            // A person is to decide.
            None if self.sweep.as_ref().is_some_and(|swept| swept.refused.is_some()) => Exit::Configuration,
            None if self.still_dead > 0 => Exit::RecordsFailed,
            None => Exit::Done,
        }
    }

    pub(crate) fn json(&self) -> PipelineJson<'_> {
        PipelineJson {
            pipeline: &self.pipeline,
            kind: self.kind,
            why: &self.why,
            seconds: (self.took.as_secs_f64() * 1000.0).round() / 1000.0,
            outcomes: self.ledger,
            outstanding: self.ledger.outstanding(),
            records_total: self.records_total,
            bytes_written: self.bytes_written,
            next_start: self.next_start,
            paused: self.paused.as_deref(),
            error: self.failure.as_ref().map(|failure| format!("{failure:#}")),
            images: self.images.as_ref(),
            sweep: self.sweep.as_ref(),
        }
    }
}
