//! What the next sync of a pipeline would do, found out by the code that does it: what is due, what is mapped, what the
//! state knows and what the sink has. Nothing is written anywhere.

use std::collections::HashMap;

use shared::checksum::Checksum;
use shared::config::{Config, Gone, Pipeline};
use shared::failure::Failure;
use shared::record::{RecordKey, Version};
use shared::state::{PipelineState, RunKind, State, Weight};
use shared::systems::Systems;

use jiff::Timestamp;
use producer::mapped::Mapped;
use producer::source::{Source, SourceRow};
use producer::start::{Due, Wish, due};
use producer::sweep::{CONFIRM, Search, Seen, Sweeping, Swept};
use worker::open::Viewed;
use worker::sink::{Looked, SinkView};

use super::candidate::{Candidate, look};
use super::change::{Action, Change, Head, ImageChange, Outcome, Totals, settings_of};
use super::looking::view_of;

/// Any version is below this.
const NEWEST: Version = Version { epoch: i64::MAX as u64, sequence: i64::MAX as u64 };

/// Outstanding records and images that are looked at together.
const TOGETHER: usize = 500;

/// Where changes go, one after the other.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Change) -> Result<(), Failure> + Send);

/// One pipeline, opened for looking.
pub(crate) struct Planner<'a> {
    pipeline: &'a Pipeline,
    state: State,
    pub(crate) source: Source,
    view: SinkView,
    known: Option<PipelineState>,
    due: Due,
    /// Outstanding work waits for the next sync of this machine; in a fleet, workers have it in hand.
    has_backlog: bool,
    sweeping: Sweeping,
    /// What a person should know, in words.
    pub(crate) notice: Option<String>,
    pub(crate) head: Head,
    totals: Totals,
}

impl<'a> Planner<'a> {
    /// Opens source and sink of a pipeline.
    pub(crate) async fn open(
        config: &Config,
        pipeline: &'a Pipeline,
        systems: &Systems,
        state: &State,
        wish: &Wish,
    ) -> Result<Self, Failure> {
        let nothing = State::open_memory().await?;
        // What is learnt of the source's fields goes nowhere.
        let source = producer::open::source(pipeline, systems, &nothing, true).await?;
        let Viewed { view, identity, marker, notice } = view_of(config, pipeline, systems, state).await?;
        let known = state.pipeline(&pipeline.name).await?;
        let unmarked = match &marker {
            Some(marker) => marker.peek(&pipeline.name)?.is_none(),
            None => false,
        };
        let is_complete = known.as_ref().is_some_and(|known| known.cursor.is_some());
        let sink_asks = (unmarked && is_complete).then(|| "last_sync.json has no entry for it".to_owned());
        let sweeping = Sweeping { rules: pipeline.sweep, allow_mass: wish.allow_mass_archive };
        let wish = Wish { sink_asks, ..wish.clone() };
        let binding = source.binding(identity.as_deref().unwrap_or_default());
        let due = due(known.as_ref(), pipeline, &binding, &wish, source.clock());
        let head = Head {
            pipeline: pipeline.name.clone(),
            source: binding.source,
            sink: identity,
            mapping: binding.mapping,
            settings: settings_of(pipeline),
            kind: due.kind,
            why: due.why.clone(),
            since: due.window.start,
            until: due.window.end,
        };
        let state = if due.reset { nothing } else { state.clone() };
        let (has_backlog, totals) = (config.fleet.is_none(), Totals::default());
        Ok(Self { pipeline, state, source, view, known, due, has_backlog, sweeping, notice, head, totals })
    }

    /// Gives every change to `take`.
    pub(crate) async fn plan(mut self, take: Take<'_>) -> Result<Outcome, Failure> {
        if self.has_backlog {
            self.backlog(take).await?;
        }
        // A run that is gone on with is followed by another one over what changed since: read from the beginning, its
        // window holds both.
        let (mut position, mut window) = (None, self.due.window);
        let mut seen = (self.due.kind == RunKind::Sweep).then(Seen::default);
        if seen.is_some() {
            // As a sweep reads: what changes meanwhile moves to the end, and is not to seem missing.
            window.end = Timestamp::MAX;
        }
        loop {
            let page = self.source.page(window, position.as_deref()).await?;
            if let Some(seen) = &mut seen {
                page.rows.iter().for_each(|row| seen.insert(&row.key));
            }
            self.rows(page.rows, false, take).await?;
            position = page.next;
            if position.is_none() {
                break;
            }
        }
        let sweep = match seen {
            Some(seen) => Some(self.gone(&seen, take).await?),
            None => None,
        };
        if self.has_backlog && self.pipeline.takes_images() {
            self.images(take).await?;
        }
        Ok(Outcome { totals: self.totals, sweep })
    }

    pub(crate) fn search(&self) -> Search<'_> {
        let Self { state, source, sweeping, .. } = self;
        Search { state, source, pipeline: &self.pipeline.name, sweeping: *sweeping }
    }

    /// What a sweep would do with what the source no longer has.
    async fn gone(&mut self, seen: &Seen, take: Take<'_>) -> Result<Swept, Failure> {
        let (mut swept, missing) = self.search().missing(seen, || Ok(())).await?;
        for keys in missing.chunks(CONFIRM) {
            let gone = self.search().confirm(&mut swept, keys, seen.example()).await?;
            for (_, change) in self.gone_again(gone).await? {
                if let Some(change) = change {
                    self.totals.add(&change);
                    take(change)?;
                }
            }
        }
        Ok(swept)
    }

    /// What would be done with records that are gone: of some a change, of others nothing.
    pub(crate) async fn gone_again(
        &mut self,
        keys: Vec<RecordKey>,
    ) -> Result<Vec<(RecordKey, Option<Change>)>, Failure> {
        let how = self.sweeping.rules.gone;
        let answers = self.view.look_gone(&keys, how).await?;
        let change = |record: &RecordKey, looked| {
            let Looked::Different { sink_id, fields, .. } = looked else { return None };
            let action = match how {
                Gone::Keep => return None,
                Gone::Archive => Action::Archive,
                Gone::Mark => Action::Mark,
                Gone::Remove => Action::Remove,
            };
            let why = Some("the source no longer has it".to_owned());
            let (record, source) = (record.clone(), Some(Checksum::GONE));
            Some(Change { record, action, sink_id, source, fields, image: None, why })
        };
        let changes: Vec<_> = keys.iter().zip(answers).map(|(key, looked)| change(key, looked)).collect();
        Ok(keys.into_iter().zip(changes).collect())
    }

    /// What is outstanding from earlier runs is enqueued again, as the source has it now.
    async fn backlog(&mut self, take: Take<'_>) -> Result<(), Failure> {
        if self.known.is_none() {
            return Ok(());
        }
        let name = &self.pipeline.name;
        let count = self.state.counts(name).await?.outstanding;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let outstanding = self.state.outstanding(name, NEWEST, count).await?;
        let keys: Vec<RecordKey> = outstanding.into_iter().map(|record| record.key).collect();
        for keys in keys.chunks(TOGETHER) {
            let rows = self.source.by_key(keys).await?;
            self.rows(rows, true, take).await?;
        }
        Ok(())
    }

    /// What is planned of these records now, whatever is remembered of them: of some a change, of others nothing.
    pub(crate) async fn again(
        &mut self,
        rows: Vec<SourceRow>,
    ) -> Result<Vec<(RecordKey, Option<Change>)>, Failure> {
        let keys: Vec<RecordKey> = rows.iter().map(|row| row.key.clone()).collect();
        let mapped = self.mapped(rows);
        let wants: Vec<_> = mapped.iter().map(Mapped::want).collect();
        let weighed = self.state.weigh(&self.pipeline.name, &wants, true, true).await?;
        let candidates =
            mapped.into_iter().zip(weighed).map(|(mapped, weighed)| Candidate::of(mapped, weighed));
        let candidates = self.completed(candidates.collect()).await?;
        let changes = look(self.pipeline, self.source.mapping(), &mut self.view, candidates).await?;
        Ok(keys.into_iter().zip(changes).collect())
    }

    fn mapped(&self, rows: Vec<SourceRow>) -> Vec<Mapped> {
        let (images, clears) = (self.pipeline.takes_images(), self.pipeline.clears_images());
        rows.into_iter().map(|row| Mapped::of(&self.source, row, images, clears)).collect()
    }

    /// The same with what only their details say, as a sync reads them: of what has changed.
    async fn completed(&self, mut candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Failure> {
        if !self.source.has_details() || candidates.is_empty() {
            return Ok(candidates);
        }
        let rows = candidates.iter().map(|candidate| candidate.mapped.row.clone()).collect();
        let rows = self.source.complete(rows).await?.into_iter();
        let mut rows: HashMap<RecordKey, SourceRow> = rows.map(|row| (row.key.clone(), row)).collect();
        for candidate in &mut candidates {
            if let Some(row) = rows.remove(&candidate.mapped.row.key) {
                candidate.mapped = candidate.mapped.clone().with_details(row);
            }
        }
        Ok(candidates)
    }

    async fn rows(&mut self, rows: Vec<SourceRow>, lost: bool, take: Take<'_>) -> Result<(), Failure> {
        self.totals.read += rows.len() as u64;
        let mapped = self.mapped(rows);
        let wants: Vec<_> = mapped.iter().map(Mapped::want).collect();
        let weighed = self.state.weigh(&self.pipeline.name, &wants, self.due.force, lost).await?;
        let mut candidates = Vec::new();
        for (mapped, weighed) in mapped.into_iter().zip(weighed) {
            match weighed.weight {
                Weight::Unchanged => self.totals.unchanged += 1,
                Weight::Dead => self.totals.dead += 1,
                // It was looked at with the backlog; in a fleet, its job is with the workers.
                Weight::Outstanding => {}
                Weight::Enqueue => candidates.push(Candidate::of(mapped, weighed)),
            }
        }
        let candidates = self.completed(candidates).await?;
        for change in look(self.pipeline, self.source.mapping(), &mut self.view, candidates).await? {
            match change {
                Some(change) => {
                    self.totals.add(&change);
                    take(change)?;
                }
                None => self.totals.unchanged += 1,
            }
        }
        Ok(())
    }

    /// Images that are outstanding from earlier runs and due.
    async fn images(&mut self, take: Take<'_>) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let images = self.state.outstanding_images(&self.pipeline.name, after, TOGETHER).await?;
            let Some(last) = images.last() else { return Ok(()) };
            after = Some(last.version);
            for image in images {
                let change = Change {
                    record: image.key,
                    action: Action::Download,
                    sink_id: image.sink_id,
                    source: None,
                    fields: Vec::new(),
                    image: Some(ImageChange { old: None, new: image.reference }),
                    why: None,
                };
                self.totals.add(&change);
                take(change)?;
            }
        }
    }
}
