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
use shared::failure::Failure;
use shared::job::{GONE_FORMAT, Job, JobKind};
use shared::queue::Receipt;
use shared::record::{PipelineName, RecordKey, RunId, Values};
use shared::state::{Run, State, Want, Wanted};

use crate::enumerate::Enumeration;
use crate::keys::Keys;
use crate::source::Absent;

/// Records of the state read at once.
const KNOWN: usize = 1_000;

/// Records that are asked for by key, and then enqueued, at once.
const CONFIRM: usize = 100;

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
pub(crate) struct Seen {
    keys: Keys,
    /// One that the source certainly has.
    example: Option<RecordKey>,
}

impl Seen {
    pub(crate) fn insert(&mut self, key: &RecordKey) {
        self.keys.insert(key);
        self.example.get_or_insert_with(|| key.clone());
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
        let text = serde_json::to_string(self)
            .map_err(|error| Failure::configuration("a sweep cannot be written").because(error))?;
        state.set_memo(&memo(pipeline), Some(&text)).await
    }
}

fn memo(pipeline: &PipelineName) -> String {
    format!("sweep/{pipeline}")
}

impl Enumeration<'_> {
    /// Looks for what is known and was not seen by this run, which has read everything. When it returns, the jobs of what
    /// is gone are durable.
    pub(crate) async fn find_gone(&self, run: &Run, seen: &Seen) -> Result<(), Failure> {
        let (known, missing) = self.missing(run, seen).await?;
        let mut swept = Swept {
            run: run.id.0,
            at: Some(self.state.now().await?),
            known,
            missing: missing.len() as u64,
            ..Swept::default()
        };
        swept.refused = refusal(run, &swept, seen, self.sweeping);
        if let Some(why) = &swept.refused {
            tracing::warn!(pipeline = %run.pipeline, run = %run.id, "{why}");
            return swept.note(self.state, &run.pipeline).await;
        }
        let missing: Vec<RecordKey> = missing.into_iter().collect();
        for keys in missing.chunks(CONFIRM) {
            self.stopped()?;
            let Absent { mut gone, left, there } = self.source.confirm(keys, seen.example.as_ref()).await?;
            swept.there += there;
            swept.left += left.len() as u64;
            if self.sweeping.rules.left_is_gone {
                gone.extend(left);
            }
            swept.gone += gone.len() as u64;
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

    /// How many records are known and not gone, and which of them were not seen.
    async fn missing(&self, run: &Run, seen: &Seen) -> Result<(u64, BTreeSet<RecordKey>), Failure> {
        let (mut known, mut missing, mut after) = (0, BTreeSet::new(), None);
        loop {
            let page = self.state.known(&run.pipeline, after.as_deref(), KNOWN).await?;
            for record in page.records {
                let is_wanted = record.wanted.is_some_and(|wanted| wanted.checksum != Checksum::GONE);
                // One that changes meanwhile may come twice.
                if is_wanted && !missing.contains(&record.key) {
                    known += 1;
                    if !seen.keys.contains(&record.key) {
                        missing.insert(record.key);
                    }
                }
            }
            self.stopped()?;
            after = page.next;
            if after.is_none() {
                return Ok((known, missing));
            }
        }
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
                failures: Vec::new(),
            };
            receipts.push(self.enqueue(job).await?);
        }
        Ok(receipts)
    }
}

/// Why nothing is to be done about what is missing.
fn refusal(run: &Run, swept: &Swept, seen: &Seen, sweeping: Sweeping) -> Option<String> {
    let Swept { known, missing, .. } = *swept;
    if missing == 0 {
        return None;
    }
    if seen.keys.is_empty() {
        return Some(format!("the source's list is empty: all {known} known records are left as they are"));
    }
    let most = sweeping.rules.limit(known);
    if missing <= most || sweeping.allow_mass || sweeping.rules.gone == Gone::Keep {
        return None;
    }
    Some(format!(
        "{missing} of {known} known records are not in the source's list, and at most {most} may be gone at once \
         (gone_at_most_percent = {}): nothing was done about them; where that is right, run `catalog-sync sync {} --sweep \
         --allow-mass-archive`",
        sweeping.rules.at_most_percent, run.pipeline
    ))
}
