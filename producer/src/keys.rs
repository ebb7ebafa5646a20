//! A set of record keys, eight bytes a key.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use shared::record::RecordKey;

/// Which keys were seen: 16 MB or so for a million. The ids of Odoo and Zoho are numbers and stand for themselves; of other
/// keys two with one hash are taken for each other, in every set for others.
#[derive(Debug, Default)]
pub struct Keys {
    numbers: HashSet<u64>,
    hasher: RandomState,
}

impl Keys {
    /// Adds a key.
    pub fn insert(&mut self, key: &RecordKey) {
        self.numbers.insert(self.number(key));
    }

    /// Whether it was added.
    pub fn contains(&self, key: &RecordKey) -> bool {
        self.numbers.contains(&self.number(key))
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The number itself, where it is one in plain digits.
    fn number(&self, key: &RecordKey) -> u64 {
        let text = key.as_str();
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => number,
            _ => self.hasher.hash_one(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_again_and_others_are_not() {
        let keys: Vec<RecordKey> =
            ["1", "01", "18446744073709551615", "abc"].iter().map(|key| key.parse().unwrap()).collect();
        let mut seen = Keys::default();
        for (at, key) in keys.iter().enumerate() {
            assert!(!seen.contains(key), "{key}");
            seen.insert(key);
            assert!(keys[..=at].iter().all(|key| seen.contains(key)));
        }
    }
}
