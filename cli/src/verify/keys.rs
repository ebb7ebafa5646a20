//! A set of record keys, eight bytes a key: the ids of Odoo and Zoho are numbers.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use shared::record::RecordKey;

/// Which keys were seen.
#[derive(Debug, Default)]
pub(crate) struct Keys(HashSet<u64>);

impl Keys {
    pub(crate) fn insert(&mut self, key: &RecordKey) {
        self.0.insert(number(key));
    }

    pub(crate) fn contains(&self, key: &RecordKey) -> bool {
        self.0.contains(&number(key))
    }
}

/// The number itself, where it is one in plain digits.
fn number(key: &RecordKey) -> u64 {
    let text = key.as_str();
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => number,
        _ => {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
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
