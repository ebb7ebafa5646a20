//! What the source no longer has: looked for once all of it was read, confirmed record by record, and wanted as gone.
//!
//! Nothing counts as gone after an empty list, nor where more is missing than may be: a list that is half there, by a
//! mistake of the source or of its filters, must not empty a shop.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::checksum::Checksum;
use shared::config::{Gone, Sweep};
use shared::crash::{self, Point};
use shared::failure::{DEFECT, Failure};
use shared::job::{GONE_FORMAT, Job, JobKind};
use shared::queue::Receipt;
use shared::record::{PipelineName, RecordKey, RunId, Values};
use shared::state::{Run, State, Want, Wanted};
use shared::trace::Trace;

use crate::enumerate::Enumeration;
use crate::keys::Keys;
use crate::only::Only;
use crate::source::{Absent, Source};

/// Records of the state read at once.
const KNOWN: usize = 1_000;

/// Records that are asked for by key, and then enqueued, at once.
pub const CONFIRM: usize = 100;

/// How a sweep goes about it.
#[derive(Debug, Clone, Copy)]
pub struct Sweeping {
    /// The pipeline's rules.
    pub rules: Sweep,
    /// However many are gone: a person has looked at it.
    pub allow_mass: bool,
}

/// Keys that were read. Two that are taken for each other would hide that one of them is gone, until the next sweep.
#[derive(Debug, Default)]
pub struct Seen {
    keys: Keys,
    /// One that the source certainly has.
    example: Option<RecordKey>,
}

impl Seen {
    /// Adds a key.
    pub fn insert(&mut self, key: &RecordKey) {
        self.keys.insert(key);
        self.example.get_or_insert_with(|| key.clone());
    }

    /// One of them.
    pub fn example(&self) -> Option<&RecordKey> {
        self.example.as_ref()
    }
}

/// What the last sweep of a pipeline found: a memo of the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Swept {
    /// The run.
    pub run: u64,
    /// When it looked.
    pub at: Option<Timestamp>,
    /// Records that were known, and not gone before.
    pub known: u64,
    /// Of these, not in the source's list.
    pub missing: u64,
    /// Confirmed as gone, and archived, marked or removed by the jobs of the run (or kept, where that is configured).
    pub gone: u64,
    /// They are there, but no longer among the records that are read.
    pub left: u64,
    /// They are there, although the list did not have them.
    pub there: u64,
    /// Why nothing was done about what is missing, in words.
    pub refused: Option<String>,
}

impl Swept {
    /// The last sweep of a pipeline; `None`: there was none.
    ///
    /// # Errors
    /// The state's.
    pub async fn of(state: &State, pipeline: &PipelineName) -> Result<Option<Self>, Failure> {
        let text = state.memo(&memo(pipeline)).await?;
        // One of another version is as if there had been none.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The sweep of this run; `None`: it was none.
    ///
    /// # Errors
    /// The state's.
    pub async fn by(state: &State, pipeline: &PipelineName, run: RunId) -> Result<Option<Self>, Failure> {
        Ok(Self::of(state, pipeline).await?.filter(|swept| swept.run == run.0))
    }

    async fn note(&self, state: &State, pipeline: &PipelineName) -> Result<(), Failure> {
        let text = serde_json::to_string(self).map_err(|error| {
            Failure::configuration("a sweep cannot be written").advise(DEFECT).because(error)
        })?;
        state.set_memo(&memo(pipeline), Some(&text)).await
    }
}

fn memo(pipeline: &PipelineName) -> String {
    format!("sweep/{pipeline}")
}

impl Enumeration<'_> {
    fn search<'a>(&'a self, run: &'a Run) -> Search<'a> {
        let Self { state, source, sweeping, .. } = *self;
        Search { state, source, pipeline: &run.pipeline, sweeping }
    }

    /// Looks for what is known and was not seen by this run, which has read everything. When it returns, the jobs of what
    /// is gone are durable.
    pub(crate) async fn find_gone(&self, run: &Run, seen: &Seen) -> Result<(), Failure> {
        let search = self.search(run);
        let (swept, missing) = search.missing(seen, || self.stopped()).await?;
        let mut swept = Swept { run: run.id.0, ..swept };
        if let Some(why) = &swept.refused {
            tracing::warn!(pipeline = %run.pipeline, run = %run.id, "{why}");
            return swept.note(self.state, &run.pipeline).await;
        }
        for keys in missing.chunks(CONFIRM) {
            self.stopped()?;
            let gone = search.confirm(&mut swept, keys, seen.example()).await?;
            if self.sweeping.rules.gone != Gone::Keep {
                let receipts = self.want_gone(run, gone, false).await?;
                self.durable(receipts).await?;
                crash::point(Point::Confirmed);
            }
        }
        let Swept { known, missing, gone, left, there, .. } = swept;
        tracing::info!(
            pipeline = %run.pipeline, run = %run.id, known, missing, gone, left, there, "looked for what is gone"
        );
        swept.note(self.state, &run.pipeline).await
    }

    /// Of the records that a plan found to be gone, those that still are: confirmed once more, wanted as gone and enqueued.
    pub(crate) async fn gone_of_plan(&self, run: &Run, only: &Only) -> Result<(), Failure> {
        let search = self.search(run);
        for keys in only.gone.chunks(CONFIRM) {
            self.stopped()?;
            let mut swept = Swept::default();
            let gone = search.confirm(&mut swept, keys, only.example.as_ref()).await?;
            let back = keys.len() - gone.len();
            if back > 0 {
                tracing::warn!(pipeline = %run.pipeline, run = %run.id, records = back, "are not gone any more and are left out");
            }
            let receipts = self.want_gone(run, gone, false).await?;
            self.durable(receipts).await?;
            crash::point(Point::Confirmed);
        }
        Ok(())
    }

    /// Wants records as gone, and enqueues what is new of it.
    pub(crate) async fn want_gone(
        &self,
        run: &Run,
        keys: Vec<RecordKey>,
        lost: bool,
    ) -> Result<Vec<Receipt>, Failure> {
        let want = |key: &RecordKey| Want { key: key.clone(), checksum: Checksum::GONE, image: None };
        let wants: Vec<Want> = keys.iter().map(want).collect();
        let answers = self.state.want(run, &wants, lost).await?;
        crash::point(Point::Wanted);
        let mut receipts = Vec::new();
        for (key, answer) in keys.into_iter().zip(answers) {
            let Wanted::Enqueue { version, place } = answer else { continue };
            let trace = Some(Trace::of(&run.pipeline, &key, version));
            let job = Job {
                format: GONE_FORMAT,
                kind: JobKind::Record,
                pipeline: run.pipeline.clone(),
                key,
                version,
                checksum: Checksum::GONE,
                run: run.id,
                place,
                attempt: 1,
                values: Values::new(),
                image: None,
                sink_id: None,
                source_time: None,
                trace,
                failures: Vec::new(),
            };
            receipts.push(self.enqueue(job).await?);
        }
        Ok(receipts)
    }
}

/// The search for what a source no longer has. Nothing is noted of it anywhere.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// What is known.
    pub state: &'a State,
    /// Where it came from.
    pub source: &'a Source,
    /// Of which pipeline.
    pub pipeline: &'a PipelineName,
    /// What may be done.
    pub sweeping: Sweeping,
}

impl Search<'_> {
    /// What is known and not among what was `seen`, which is all that the source lists; nothing where [`Swept::refused`] says
    /// why. `go_on` is asked now and then, and ends the search by its failure.
    ///
    /// # Errors
    /// The state's, and that of `go_on`.
    pub async fn missing(
        &self,
        seen: &Seen,
        go_on: impl Fn() -> Result<(), Failure>,
    ) -> Result<(Swept, Vec<RecordKey>), Failure> {
        let (known, missing) = self.unseen(Some(&seen.keys), go_on).await?;
        let at = Some(self.state.now().await?);
        let mut swept = Swept { at, known, missing: missing.len() as u64, ..Swept::default() };
        swept.refused = self.refusal(&swept, seen);
        let missing = if swept.refused.is_some() { Vec::new() } else { missing.into_iter().collect() };
        Ok((swept, missing))
    }

    /// Which of these are gone, each asked for by itself, and adds up what else they are. At most [`CONFIRM`] at a time;
    /// `example` is a record that the source listed.
    ///
    /// # Errors
    /// The source's; `Reason::Protocol` where it denies even the example.
    pub async fn confirm(
        &self,
        swept: &mut Swept,
        keys: &[RecordKey],
        example: Option<&RecordKey>,
    ) -> Result<Vec<RecordKey>, Failure> {
        let Absent { mut gone, left, there } = self.source.confirm(keys, example).await?;
        swept.there += there;
        swept.left += left.len() as u64;
        if self.sweeping.rules.left_is_gone {
            gone.extend(left);
        }
        swept.gone += gone.len() as u64;
        Ok(gone)
    }

    /// Why so many records of a plan may not go at once; `None`: they may.
    ///
    /// # Errors
    /// The state's.
    pub async fn refusal_of(&self, gone: u64) -> Result<Option<String>, Failure> {
        let (known, _) = self.unseen(None, || Ok(())).await?;
        Ok(self.too_many(known, gone))
    }

    /// How many records are known and not gone, and which of them were not seen; `None`: they are counted alone.
    async fn unseen(
        &self,
        seen: Option<&Keys>,
        go_on: impl Fn() -> Result<(), Failure>,
    ) -> Result<(u64, BTreeSet<RecordKey>), Failure> {
        let (mut known, mut missing, mut after) = (0, BTreeSet::new(), None);
        loop {
            let page = self.state.known(self.pipeline, after.as_deref(), KNOWN).await?;
            for record in page.records {
                let is_wanted = record.wanted.is_some_and(|wanted| wanted.checksum != Checksum::GONE);
                // One that changes meanwhile may come twice.
                if is_wanted && !missing.contains(&record.key) {
                    known += 1;
                    if seen.is_some_and(|seen| !seen.contains(&record.key)) {
                        missing.insert(record.key);
                    }
                }
            }
            go_on()?;
            after = page.next;
            if after.is_none() {
                return Ok((known, missing));
            }
        }
    }

    /// Why nothing is to be done about what is missing.
    fn refusal(&self, swept: &Swept, seen: &Seen) -> Option<String> {
        let Swept { known, missing, .. } = *swept;
        if missing == 0 {
            return None;
        }
        if seen.keys.is_empty() {
            return Some(format!(
                "the source's list is empty: all {known} known records are left as they are"
            ));
        }
        self.too_many(known, missing)
    }

    fn too_many(&self, known: u64, missing: u64) -> Option<String> {
        let Sweeping { rules, allow_mass } = self.sweeping;
        let most = rules.limit(known);
        if missing <= most || allow_mass || rules.gone == Gone::Keep {
            return None;
        }
        Some(format!(
            "{missing} of {known} known records are not in the source's list, and at most {most} may be gone at once \
             (gone_at_most_percent = {}): nothing was done about them; where that is right, run `catalog-sync sync {} \
             --sweep --allow-mass-archive`",
            rules.at_most_percent, self.pipeline
        ))
    }
}
