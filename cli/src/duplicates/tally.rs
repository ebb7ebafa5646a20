//! Records by one value: which values more than one record has.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use shared::failure::{Failure, Reason};

/// Most values that are kept: some 150 MB.
const VALUES: usize = 1_000_000;

/// Most values that are told.
const TOLD: usize = 1_000;

/// A record that shares its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Twin {
    /// What its system calls it.
    pub(super) id: String,
    /// What people call it.
    pub(super) name: String,
}

/// The records of one system by one value.
#[derive(Debug, Default)]
pub(super) struct Tally {
    first: HashMap<Box<str>, (Box<str>, Box<str>)>,
    double: BTreeMap<String, Vec<Twin>>,
    /// Values that were double and are not told, since there are so many.
    pub(super) untold: usize,
    /// Records that were looked at.
    pub(super) records: u64,
}

impl Tally {
    /// Counts a record. Blanks around a value do not count, and who has none is nobody's double.
    pub(super) fn add(&mut self, value: &str, id: &str, name: &str) -> Result<(), Failure> {
        self.records += 1;
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        let twin = || Twin { id: id.to_owned(), name: name.to_owned() };
        let Some((first, of_first)) = self.first.get(value) else {
            if self.first.len() >= VALUES {
                let what = format!("there are more than {VALUES} different values to compare");
                return Err(Failure::systemic(Reason::Configuration, what)
                    .advise("restrict the pipeline, or look in the database itself"));
            }
            self.first.insert(value.into(), (id.into(), name.into()));
            return Ok(());
        };
        // One record that came twice, since its list moved while it was read.
        if &**first == id {
            return Ok(());
        }
        if !self.double.contains_key(value) && self.double.len() >= TOLD {
            self.untold += 1;
            return Ok(());
        }
        let first = Twin { id: first.to_string(), name: of_first.to_string() };
        let twins = self.double.entry(value.to_owned()).or_insert_with(|| vec![first]);
        if twins.iter().all(|known| known.id != id) {
            twins.push(twin());
        }
        Ok(())
    }

    /// The first record with a value.
    pub(super) fn first(&self, value: &str) -> Option<&str> {
        self.first.get(value).map(|(id, _)| &**id)
    }

    /// Values that several records have, with these.
    pub(super) fn double(&self) -> &BTreeMap<String, Vec<Twin>> {
        &self.double
    }

    /// The same, to be named.
    pub(super) fn twins(&mut self) -> impl Iterator<Item = &mut Twin> {
        self.double.values_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_several_records_are_told_with_all_of_them() {
        let mut tally = Tally::default();
        for (value, id) in
            [("A", "1"), ("B", "2"), (" A ", "3"), ("", "4"), (" ", "5"), ("A", "6"), ("B", "2")]
        {
            tally.add(value, id, &format!("Thing {id}")).unwrap();
        }
        assert_eq!(tally.records, 7);
        let double: Vec<(&String, Vec<&str>)> = tally
            .double()
            .iter()
            .map(|(value, twins)| (value, twins.iter().map(|twin| twin.id.as_str()).collect()))
            .collect();
        assert_eq!(double, [(&"A".to_owned(), vec!["1", "3", "6"])]);
        assert_eq!((tally.first("B"), tally.first("C")), (Some("2"), None));
    }

    #[test]
    fn what_is_told_has_an_end() {
        let mut tally = Tally::default();
        for number in 0..TOLD + 5 {
            for id in ["a", "b"] {
                tally.add(&number.to_string(), &format!("{number}{id}"), "").unwrap();
            }
        }
        assert_eq!((tally.double().len(), tally.untold), (TOLD, 5));
    }
}
