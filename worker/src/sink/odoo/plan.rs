//! Which calls bring about what differs: as few as keep every untouched field untouched.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use shared::odoo::Row;

use super::cell::Cell;
use super::change::{Change, What};
use super::column::Column;

/// So many rows that get the same values are worth a `write` of their own: it costs 0.5 ms per row on top of some 20 ms,
/// `load` 7 to 11 ms per row (measured on Odoo 17 and 19).
const SAME: usize = 4;

/// What differs in one record.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// Row of the batch.
    pub(super) row: usize,
    /// Database id.
    pub(super) id: i64,
    /// Positions of the columns with what they are to hold, ascending.
    pub(super) cells: Vec<(usize, Cell)>,
}

/// A record to be made.
#[derive(Debug, Clone)]
pub(super) struct Insert {
    /// Row of the batch.
    pub(super) row: usize,
    /// Its external id, with prefix.
    pub(super) external_id: String,
    /// As in [`Difference`], empty ones too.
    pub(super) cells: Vec<(usize, Cell)>,
}

/// Changes grouped by their columns: a column that is sent is written, and an empty cell clears the field.
pub(super) fn updates(columns: &[Column], differences: &[Difference]) -> Vec<Change> {
    let mut groups: BTreeMap<Vec<usize>, Vec<&Difference>> = BTreeMap::new();
    for difference in differences {
        let positions = difference.cells.iter().map(|(position, _)| *position).collect();
        groups.entry(positions).or_default().push(difference);
    }
    let mut changes = Vec::new();
    for (positions, group) in groups {
        let mut alike: HashMap<&[(usize, Cell)], Vec<&Difference>> = HashMap::new();
        for difference in &group {
            alike.entry(&difference.cells).or_default().push(difference);
        }
        let is_one = alike.len() == 1;
        let mut rest = Vec::new();
        // In the order of the batch, not of the hash.
        for difference in &group {
            match alike.get_mut(difference.cells.as_slice()) {
                Some(same) if is_one || same.len() >= SAME => {
                    let same = std::mem::take(same);
                    changes.extend(write(columns, &same));
                }
                Some(same) if same.is_empty() => {}
                _ => rest.push(*difference),
            }
        }
        match rest.as_slice() {
            [] => {}
            [_] => changes.extend(write(columns, &rest)),
            _ => changes.push(load(columns, &positions, &rest)),
        }
    }
    changes
}

fn write(columns: &[Column], same: &[&Difference]) -> Option<Change> {
    let first = same.first()?;
    let value = |(position, cell): &(usize, Cell)| {
        let column = columns.get(*position)?;
        Some((column.field.clone(), cell.for_write(column)))
    };
    let values: Row = first.cells.iter().filter_map(value).collect();
    Some(Change {
        rows: same.iter().map(|difference| difference.row).collect(),
        what: What::Write { ids: same.iter().map(|difference| difference.id).collect(), values },
    })
}

fn load(columns: &[Column], positions: &[usize], rows: &[&Difference]) -> Change {
    let cells = |difference: &&Difference| {
        let id = Value::String(difference.id.to_string());
        std::iter::once(id).chain(difference.cells.iter().map(|(_, cell)| cell.for_load())).collect()
    };
    Change {
        rows: rows.iter().map(|difference| difference.row).collect(),
        what: What::Load {
            headings: headings(".id", columns, positions),
            cells: rows.iter().map(cells).collect(),
        },
    }
}

/// New records, grouped by their columns.
pub(super) fn inserts(columns: &[Column], inserts: &[Insert]) -> Vec<Change> {
    let mut groups: BTreeMap<Vec<usize>, Vec<&Insert>> = BTreeMap::new();
    for insert in inserts {
        let positions = insert.cells.iter().map(|(position, _)| *position).collect();
        groups.entry(positions).or_default().push(insert);
    }
    let cells = |insert: &&Insert| {
        let id = Value::String(insert.external_id.clone());
        std::iter::once(id).chain(insert.cells.iter().map(|(_, cell)| cell.for_load())).collect()
    };
    let change = |(positions, group): (Vec<usize>, Vec<&Insert>)| Change {
        rows: group.iter().map(|insert| insert.row).collect(),
        what: What::Load {
            headings: headings("id", columns, &positions),
            cells: group.iter().map(cells).collect(),
        },
    };
    groups.into_iter().map(change).collect()
}

fn headings(id: &str, columns: &[Column], positions: &[usize]) -> Vec<String> {
    let names = positions.iter().filter_map(|position| columns.get(*position)).map(Column::heading);
    std::iter::once(id.to_owned()).chain(names).collect()
}

#[cfg(test)]
mod tests {
    use super::super::column::tests::column;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use shared::decimal::Decimal;

    fn columns() -> Vec<Column> {
        ["name", "list_price", "sale_ok"].map(column).to_vec()
    }

    fn difference(row: usize, cells: &[(usize, &str)]) -> Difference {
        let cell = |(position, text): &(usize, &str)| {
            let cell = match position {
                1 => Cell::Number(Decimal::parse(text).unwrap()),
                2 => Cell::Flag(*text == "1"),
                _ => Cell::Text((*text).to_owned()),
            };
            (*position, cell)
        };
        Difference { row, id: 100 + i64::try_from(row).unwrap(), cells: cells.iter().map(cell).collect() }
    }

    #[test]
    fn rows_with_the_same_values_are_one_write() {
        let rows: Vec<_> = (0..3).map(|row| difference(row, &[(2, "0")])).collect();
        let changes = updates(&columns(), &rows);
        assert_eq!(changes.len(), 1);
        let What::Write { ids, values } = &changes[0].what else { panic!("{changes:?}") };
        assert_eq!((ids.as_slice(), json!(values)), ([100, 101, 102].as_slice(), json!({"sale_ok": false})));
    }

    #[test]
    fn rows_with_other_values_are_one_load_of_the_changed_columns() {
        let rows =
            [difference(0, &[(1, "1.5")]), difference(1, &[(1, "2")]), difference(2, &[(0, "a"), (1, "2")])];
        let changes = updates(&columns(), &rows);
        assert_eq!(changes.len(), 2);
        let What::Write { values, .. } = &changes[0].what else { panic!("{changes:?}") };
        assert_eq!(json!(values).to_string(), r#"{"name":"a","list_price":2}"#);
        let What::Load { headings, cells } = &changes[1].what else { panic!("{changes:?}") };
        assert_eq!(*headings, [".id", "list_price"]);
        assert_eq!(json!(cells), json!([["100", "1.5"], ["101", "2"]]));
    }

    #[test]
    fn inserts_go_by_external_id_with_empty_cells() {
        let insert = Insert {
            row: 0,
            external_id: "zoho.item_1".to_owned(),
            cells: vec![(0, Cell::Text("a".to_owned())), (1, Cell::Empty)],
        };
        let changes = inserts(&columns(), &[insert]);
        let What::Load { headings, cells } = &changes[0].what else { panic!("{changes:?}") };
        assert_eq!(*headings, ["id", "name", "list_price"]);
        assert_eq!(json!(cells), json!([["zoho.item_1", "a", ""]]));
    }

    proptest! {
        #[test]
        fn every_difference_is_sent_once_with_its_own_values(rows in proptest::collection::vec((0_usize..8, 0_u8..3), 0..60)) {
            let differences: Vec<Difference> = rows.iter().enumerate().map(|(row, (columns, value))| {
                let value = value.to_string();
                let cells: Vec<(usize, &str)> =
                    (0..3).filter(|position| columns & (1 << position) != 0).map(|position| (position, value.as_str())).collect();
                difference(row, &cells)
            }).filter(|difference| !difference.cells.is_empty()).collect();
            let columns = columns();
            let mut sent: BTreeMap<usize, Row> = BTreeMap::new();
            for change in updates(&columns, &differences) {
                for (at, row) in change.rows.iter().enumerate() {
                    let values = match &change.what {
                        What::Write { values, .. } => values.values().map(|value| match value {
                            Value::Bool(flag) => u8::from(*flag).to_string(),
                            Value::String(text) => text.clone(),
                            value => value.to_string(),
                        }).zip(values.keys()).map(|(value, key)| (key.clone(), Value::String(value))).collect(),
                        What::Load { headings, cells } => headings.iter().cloned().zip(cells[at].clone()).skip(1).collect(),
                        What::Action { .. } => Row::new(),
                    };
                    prop_assert!(sent.insert(*row, values).is_none());
                }
            }
            let wanted: BTreeMap<usize, Row> = differences.iter().map(|difference| {
                (difference.row, difference.cells.iter().map(|(position, cell)| (columns[*position].field.clone(), cell.for_load())).collect())
            }).collect();
            prop_assert_eq!(sent, wanted);
        }
    }
}
