//! One batch on its way into Odoo: found, compared, written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::failure::{Class, Failure, Reason};
use shared::job::Job;
use shared::odoo::{Row, SearchRead};
use shared::record::{Outcome, RecordKey};

use super::super::Upserted;
use super::cell::{Called, Cell, Wanted};
use super::change::{Applied, Change, What, not_sent};
use super::column::{Column, Kind};
use super::external::number;
use super::matching::{self, Seeker};
use super::plan::{self, Difference, Insert};
use super::reference::{Found, unresolved};
use super::sink::OdooSink;

/// Records whose values are read at once.
const READ: usize = 500;

/// Records that one `write` or one action is for.
const WRITE: usize = 500;

/// One record of the batch.
struct Record<'a> {
    job: &'a Job,
    /// By column; `None` where the job has no such value: the field is left alone.
    wanted: Vec<Option<Wanted>>,
    /// The same with references resolved.
    cells: Vec<Option<Cell>>,
    /// Its id in Odoo, where it is there.
    id: Option<i64>,
    is_created: bool,
    is_written: bool,
    failure: Option<Failure>,
}

/// A batch, and what it is written with.
pub(super) struct Batch<'a, 's> {
    sink: &'s mut OdooSink,
    records: Vec<Record<'a>>,
    /// The system failed while something was being written.
    stopped: Option<Failure>,
}

impl<'a, 's> Batch<'a, 's> {
    /// Reads the mapped values.
    pub(super) fn new(sink: &'s mut OdooSink, jobs: &[&'a Job]) -> Self {
        let record = |job: &&'a Job| {
            let mut failure = None;
            let mut wanted = |column: &Column| {
                let value = job.values.get(&column.name)?;
                Wanted::of(column, value)
                    .map_err(|refused| failure.get_or_insert(refused).class)
                    .ok()
            };
            let wanted = sink.columns.iter().map(&mut wanted).collect();
            Record {
                job,
                wanted,
                cells: Vec::new(),
                id: None,
                is_created: false,
                is_written: false,
                failure,
            }
        };
        let records = jobs.iter().map(record).collect();
        Self {
            sink,
            records,
            stopped: None,
        }
    }

    /// Finds, compares and writes. The outer failure is the system's, and then nothing was answered for any record.
    pub(super) async fn run(mut self) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        self.resolve().await?;
        self.locate().await?;
        self.bind().await?;
        let differences = self.compare().await?;
        self.update(&differences).await;
        self.insert().await;
        self.archive(&differences).await;
        if self.records.iter().any(|record| {
            record
                .failure
                .as_ref()
                .is_some_and(|failure| failure.class == Class::Permanent)
        }) {
            self.sink.references.forget();
        }
        self.answers()
    }

    fn open(&self) -> impl Iterator<Item = (usize, &Record<'a>)> {
        self.records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.failure.is_none())
    }

    fn fail(&mut self, row: usize, failure: Failure) {
        if let Some(record) = self.records.get_mut(row) {
            record.failure = Some(failure);
        }
    }

    /// Finds the records that values name.
    async fn resolve(&mut self) -> Result<(), Failure> {
        let mut named: BTreeMap<String, BTreeSet<Called>> = BTreeMap::new();
        for (_, record) in self.open() {
            for (column, wanted) in self.sink.columns.iter().zip(&record.wanted) {
                if let (
                    Kind::Reference { model, .. } | Kind::References { model, .. },
                    Some(Wanted::Named(called)),
                ) = (&column.kind, wanted)
                {
                    named
                        .entry(model.clone())
                        .or_default()
                        .extend(called.iter().cloned());
                }
            }
        }
        let found = self.sink.references.find(&named).await?;
        let columns = &self.sink.columns;
        for record in self.records.iter_mut().filter(|record| record.failure.is_none()) {
            match cells(columns, &record.wanted, &found) {
                Ok(cells) => record.cells = cells,
                Err(failure) => record.failure = Some(failure),
            }
        }
        Ok(())
    }

    /// Looks the external ids up.
    async fn locate(&mut self) -> Result<(), Failure> {
        let names: Vec<String> = self
            .open()
            .map(|(_, record)| self.sink.external_name(&record.job.key))
            .collect();
        let mut targets = self.sink.names.look_up(&names).await?;
        for record in self.records.iter_mut().filter(|record| record.failure.is_none()) {
            let name = self.sink.settings.external_name(record.job.key.as_str());
            match targets.remove(&name) {
                Some(target) if target.model == self.sink.settings.model => record.id = Some(target.id),
                Some(target) => {
                    let (prefix, model) = (&self.sink.settings.prefix, &self.sink.settings.model);
                    let what = format!(
                        "the external id '{prefix}.{name}' belongs to record {} of '{}', not of '{model}'",
                        target.id, target.model
                    );
                    let failure = Failure::permanent(Reason::BadRecord, what);
                    record.failure =
                        Some(failure.advise("choose another prefix or entity for this pipeline"));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Looks those without an external id up by the configured keys.
    async fn bind(&mut self) -> Result<(), Failure> {
        let positions = self.sink.match_by.clone();
        if positions.is_empty() {
            return Ok(());
        }
        let seeker = |(row, record): (usize, &Record<'a>)| {
            let cell = |position: &usize| record.cells.get(*position).and_then(Option::as_ref);
            Seeker {
                row,
                key: record.job.key.as_str().to_owned(),
                name: self.sink.external_name(&record.job.key),
                values: positions
                    .iter()
                    .map(|position| matching::sought(cell(position)))
                    .collect(),
            }
        };
        let seekers: Vec<Seeker> = self
            .open()
            .filter(|(_, record)| record.id.is_none())
            .map(seeker)
            .collect();
        if seekers.is_empty() {
            return Ok(());
        }
        let sink = &*self.sink;
        let keys: Vec<&Column> = positions
            .iter()
            .filter_map(|position| sink.columns.get(*position))
            .collect();
        let verdicts =
            matching::bind(&sink.client, &sink.names, &sink.settings.model, &keys, seekers).await?;
        for (row, verdict) in verdicts {
            match (verdict, self.records.get_mut(row)) {
                (Ok(id), Some(record)) => (record.id, record.is_written) = (Some(id), true),
                (Err(failure), _) => self.fail(row, failure),
                (Ok(_), None) => {}
            }
        }
        Ok(())
    }

    /// Reads what Odoo has, and tells what differs. A record that is gone although its external id is there is made anew.
    async fn compare(&mut self) -> Result<Vec<Difference>, Failure> {
        let ids: Vec<i64> = self.open().filter_map(|(_, record)| record.id).collect();
        let current = self.read(&ids).await?;
        let mut differences = Vec::new();
        let sink = &*self.sink;
        for (row, record) in self
            .records
            .iter_mut()
            .enumerate()
            .filter(|(_, record)| record.failure.is_none())
        {
            let there = record.id.and_then(|id| Some((id, current.get(&id)?)));
            let Some((id, there)) = there else {
                record.id = None;
                continue;
            };
            let cells = changed(&sink.columns, &record.cells, there);
            if cells.is_empty() {
                continue;
            }
            differences.push(Difference { row, id, cells });
        }
        Ok(differences)
    }

    async fn read(&self, ids: &[i64]) -> Result<HashMap<i64, Row>, Failure> {
        let mut current = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(READ) {
            // Unlike `read`, a search leaves out what the user may not see instead of failing for all.
            let mut search = SearchRead::new(&self.sink.settings.model);
            search.domain = serde_json::json!([["id", "in", ids]]);
            search.fields = self
                .sink
                .columns
                .iter()
                .map(|column| column.field.clone())
                .collect();
            search.order = Some("id asc".to_owned());
            let rows = self.sink.client.search_read(&search).await?;
            current.extend(
                rows.into_iter()
                    .filter_map(|row| Some((number(&row, "id")?, row))),
            );
        }
        Ok(current)
    }

    async fn update(&mut self, differences: &[Difference]) {
        let active = self.sink.active;
        let fields = |difference: &Difference| {
            let cells = difference
                .cells
                .iter()
                .filter(|(position, _)| Some(*position) != active);
            Difference {
                cells: cells.cloned().collect(),
                ..*difference
            }
        };
        let differences: Vec<Difference> = differences
            .iter()
            .map(fields)
            .filter(|difference| !difference.cells.is_empty())
            .collect();
        for change in plan::updates(&self.sink.columns, &differences) {
            self.apply(change, |record, _| record.is_written = true).await;
        }
    }

    async fn insert(&mut self) {
        let (active, prefix) = (self.sink.active, &self.sink.settings.prefix);
        let insert = |(row, record): (usize, &Record<'a>)| {
            let cells = record.cells.iter().cloned().enumerate();
            let cells = cells.filter(|(position, _)| Some(*position) != active);
            Insert {
                row,
                external_id: format!("{prefix}.{}", self.sink.external_name(&record.job.key)),
                cells: cells
                    .filter_map(|(position, cell)| Some((position, cell?)))
                    .collect(),
            }
        };
        let inserts: Vec<Insert> = self
            .open()
            .filter(|(_, record)| record.id.is_none())
            .map(insert)
            .collect();
        for change in plan::inserts(&self.sink.columns, &inserts) {
            let created = |record: &mut Record<'_>, id| (record.id, record.is_created) = (Some(id), true);
            self.apply(change, created).await;
        }
    }

    /// Archives and brings back; what was made just now is active.
    async fn archive(&mut self, differences: &[Difference]) {
        let Some(active) = self.sink.active else { return };
        let differs: BTreeSet<usize> = differences
            .iter()
            .filter(|difference| difference.cells.iter().any(|(position, _)| *position == active))
            .map(|difference| difference.row)
            .collect();
        let (mut archived, mut back) = (Vec::new(), Vec::new());
        for (row, record) in self.open() {
            match (record.cells.get(active), record.id) {
                (Some(Some(Cell::Flag(false))), Some(id)) if record.is_created || differs.contains(&row) => {
                    archived.push((row, id));
                }
                (Some(Some(Cell::Flag(true))), Some(id)) if differs.contains(&row) => back.push((row, id)),
                _ => {}
            }
        }
        for (method, records) in [("action_archive", archived), ("action_unarchive", back)] {
            if !records.is_empty() {
                let (rows, ids) = records.into_iter().unzip();
                self.apply(
                    Change {
                        rows,
                        what: What::Action { method, ids },
                    },
                    |record, _| record.is_written = true,
                )
                .await;
            }
        }
    }

    /// Sends a change, unless the system has failed before.
    async fn apply(&mut self, change: Change, done: impl Fn(&mut Record<'a>, i64)) {
        if let Some(failure) = &self.stopped {
            let failure = not_sent(failure);
            change
                .rows
                .iter()
                .for_each(|row| self.fail(*row, failure.clone()));
            return;
        }
        let size = match change.what {
            What::Load { .. } => self.sink.settings.batch,
            What::Write { .. } | What::Action { .. } => WRITE,
        };
        let Applied { answers, stopped } = change
            .apply(&self.sink.client, &self.sink.settings.model, size)
            .await;
        self.stopped = stopped;
        for (row, answer) in answers {
            match (answer, self.records.get_mut(row)) {
                (Ok(id), Some(record)) => done(record, id),
                (Err(failure), _) => self.fail(row, failure),
                (Ok(_), None) => {}
            }
        }
    }

    /// A failure of the system is the batch's own while no record has another answer.
    fn answers(self) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        let Self { records, stopped, .. } = self;
        let is_its_own = |record: &Record<'_>| {
            record
                .failure
                .as_ref()
                .is_none_or(|failure| failure.class == Class::Permanent)
        };
        if let Some(failure) = stopped.filter(|failure| failure.class != Class::Transient)
            && !records.iter().any(is_its_own)
        {
            return Err(failure);
        }
        let answer = |record: Record<'_>| match record {
            Record {
                failure: Some(failure),
                ..
            } => Err(failure),
            Record {
                is_created,
                is_written,
                id,
                ..
            } => Ok(Upserted {
                outcome: match (is_created, is_written) {
                    (true, _) => Outcome::Created,
                    (false, true) => Outcome::Updated,
                    (false, false) => Outcome::Unchanged,
                },
                sink_id: id.map(|id| id.to_string()),
            }),
        };
        Ok(records.into_iter().map(answer).collect())
    }
}

/// The cells of a record.
///
/// # Errors
/// The record's own failure where a reference leads nowhere or a required value is missing.
fn cells(columns: &[Column], wanted: &[Option<Wanted>], found: &Found) -> Result<Vec<Option<Cell>>, Failure> {
    let cell = |(column, wanted): (&Column, &Option<Wanted>)| {
        let Some(wanted) = wanted else { return Ok(None) };
        let cell = match wanted {
            Wanted::Ready(cell) => cell.clone(),
            Wanted::Named(called) => referred(column, called, found)?,
        };
        if column.lacks(&cell) {
            let what = format!(
                "{} is required in Odoo and empty here (column '{}')",
                column.label, column.name
            );
            return Err(Failure::permanent(Reason::BadRecord, what)
                .advise("fill it in at the source, or give the column a default"));
        }
        Ok(Some(cell))
    };
    columns.iter().zip(wanted).map(cell).collect()
}

fn referred(column: &Column, called: &[Called], found: &Found) -> Result<Cell, Failure> {
    let (Kind::Reference { model, .. } | Kind::References { model, .. }) = &column.kind else {
        return Ok(Cell::Empty);
    };
    let mut ids = BTreeSet::new();
    for one in called {
        match found.get(&(model.clone(), one.clone())) {
            Some(Ok(id)) => drop(ids.insert(*id)),
            Some(Err(why)) => return Err(unresolved(column, one, why)),
            None => return Err(unresolved(column, one, &super::reference::Unresolved::Unknown)),
        }
    }
    Ok(match (&column.kind, ids.first()) {
        (_, None) => Cell::Empty,
        (Kind::Reference { .. }, Some(id)) => Cell::Reference(*id),
        _ => Cell::References(ids),
    })
}

/// What differs, by column.
fn changed(columns: &[Column], cells: &[Option<Cell>], current: &Row) -> Vec<(usize, Cell)> {
    let differs = |(position, (column, cell)): (usize, (&Column, &Option<Cell>))| {
        let cell = cell.as_ref()?;
        let current = Cell::of_odoo(column, current.get(&column.field));
        (!column.is_same(cell, &current)).then(|| (position, cell.clone()))
    };
    columns
        .iter()
        .zip(cells)
        .enumerate()
        .filter_map(differs)
        .collect()
}

/// Of several jobs of one record in a batch only the newest version is written: which of them does the work, by job.
pub(super) fn newest(jobs: &[&Job]) -> Vec<usize> {
    let mut newest: HashMap<&RecordKey, usize> = HashMap::new();
    for (at, job) in jobs.iter().enumerate() {
        newest
            .entry(&job.key)
            .and_modify(|best| {
                if jobs.get(*best).is_none_or(|best| best.version <= job.version) {
                    *best = at;
                }
            })
            .or_insert(at);
    }
    jobs.iter()
        .enumerate()
        .map(|(at, job)| newest.get(&job.key).copied().unwrap_or(at))
        .collect()
}
