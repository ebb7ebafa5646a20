//! Columns in a language of their own, such as `name@fr_FR`: read beside what they translate, and written after it.
//!
//! Odoo keeps one text per language in a field. A language without one shows the text in `en_US`, so that the same field
//! read in French may be French or not yet translated; emptied in one language, the field is empty in all.

use std::collections::{BTreeMap, HashMap, HashSet};

use shared::failure::Failure;
use shared::odoo::{Row, SearchRead, language_context};

use super::cell::Cell;
use super::column::Column;
use super::external::number;
use super::plan::Difference;
use super::record::Record;
use super::sink::OdooSink;
use super::upsert::Batch;

/// The column that a translation translates.
pub(super) fn base_of(columns: &[Column], position: usize) -> Option<usize> {
    let field = &columns.get(position)?.field;
    columns.iter().position(|column| column.lang.is_none() && column.field == *field)
}

/// Gives translations that are empty the text of what they translate, and takes away those of an empty field: Odoo would
/// show the one and cannot keep the other.
pub(super) fn fall_back(columns: &[Column], cells: &mut [Option<Cell>]) {
    for (position, _) in columns.iter().enumerate().filter(|(_, column)| column.lang.is_some()) {
        let base = base_of(columns, position).and_then(|base| cells.get(base).cloned().flatten());
        if let Some(Some(cell)) = cells.get_mut(position)
            && (*cell == Cell::Empty || base == Some(Cell::Empty))
        {
            *cell = base.unwrap_or(Cell::Empty);
        }
    }
}

/// Whether a column is a translation with the text that shows without it.
pub(super) fn says_nothing(columns: &[Column], cells: &[Option<Cell>], position: usize) -> bool {
    let is_translation = columns.get(position).is_some_and(|column| column.lang.is_some());
    is_translation && base_of(columns, position).is_some_and(|base| cells.get(base) == cells.get(position))
}

impl OdooSink {
    /// Whether a column is written together with the others: it is in the sink's language and archives nothing.
    pub(super) fn is_plain(&self, position: usize) -> bool {
        let is_translation = self.columns.get(position).is_some_and(|column| column.lang.is_some());
        !is_translation && Some(position) != self.active
    }

    /// Positions of the translations by language.
    fn languages(&self) -> BTreeMap<String, Vec<usize>> {
        let mut languages: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (position, column) in self.columns.iter().enumerate() {
            if let Some(lang) = &column.lang {
                languages.entry(lang.clone()).or_default().push(position);
            }
        }
        languages
    }
}

impl<'a> Batch<'a, '_> {
    /// Reads translations into the rows that they belong to: one call for each language.
    pub(super) async fn read_translations(
        &self,
        ids: &[i64],
        current: &mut HashMap<i64, Row>,
    ) -> Result<(), Failure> {
        for (lang, positions) in self.sink.languages() {
            let columns: Vec<&Column> =
                positions.iter().filter_map(|position| self.sink.columns.get(*position)).collect();
            let mut search = SearchRead::new(&self.sink.settings.model);
            search.domain = serde_json::json!([["id", "in", ids]]);
            search.fields = columns.iter().map(|column| column.field.clone()).collect();
            search.order = Some("id asc".to_owned());
            search.context = language_context(&lang);
            for mut translated in self.sink.client.search_read(&search).await? {
                let Some(row) = number(&translated, "id").and_then(|id| current.get_mut(&id)) else {
                    continue;
                };
                for column in &columns {
                    let text = translated.remove(&column.field);
                    row.extend(text.map(|text| (column.name.clone(), text)));
                }
            }
        }
        Ok(())
    }

    /// Writes translations once what they translate has been written: one call for each language and set of columns.
    pub(super) async fn translate(&mut self, differences: &[Difference]) {
        for (lang, positions) in self.sink.languages() {
            let due = self.due(&positions, differences);
            self.send(&due, Some(&lang)).await;
        }
    }

    /// The translations at these positions that are to be written. Where a field's own text was written just now,
    /// languages without a text of their own show the new one, whatever they showed before.
    fn due(&self, positions: &[usize], differences: &[Difference]) -> Vec<Difference> {
        let columns = &self.sink.columns;
        let differ: HashMap<usize, HashSet<usize>> = differences
            .iter()
            .map(|difference| {
                (difference.row, difference.cells.iter().map(|(position, _)| *position).collect())
            })
            .collect();
        let is_due = |record: &Record<'a>, row: usize, position: usize, cell: &Cell| {
            let differs = |position| differ.get(&row).is_some_and(|differ| differ.contains(&position));
            if record.is_created {
                return *cell != Cell::Empty && !says_nothing(columns, &record.cells, position);
            }
            let is_moved = base_of(columns, position).is_some_and(differs);
            if is_moved { *cell != Cell::Empty } else { differs(position) }
        };
        let of = |(row, record): (usize, &Record<'a>)| {
            let cells = positions.iter().filter_map(|position| {
                let cell = record.cells.get(*position)?.as_ref()?;
                is_due(record, row, *position, cell).then(|| (*position, cell.clone()))
            });
            Some(Difference { row, id: record.id?, cells: cells.collect() })
        };
        self.open().filter_map(of).filter(|difference| !difference.cells.is_empty()).collect()
    }
}
