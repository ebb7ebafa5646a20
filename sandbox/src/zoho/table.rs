//! Records of one kind: seeded ones computed on demand, and an overlay of what was changed since.

use std::collections::{BTreeSet, HashMap};

/// A record that can be computed from its number.
pub(crate) trait Record: Sized + Clone {
    /// The seeded record of this number.
    fn seed(number: u32, with_images: bool) -> Self;
    /// Time of its last change, without computing the rest.
    fn seeded_modified(number: u32) -> i64;
    fn number(&self) -> u32;
    fn modified(&self) -> i64;
}

/// What records are sorted by: a number, then a text.
pub(crate) type SortKey = (i64, String);

/// All records of one kind. Order by time is kept, any other is made when asked for and kept until a change.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    with_images: bool,
    seeded: u32,
    next: u32,
    changed: HashMap<u32, Option<T>>,
    times: BTreeSet<(i64, u32)>,
    orders: HashMap<String, Vec<u32>>,
}

impl<T: Record> Table<T> {
    pub(crate) fn new(count: usize, with_images: bool) -> Self {
        // Ids have eight digits for the number, and the last million stays free for new records.
        let seeded = u32::try_from(count).unwrap_or(u32::MAX).min(99_000_000);
        let times = (0..seeded).map(|number| (T::seeded_modified(number), number)).collect();
        Self { with_images, seeded, next: seeded, changed: HashMap::new(), times, orders: HashMap::new() }
    }

    pub(crate) fn get(&self, number: u32) -> Option<T> {
        match self.changed.get(&number) {
            Some(record) => record.clone(),
            None => (number < self.seeded).then(|| T::seed(number, self.with_images)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// The number of the next record to be created.
    pub(crate) fn allocate(&mut self) -> u32 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Back to an earlier state, but numbers given since are never given again.
    pub(crate) fn restore(&mut self, earlier: &Self) {
        *self = Self { next: self.next.max(earlier.next), ..earlier.clone() };
    }

    /// Stores a new or changed record.
    pub(crate) fn put(&mut self, record: T) {
        self.forget(record.number());
        self.times.insert((record.modified(), record.number()));
        self.changed.insert(record.number(), Some(record));
    }

    /// Deletes a record; false when there is none.
    pub(crate) fn remove(&mut self, number: u32) -> bool {
        let found = self.forget(number);
        if found {
            self.changed.insert(number, None);
        }
        found
    }

    fn forget(&mut self, number: u32) -> bool {
        self.orders.clear();
        let Some(record) = self.get(number) else {
            return false;
        };
        self.times.remove(&(record.modified(), number))
    }

    /// Numbers of records changed at or after this time, oldest first; ties by number.
    pub(crate) fn since(&self, bound: i64) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.times.range((bound, 0)..).map(|entry| entry.1)
    }

    /// All numbers by this key, ties by number.
    pub(crate) fn order(&mut self, column: &str, key: impl Fn(&T) -> SortKey) -> &[u32] {
        if !self.orders.contains_key(column) {
            let mut keyed: Vec<(SortKey, u32)> = self
                .since(i64::MIN)
                .filter_map(|number| self.get(number).map(|record| (key(&record), number)))
                .collect();
            keyed.sort_unstable();
            self.orders.insert(column.to_owned(), keyed.into_iter().map(|(_, number)| number).collect());
        }
        self.orders.get(column).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Toy(u32, i64);

    impl Record for Toy {
        fn seed(number: u32, _: bool) -> Self {
            Self(number, Self::seeded_modified(number))
        }
        fn seeded_modified(number: u32) -> i64 {
            100 - i64::from(number)
        }
        fn number(&self) -> u32 {
            self.0
        }
        fn modified(&self) -> i64 {
            self.1
        }
    }

    #[test]
    fn changes_lie_over_the_seed_and_keep_the_order_by_time() {
        let mut table: Table<Toy> = Table::new(4, false);
        assert_eq!(table.since(98).collect::<Vec<_>>(), [2, 1, 0]);
        table.put(Toy(3, 500));
        assert!(table.remove(1) && !table.remove(1) && !table.remove(77));
        let new = table.allocate();
        table.put(Toy(new, 98));
        assert_eq!(table.since(i64::MIN).collect::<Vec<_>>(), [2, 4, 0, 3]);
        assert_eq!((table.get(1), table.get(3)), (None, Some(Toy(3, 500))));
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn an_order_is_made_anew_after_a_change() {
        let mut table: Table<Toy> = Table::new(3, false);
        let by_number = |toy: &Toy| (i64::from(toy.0), String::new());
        assert_eq!(table.order("number", by_number), [0, 1, 2]);
        table.remove(1);
        assert_eq!(table.order("number", by_number), [0, 2]);
    }
}
