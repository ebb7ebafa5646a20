//! One batch on its way into Odoo: found, compared, written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::failure::{Class, Failure, Reason};
use shared::job::Job;
use shared::mapping::Missing;
use shared::odoo::{Row, SearchRead};

use super::super::Upserted;
use super::column::Column;
use super::external::number;
use super::matching::{self, Find, Seeker};
use super::plan::Difference;
use super::record::Record;
use super::reference::{Found, Known, STATE, Unresolved};
use super::sink::OdooSink;
use super::wanted::{Called, Wanted};

/// Records whose values are read at once.
const READ: usize = 500;

/// A batch, and what it is written with.
pub(super) struct Batch<'a, 's> {
    pub(super) sink: &'s mut OdooSink,
    pub(super) records: Vec<Record<'a>>,
    /// The system failed while something was being written.
    pub(super) stopped: Option<Failure>,
}

impl<'a, 's> Batch<'a, 's> {
    /// Reads the mapped values.
    pub(super) fn new(sink: &'s mut OdooSink, jobs: &[&'a Job]) -> Self {
        let records = jobs.iter().map(|job| Record::new(job, &sink.columns)).collect();
        Self { sink, records, stopped: None }
    }

    /// Finds, compares and writes. The outer failure is the system's, and then nothing was answered for any record.
    pub(super) async fn run(mut self) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        self.resolve(true).await?;
        self.write().await
    }

    /// Whether everything that its records name is found, and nothing of it elsewhere than `before`.
    pub(super) fn leads_where(&self, before: &Known) -> bool {
        let known = &self.sink.references.known;
        self.open().count() == self.records.len()
            && known.iter().all(|(place, id)| before.get(place) == Some(id))
    }

    /// The rest of [`Self::run`].
    pub(super) async fn write(mut self) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        self.locate().await?;
        self.bind(true).await?;
        let current = self.current().await?;
        let differences = self.compare(&current);
        self.update(&differences).await;
        self.insert().await;
        self.translate(&differences).await;
        self.archive(&differences).await;
        self.answers()
    }

    /// The records that have not failed, with their places in the batch.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &Record<'a>)> {
        self.records.iter().enumerate().filter(|(_, record)| record.failure.is_none())
    }

    pub(super) fn fail(&mut self, row: usize, failure: Failure) {
        if let Some(record) = self.records.get_mut(row) {
            record.failure = Some(failure);
        }
    }

    /// Finds the records that values name; states after the countries that they are of. `makes`: those that are to be made
    /// are.
    pub(super) async fn resolve(&mut self, makes: bool) -> Result<(), Failure> {
        let mut found = self.find(|model| model != STATE, makes).await?;
        for record in &mut self.records {
            record.place_states(&self.sink.columns, &found);
        }
        found.extend(self.find(|model| model == STATE, makes).await?);
        let columns = &self.sink.columns;
        for record in self.records.iter_mut().filter(|record| record.failure.is_none()) {
            record.find(columns, &found);
        }
        Ok(())
    }

    /// Finds what columns name of some models, and makes what is to be made; who only looks is told the id of nothing.
    async fn find(&mut self, of: impl Fn(&str) -> bool, makes: bool) -> Result<Found, Failure> {
        let mut named: BTreeMap<String, BTreeSet<Called>> = BTreeMap::new();
        let mut to_be_made: BTreeSet<(String, Called)> = BTreeSet::new();
        for (_, record) in self.open() {
            for (column, wanted) in self.sink.columns.iter().zip(&record.wanted) {
                let Some(model) = column.relation().filter(|model| of(model)) else { continue };
                let Some(Wanted::Named(called)) = wanted else { continue };
                named.entry(model.to_owned()).or_default().extend(called.iter().cloned());
                if column.missing == Missing::Create {
                    to_be_made.extend(called.iter().map(|called| (model.to_owned(), called.clone())));
                }
            }
        }
        let references = &mut self.sink.references;
        let mut found = references.find(&named).await?;
        to_be_made.retain(|place| found.get(place) == Some(&Err(Unresolved::Unknown)));
        if makes {
            found.extend(references.make(to_be_made).await?);
        } else {
            found.extend(to_be_made.into_iter().map(|place| (place, Ok(0))));
        }
        Ok(found)
    }

    /// Looks the external ids up.
    async fn locate(&mut self) -> Result<(), Failure> {
        let names: Vec<String> =
            self.open().map(|(_, record)| self.sink.external_name(&record.job.key)).collect();
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

    /// Looks those without an external id up by the configured keys; `tie` gives them one.
    async fn bind(&mut self, tie: bool) -> Result<(), Failure> {
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
                values: positions.iter().map(|position| matching::sought(cell(position))).collect(),
            }
        };
        let seekers: Vec<Seeker> =
            self.open().filter(|(_, record)| record.id.is_none()).map(seeker).collect();
        if seekers.is_empty() {
            return Ok(());
        }
        let OdooSink { client, names, settings, columns, promised, .. } = &mut *self.sink;
        let keys: Vec<&Column> = positions.iter().filter_map(|position| columns.get(*position)).collect();
        let find = if tie { Find::Bind } else { Find::Look(promised) };
        let verdicts = matching::bind(client, names, &settings.model, &keys, seekers, find).await?;
        for (row, verdict) in verdicts {
            match (verdict, self.records.get_mut(row)) {
                (Ok(id), Some(record)) => (record.id, record.is_written) = (Some(id), true),
                (Err(failure), _) => self.fail(row, failure),
                (Ok(_), None) => {}
            }
        }
        Ok(())
    }

    /// Finds and compares, and writes nothing: what Odoo has of the records that it has, and what differs.
    pub(super) async fn look(&mut self) -> Result<(HashMap<i64, Row>, Vec<Difference>), Failure> {
        self.resolve(false).await?;
        self.locate().await?;
        self.bind(false).await?;
        let current = self.current().await?;
        let differences = self.compare(&current);
        Ok((current, differences))
    }

    /// Reads what Odoo has.
    async fn current(&self) -> Result<HashMap<i64, Row>, Failure> {
        let ids: Vec<i64> = self.open().filter_map(|(_, record)| record.id).collect();
        self.read(&ids).await
    }

    /// What differs from what Odoo has. A record that is gone although its external id is there is made anew.
    fn compare(&mut self, current: &HashMap<i64, Row>) -> Vec<Difference> {
        let mut differences = Vec::new();
        let sink = &*self.sink;
        for (row, record) in
            self.records.iter_mut().enumerate().filter(|(_, record)| record.failure.is_none())
        {
            let there = record.id.and_then(|id| Some((id, current.get(&id)?)));
            let Some((id, there)) = there else {
                record.id = None;
                continue;
            };
            let cells = record.changed(&sink.columns, there);
            if cells.is_empty() {
                continue;
            }
            differences.push(Difference { row, id, cells });
        }
        differences
    }

    async fn read(&self, ids: &[i64]) -> Result<HashMap<i64, Row>, Failure> {
        let mut current = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(READ) {
            // Unlike `read`, a search leaves out what the user may not see instead of failing for all.
            let mut search = SearchRead::new(&self.sink.settings.model);
            search.domain = serde_json::json!([["id", "in", ids]]);
            let own = self.sink.columns.iter().filter(|column| column.lang.is_none());
            search.fields = own.map(|column| column.field.clone()).collect();
            search.order = Some("id asc".to_owned());
            let rows = self.sink.client.search_read(&search).await?;
            current.extend(rows.into_iter().filter_map(|row| Some((number(&row, "id")?, row))));
            self.read_translations(ids, &mut current).await?;
        }
        Ok(current)
    }

    /// A failure of the system is the batch's own while no record has another answer.
    fn answers(self) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        let Self { records, stopped, .. } = self;
        let is_its_own = |record: &Record<'_>| {
            record.failure.as_ref().is_none_or(|failure| failure.class == Class::Permanent)
        };
        if let Some(failure) = stopped.filter(|failure| failure.class != Class::Transient)
            && !records.iter().any(is_its_own)
        {
            return Err(failure);
        }
        Ok(records.into_iter().map(Record::answer).collect())
    }
}
