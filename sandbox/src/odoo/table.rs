//! The rows of one model: a computed run of seeded ones under an overlay of what was changed or added.

use std::collections::{BTreeMap, HashSet};

use crate::odoo::schema::FieldId;
use crate::odoo::seed::Seed;
use crate::odoo::value::Value;

/// The columns somebody set, sorted by field. A column that is missing has its seeded or initial value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Row(Vec<(FieldId, Value)>);

impl Row {
    pub(crate) fn get(&self, field: FieldId) -> Option<&Value> {
        let at = self.0.binary_search_by_key(&field, |column| column.0).ok()?;
        self.0.get(at).map(|column| &column.1)
    }

    pub(crate) fn set(&mut self, field: FieldId, value: Value) {
        match self.0.binary_search_by_key(&field, |column| column.0) {
            Ok(at) => {
                if let Some(column) = self.0.get_mut(at) {
                    column.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (field, value)),
        }
    }
}

/// How one id stands: enough to put it back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Presence {
    /// No such record.
    Absent,
    /// A seeded record nobody changed.
    Untouched,
    /// An added or changed record.
    Changed(Row),
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) seed: Option<Seed>,
    rows: BTreeMap<i64, Row>,
    gone: HashSet<i64>,
    next: i64,
}

impl Table {
    pub(crate) fn new(seed: Option<Seed>, next: i64) -> Self {
        Self { seed, next, ..Self::default() }
    }

    /// The next id of the sequence. As in `PostgreSQL` a rolled back transaction does not give ids back.
    pub(crate) fn next_id(&mut self) -> i64 {
        let id = self.next;
        self.next += 1;
        id
    }

    /// Keeps the sequence above an id that was chosen by hand.
    pub(crate) fn reserve(&mut self, id: i64) {
        self.next = self.next.max(id + 1);
    }

    fn seeded(&self, id: i64) -> bool {
        self.seed.is_some_and(|seed| seed.contains(id)) && !self.gone.contains(&id)
    }

    pub(crate) fn contains(&self, id: i64) -> bool {
        self.rows.contains_key(&id) || self.seeded(id)
    }

    pub(crate) fn row(&self, id: i64) -> Option<&Row> {
        self.rows.get(&id)
    }

    pub(crate) fn presence(&self, id: i64) -> Presence {
        match self.rows.get(&id) {
            Some(row) => Presence::Changed(row.clone()),
            None if self.seeded(id) => Presence::Untouched,
            None => Presence::Absent,
        }
    }

    pub(crate) fn set(&mut self, id: i64, presence: Presence) {
        self.gone.remove(&id);
        self.rows.remove(&id);
        match presence {
            Presence::Changed(row) => {
                self.rows.insert(id, row);
            }
            Presence::Untouched => {}
            Presence::Absent => {
                if self.seeded(id) {
                    self.gone.insert(id);
                }
            }
        }
    }

    /// The ids in `low..=high`, ascending, without looking at the records before `low`.
    pub(crate) fn ids(&self, low: i64, high: i64) -> impl Iterator<Item = i64> + '_ {
        let (first, end) = self.seed.map_or((i64::MAX, i64::MAX), |seed| (seed.first, seed.end));
        let added = move |from: i64, to: i64| {
            let range = if from <= to { Some(self.rows.range(from..=to)) } else { None };
            range.into_iter().flatten().map(|(id, _)| *id)
        };
        let before = added(low, high.min(first.saturating_sub(1)));
        let seeded = (low.max(first)..end.min(high.saturating_add(1))).filter(|id| !self.gone.contains(id));
        before.chain(seeded).chain(added(low.max(end), high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::schema::model;

    #[test]
    fn ids_come_ascending_from_the_overlay_and_the_seed() {
        let mut table = Table::new(Some(Seed { model: model::PARTNER, first: 10, end: 15 }), 15);
        table.set(3, Presence::Changed(Row::default()));
        let added = table.next_id();
        table.set(added, Presence::Changed(Row::default()));
        table.set(12, Presence::Absent);
        table.set(13, Presence::Changed(Row::default()));
        assert_eq!(table.ids(1, i64::MAX).collect::<Vec<_>>(), [3, 10, 11, 13, 14, 15]);
        assert_eq!(table.ids(11, 14).collect::<Vec<_>>(), [11, 13, 14]);
        table.set(12, Presence::Untouched);
        assert!(table.contains(12));
        assert_eq!(table.ids(12, 12).count(), 1);
    }

    #[test]
    fn a_table_without_a_seed_lists_what_was_added() {
        let mut table = Table::new(None, 1);
        for _ in 0..3 {
            let id = table.next_id();
            table.set(id, Presence::Changed(Row::default()));
        }
        assert_eq!(table.ids(2, i64::MAX).collect::<Vec<_>>(), [2, 3]);
    }
}
