//! Looking at what Odoo has of records, without writing anything.

use std::collections::HashMap;

use serde_json::Value;
use shared::failure::Failure;
use shared::job::Job;
use shared::odoo::Row;

use super::super::look::{FieldChange, Looked};
use super::cell::Cell;
use super::column::{Column, Kind};
use super::plan::Difference;
use super::record::Record;
use super::sink::OdooSink;
use super::translation;
use super::upsert::Batch;

impl OdooSink {
    /// See [`crate::sink::SinkView::look`].
    pub(crate) async fn look(&mut self, jobs: &[&Job]) -> Result<Vec<Result<Looked, Failure>>, Failure> {
        let mut batch = Batch::new(self, jobs);
        let (current, differences) = batch.look().await?;
        let Batch { sink, records, .. } = batch;
        let differences: HashMap<usize, Difference> =
            differences.into_iter().map(|difference| (difference.row, difference)).collect();
        let looked = |(row, record): (usize, Record<'_>)| match record.failure {
            Some(failure) => Err(failure),
            None => Ok(looked(&sink.columns, &record, differences.get(&row), &current)),
        };
        Ok(records.into_iter().enumerate().map(looked).collect())
    }
}

fn looked(
    columns: &[Column],
    record: &Record<'_>,
    difference: Option<&Difference>,
    current: &HashMap<i64, Row>,
) -> Looked {
    let Some(id) = record.id else {
        let cells = record.cells.iter().enumerate();
        let cells = cells.filter_map(|(position, cell)| Some((position, cell.as_ref()?)));
        let fields = cells.filter(|(position, cell)| {
            **cell != Cell::Empty && !translation::says_nothing(columns, &record.cells, *position)
        });
        let change = |(position, cell): (usize, &Cell)| change(columns.get(position)?, cell, record, None);
        return Looked::Missing { fields: fields.filter_map(change).collect() };
    };
    let sink_id = Some(id.to_string());
    let cells = difference.map_or(&[][..], |difference| difference.cells.as_slice());
    if cells.is_empty() && !record.is_written {
        return Looked::Same { sink_id };
    }
    let there = current.get(&id);
    let change =
        |(position, cell): &(usize, Cell)| change(columns.get(*position)?, cell, record, Some(there?));
    Looked::Different { sink_id, binds: record.is_written, fields: cells.iter().filter_map(change).collect() }
}

/// References are shown as the source names them; the id that they lead to says nothing to people.
fn change(column: &Column, cell: &Cell, record: &Record<'_>, current: Option<&Row>) -> Option<FieldChange> {
    let new = match column.kind {
        Kind::Reference { .. } | Kind::References { .. } => record.job.values.get(&column.name)?.clone(),
        _ => cell.for_write(column),
    };
    let old = current.map(|row| row.get(column.key()).cloned().unwrap_or(Value::Null));
    Some(FieldChange { field: column.name.clone(), old, new: Some(new) })
}
