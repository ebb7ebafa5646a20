//! A run over some records alone: those of a plan, or those that were found to differ. It is begun, counted and settled
//! like any other, and moves neither the cursor nor what is known of the last full run.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::record::RecordKey;
use shared::state::{NewRun, PipelineState, RunKind, Window};

use crate::source::{Source, SourceRow};

/// Records read by key at once.
const TOGETHER: usize = 500;

/// The records that a run is restricted to. They are enqueued whatever is remembered of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// With the checksum of the values that are to be written: a record that has others by now is left out. `None`:
    /// whatever the source has.
    pub records: HashMap<RecordKey, Option<Checksum>>,
    /// Records that the source no longer has: those that are confirmed to be gone are wanted as that.
    pub gone: Vec<RecordKey>,
    /// A record that the source has. Where even that is denied, none of `gone` is believed.
    pub example: Option<RecordKey>,
    /// They changed since then, as far as is known: spares a source that is read as a list.
    pub since: Option<Timestamp>,
    /// In words, for the log and the summary.
    pub why: String,
}

impl Only {
    /// The run over these records.
    ///
    /// # Errors
    /// `Reason::Configuration` where a run was broken off: it would not be gone on with after this one.
    pub(crate) fn run(
        &self,
        known: Option<PipelineState>,
        new: NewRun,
        now: Timestamp,
    ) -> Result<NewRun, Failure> {
        let (mut binding, mut end) = (new.binding.clone(), now);
        if let Some(known) = known {
            if known.open.is_some_and(|open| open.kind.can_go_on()) {
                let what =
                    format!("a run of {} was broken off and is to be gone on with first", new.pipeline);
                let advice = format!("run `catalog-sync sync {}`, then this again", new.pipeline);
                return Err(Failure::configuration(what).advise(advice));
            }
            // What another source, sink or mapping asks for is the next run's.
            binding = known.binding;
            end = known.cursor.unwrap_or(now);
        }
        let window = Window { start: self.since, end };
        Ok(NewRun { kind: RunKind::Chosen, window, binding, force: true, reset: false, ..new })
    }
}

/// Reads records by key, as cheaply as their source allows: Odoo by id, Zoho's list from its start until all are found.
#[derive(Debug)]
pub struct ByKey<'a> {
    source: &'a Source,
    wanted: HashSet<RecordKey>,
    window: Window,
    /// Where the list goes on; `None`: at its beginning.
    position: Option<String>,
    /// A list is read, and not at its end.
    is_listing: bool,
    /// What a list lacks is not asked for by id.
    is_list_alone: bool,
}

impl<'a> ByKey<'a> {
    /// Records that changed `since`, as far as is known.
    pub fn new(source: &'a Source, keys: impl Iterator<Item = RecordKey>, since: Option<Timestamp>) -> Self {
        let window = Window { start: since, end: source.clock() };
        let is_listing = matches!(source, Source::Zoho(_));
        Self { source, wanted: keys.collect(), window, position: None, is_listing, is_list_alone: false }
    }

    /// The same of all times; what Zoho's list lacks is taken for gone, and no call is spent on asking for it.
    pub fn listed(source: &'a Source, keys: impl Iterator<Item = RecordKey>) -> Self {
        Self { is_list_alone: matches!(source, Source::Zoho(_)), ..Self::new(source, keys, None) }
    }

    /// Some more of them, none twice; `None` after the last. What the source no longer has never comes.
    ///
    /// # Errors
    /// The source's.
    pub async fn more(&mut self) -> Result<Option<Vec<SourceRow>>, Failure> {
        if self.wanted.is_empty() {
            return Ok(None);
        }
        if self.is_listing {
            let page = self.source.page(self.window, self.position.as_deref()).await?;
            self.is_listing = page.next.is_some();
            self.position = page.next;
            let rows = page.rows.into_iter().filter(|row| self.wanted.remove(&row.key));
            return Ok(Some(rows.collect()));
        }
        if self.is_list_alone {
            return Ok(None);
        }
        // One call walks Zoho's whole list: all that it lacked are asked for together.
        let most = if matches!(self.source, Source::Zoho(_)) { usize::MAX } else { TOGETHER };
        let keys: Vec<RecordKey> = self.wanted.iter().take(most).cloned().collect();
        for key in &keys {
            self.wanted.remove(key);
        }
        Ok(Some(self.source.by_key(&keys).await?))
    }
}
