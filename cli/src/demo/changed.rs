//! What a JSON file holds, looked at from outside: the demo does not take the sink's own word for what it wrote.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use shared::failure::{Failure, Reason};

/// Hashes of the record lines of a file.
#[derive(Debug)]
pub(super) struct Snapshot(HashSet<u64>);

impl Snapshot {
    /// Reads the file; one that is not there holds nothing.
    pub(super) fn take(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error| {
            Failure::systemic(Reason::File, format!("cannot read {}", path.display()))
                .because(error)
                .advise("choose another folder with --dir")
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self(HashSet::new())),
            Err(error) => return Err(unreadable(error)),
        };
        let mut hashes = HashSet::new();
        for line in BufReader::new(file).lines() {
            let line = line.map_err(unreadable)?;
            let record = line.trim_end_matches(',');
            if record.starts_with('{') {
                let mut hasher = DefaultHasher::new();
                record.hash(&mut hasher);
                hashes.insert(hasher.finish());
            }
        }
        Ok(Self(hashes))
    }

    /// Records that are here and were not there with these values.
    pub(super) fn differing_from(&self, before: &Self) -> usize {
        self.0.difference(&before.0).count()
    }
}
