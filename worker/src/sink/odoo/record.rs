//! One record on its way into Odoo.

use std::collections::{BTreeSet, HashMap};

use shared::failure::{Failure, Reason};
use shared::job::Job;
use shared::mapping::Missing;
use shared::odoo::Row;
use shared::record::{Outcome, RecordKey};

use super::super::Upserted;
use super::cell::Cell;
use super::column::{Column, Kind};
use super::reference::{COUNTRY, Found, STATE, Unresolved, unresolved};
use super::translation;
use super::wanted::{Called, Wanted};

/// A job, and how far it has come.
pub(super) struct Record<'a> {
    pub(super) job: &'a Job,
    /// By column; `None` where the job has no such value: the field is left alone.
    pub(super) wanted: Vec<Option<Wanted>>,
    /// The same with references found.
    pub(super) cells: Vec<Option<Cell>>,
    /// Its id in Odoo, where it is there.
    pub(super) id: Option<i64>,
    pub(super) is_created: bool,
    pub(super) is_written: bool,
    pub(super) failure: Option<Failure>,
}

impl<'a> Record<'a> {
    /// Reads the mapped values; the first that no field could hold fails the record.
    pub(super) fn new(job: &'a Job, columns: &[Column]) -> Self {
        let mut failure = None;
        let mut read = |column: &Column| match Wanted::of(column, job.values.get(&column.name)?) {
            Ok(wanted) => Some(wanted),
            Err(refused) => {
                failure.get_or_insert(refused);
                None
            }
        };
        let wanted = columns.iter().map(&mut read).collect();
        Self { job, wanted, cells: Vec::new(), id: None, is_created: false, is_written: false, failure }
    }

    /// A state is called by its country as well, where another column says which: its name alone may be that of several.
    pub(super) fn place_states(&mut self, columns: &[Column], found: &Found) {
        let of = |model: &str| columns.iter().position(|column| column.relation() == Some(model));
        let (Some(state), Some(country)) = (of(STATE), of(COUNTRY)) else { return };
        let country = match self.wanted.get(country) {
            Some(Some(Wanted::Named(called))) => called.first().cloned(),
            _ => None,
        };
        let country =
            country.and_then(|called| found.get(&(COUNTRY.to_owned(), called))?.as_ref().ok().copied());
        if let (Some(Some(Wanted::Named(states))), Some(country)) = (self.wanted.get_mut(state), country) {
            for called in states {
                if let Called::Name(name) = called {
                    *called = Called::Within(std::mem::take(name), country);
                }
            }
        }
    }

    /// Puts what references lead to in their place; one that leads nowhere fails the record.
    pub(super) fn find(&mut self, columns: &[Column], found: &Found) {
        match cells(columns, &self.wanted, found) {
            Ok(mut cells) => {
                translation::fall_back(columns, &mut cells);
                self.cells = cells;
            }
            Err(failure) => self.failure = Some(failure),
        }
    }

    /// What differs from what Odoo has, by column.
    pub(super) fn changed(&self, columns: &[Column], current: &Row) -> Vec<(usize, Cell)> {
        let differs = |(position, (column, cell)): (usize, (&Column, &Option<Cell>))| {
            let cell = cell.as_ref()?;
            let current = Cell::of_odoo(column, current.get(column.key()));
            (!column.is_same(cell, &current)).then(|| (position, cell.clone()))
        };
        columns.iter().zip(&self.cells).enumerate().filter_map(differs).collect()
    }

    /// How it ended.
    pub(super) fn answer(self) -> Result<Upserted, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let outcome = match (self.is_created, self.is_written) {
            (true, _) => Outcome::Created,
            (false, true) => Outcome::Updated,
            (false, false) => Outcome::Unchanged,
        };
        Ok(Upserted { outcome, sink_id: self.id.map(|id| id.to_string()) })
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
            let what =
                format!("{} is required in Odoo and empty here (column '{}')", column.label, column.name);
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
            Some(Err(Unresolved::Unknown)) | None if column.missing == Missing::Empty => {}
            Some(Err(why)) => return Err(unresolved(column, one, why)),
            None => return Err(unresolved(column, one, &Unresolved::Unknown)),
        }
    }
    Ok(match (&column.kind, ids.first()) {
        (_, None) => Cell::Empty,
        (Kind::Reference { .. }, Some(id)) => Cell::Reference(*id),
        _ => Cell::References(ids),
    })
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
    jobs.iter().enumerate().map(|(at, job)| newest.get(&job.key).copied().unwrap_or(at)).collect()
}
