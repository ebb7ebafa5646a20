//! Writing what a batch has found to differ.

use std::collections::BTreeSet;

use shared::failure::{Class, Reason};
use shared::odoo::language_context;

use super::cell::Cell;
use super::change::{Applied, Change, What, not_sent};
use super::plan::{self, Difference, Insert};
use super::record::Record;
use super::upsert::Batch;

/// Records that one `write` or one action is for.
const WRITE: usize = 500;

impl<'a> Batch<'a, '_> {
    /// Writes what differs but whether records are archived, and translations. What is refused is sent once more after the others: a barcode
    /// may have moved from one record to another, and the one that takes it came first.
    pub(super) async fn update(&mut self, differences: &[Difference]) {
        let fields = |difference: &Difference| {
            let cells = difference.cells.iter().filter(|(position, _)| self.sink.is_plain(*position));
            Difference { cells: cells.cloned().collect(), ..*difference }
        };
        let mut differences: Vec<Difference> =
            differences.iter().map(fields).filter(|difference| !difference.cells.is_empty()).collect();
        self.send(&differences, None).await;
        let sent = differences.len();
        differences.retain(|difference| self.is_refused(difference.row));
        if (1..sent).contains(&differences.len()) {
            for record in differences.iter().map(|difference| difference.row) {
                if let Some(record) = self.records.get_mut(record) {
                    record.failure = None;
                }
            }
            self.send(&differences, None).await;
        }
    }

    /// Sends columns that are all in one language; `None`: in the sink's.
    pub(super) async fn send(&mut self, differences: &[Difference], lang: Option<&str>) {
        for change in plan::updates(&self.sink.columns, differences) {
            self.apply(change, lang, |record, _| record.is_written = true).await;
        }
    }

    /// Whether Odoo refuses a record's values.
    fn is_refused(&self, row: usize) -> bool {
        let failure = self.records.get(row).and_then(|record| record.failure.as_ref());
        failure
            .is_some_and(|failure| (failure.class, failure.reason) == (Class::Permanent, Reason::BadRecord))
    }

    /// Makes what Odoo does not have.
    pub(super) async fn insert(&mut self) {
        let prefix = &self.sink.settings.prefix;
        let insert = |(row, record): (usize, &Record<'a>)| {
            let cells = record.cells.iter().cloned().enumerate();
            let cells = cells.filter(|(position, _)| self.sink.is_plain(*position));
            Insert {
                row,
                external_id: format!("{prefix}.{}", self.sink.external_name(&record.job.key)),
                cells: cells.filter_map(|(position, cell)| Some((position, cell?))).collect(),
            }
        };
        let inserts: Vec<Insert> =
            self.open().filter(|(_, record)| record.id.is_none()).map(insert).collect();
        for change in plan::inserts(&self.sink.columns, &inserts) {
            let created = |record: &mut Record<'_>, id| (record.id, record.is_created) = (Some(id), true);
            self.apply(change, None, created).await;
        }
    }

    /// Archives and brings back; what was made just now is active.
    pub(super) async fn archive(&mut self, differences: &[Difference]) {
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
                self.apply(Change { rows, what: What::Action { method, ids } }, None, |record, _| {
                    record.is_written = true;
                })
                .await;
            }
        }
    }

    /// Sends a change, unless the system has failed before.
    async fn apply(&mut self, change: Change, lang: Option<&str>, done: impl Fn(&mut Record<'a>, i64)) {
        if let Some(failure) = &self.stopped {
            let failure = not_sent(failure);
            change.rows.iter().for_each(|row| self.fail(*row, failure.clone()));
            return;
        }
        let size = match change.what {
            What::Load { .. } => self.sink.settings.batch,
            What::Write { .. } | What::Action { .. } => WRITE,
        };
        let client = match lang {
            None => self.sink.client.clone(),
            Some(lang) => self.sink.client.with_context(language_context(lang)),
        };
        let Applied { answers, stopped } = change.apply(&client, &self.sink.settings.model, size).await;
        self.stopped = stopped;
        for (row, answer) in answers {
            match (answer, self.records.get_mut(row)) {
                (Ok(id), Some(record)) => done(record, id),
                (Err(failure), _) => self.fail(row, failure),
                (Ok(_), None) => {}
            }
        }
    }
}
