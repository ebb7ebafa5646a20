//! The names of everything in Redis. Layout 2, below the deployment's prefix `P`:
//!
//! | key | what |
//! |---|---|
//! | `P:layout` | number of the layout, see [`layout`](super::layout) |
//! | `P:op:…` | what was answered to a commit, for some minutes |
//! | `P:counters` | hash: the newest run's number, and that of the newest stray |
//! | `P:memo`, `P:memos` | hash of small texts by name, and the index of their names |
//! | `P:stray`, `P:strays` | hash of strays by id, and their order |
//! | `P:runs`, `P:run:N`, `P:places:N` | order of all runs; the hash of one; its bitmap, a bit per place |
//! | `P:garbage` | set of generations that were forgotten and whose keys are still to go |
//! | `P:p:NAME` | hash of a pipeline: epoch, totals, cursor, binding |
//! | `P:p:NAME:runs` | order of its runs |
//! | `P:p:NAME:G:…` | its records and images, in generation `G`: forgetting all of them is one number |
//!
//! and in a generation, for records (`r`) and images (`i`):
//!
//! | key | what |
//! |---|---|
//! | `rB`, `iB` | 131,072 buckets, hashes by record key: the settled mass |
//! | `r`, `i` | hash by record key: what work is to be done on, and values that are too wide for a bucket; what is in here counts, whatever its bucket holds |
//! | `ro`, `io` | index of what is outstanding, by version |
//! | `rd` | index of records in doubt, by the end of the doubt |
//! | `it` | index of outstanding images that have a retry time, by it |
//! | `iw` | of these, the ones that are not in `io` yet |
//! | `ic` | index of all outstanding images that take the place of another, due or not, by version |
//! | `l`, `lv`, `lo` | dead letters: hash of letters, of the versions that they are about with their reasons, and their order |
//! | `l:REASON` | of these, the ones with a reason, under the same numbers |
//!
//! A bucket stays a listpack, which is what makes a million records cheap: it leans on Redis's defaults
//! `hash-max-listpack-entries 128` (or more; at twelve million records a bucket has a hundred) and
//! `hash-max-listpack-value 64`. With smaller settings everything works and takes several times the memory.

use crate::failure::Reason;
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey, RunId, Version};

/// Buckets of a pipeline's records, and of its images.
pub(super) const BUCKETS: u32 = 1 << 17;

/// Longest key and longest value that keep a bucket a listpack, in bytes.
const NARROW: usize = 64;

/// The names of a deployment.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// Of what belongs to no pipeline.
    pub(super) fn of(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    pub(super) fn layout(&self) -> String {
        self.of("layout")
    }

    pub(super) fn counters(&self) -> String {
        self.of("counters")
    }

    pub(super) fn runs(&self) -> String {
        self.of("runs")
    }

    pub(super) fn run(&self, run: RunId) -> String {
        format!("{}:run:{run}", self.prefix)
    }

    pub(super) fn places(&self, run: RunId) -> String {
        format!("{}:places:{run}", self.prefix)
    }

    pub(super) fn garbage(&self) -> String {
        self.of("garbage")
    }

    pub(super) fn head(&self, pipeline: &PipelineName) -> String {
        format!("{}:p:{pipeline}", self.prefix)
    }

    pub(super) fn runs_of(&self, pipeline: &PipelineName) -> String {
        format!("{}:p:{pipeline}:runs", self.prefix)
    }

    pub(super) fn generation(&self, pipeline: &PipelineName, generation: u64) -> Generation {
        Generation(format!("{}:p:{pipeline}:{generation}:", self.prefix))
    }

    /// The generation of a member of [`Keys::garbage`].
    pub(super) fn forgotten(&self, member: &str) -> Generation {
        Generation(format!("{}:p:{member}:", self.prefix))
    }
}

/// What names a forgotten generation.
pub(super) fn forgotten(pipeline: &PipelineName, generation: u64) -> String {
    format!("{pipeline}:{generation}")
}

/// The names of a pipeline's records and images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generation(String);

impl Generation {
    /// Begins the names of all.
    pub(super) fn prefix(&self) -> &str {
        &self.0
    }

    pub(super) fn bucket(&self, kind: JobKind, key: &RecordKey) -> String {
        format!("{}{}{:x}", self.0, letter(kind), bucket(key))
    }

    /// What is too wide for a bucket, or under way.
    pub(super) fn wide(&self, kind: JobKind) -> String {
        format!("{}{}", self.0, letter(kind))
    }

    pub(super) fn outstanding(&self, kind: JobKind) -> String {
        format!("{}{}o", self.0, letter(kind))
    }

    pub(super) fn doubts(&self) -> String {
        format!("{}rd", self.0)
    }

    pub(super) fn waiting_images(&self) -> String {
        format!("{}iw", self.0)
    }

    pub(super) fn changed_images(&self) -> String {
        format!("{}ic", self.0)
    }

    pub(super) fn retry_times(&self) -> String {
        format!("{}it", self.0)
    }

    pub(super) fn letters(&self) -> String {
        format!("{}l", self.0)
    }

    pub(super) fn letter_versions(&self) -> String {
        format!("{}lv", self.0)
    }

    pub(super) fn letter_order(&self) -> String {
        format!("{}lo", self.0)
    }

    pub(super) fn letters_by(&self, reason: Reason) -> String {
        format!("{}l:{}", self.0, reason.label())
    }

    /// All but the buckets.
    pub(super) fn few(&self) -> Vec<String> {
        let [records, images] =
            [JobKind::Record, JobKind::Image].map(|kind| (self.wide(kind), self.outstanding(kind)));
        let mut few = vec![
            records.0,
            records.1,
            images.0,
            images.1,
            self.doubts(),
            self.waiting_images(),
            self.changed_images(),
            self.retry_times(),
            self.letters(),
            self.letter_versions(),
            self.letter_order(),
        ];
        few.extend(Reason::ALL.map(|reason| self.letters_by(reason)));
        few
    }
}

fn letter(kind: JobKind) -> char {
    match kind {
        JobKind::Record => 'r',
        JobKind::Image => 'i',
    }
}

/// Whether a bucket may hold a value.
pub(super) fn is_narrow(key: &RecordKey, value: &[u8]) -> bool {
    key.as_str().len() <= NARROW && value.len() <= NARROW
}

/// The bucket of a record: FNV-1a, folded. It must never change, records would not be found any more.
fn bucket(key: &RecordKey) -> u64 {
    let hash = key.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 17) ^ (hash >> 34) ^ (hash >> 51)) % u64::from(BUCKETS)
}

/// A member of an index by version: members of one score are ordered by their bytes.
pub(super) fn member(version: Version, key: &RecordKey) -> Vec<u8> {
    let mut member = version_bytes(version).to_vec();
    member.extend_from_slice(key.as_str().as_bytes());
    member
}

/// The parts of a member; `None` where nobody wrote it so.
pub(super) fn of_member(member: &[u8]) -> Option<(Version, RecordKey)> {
    let (version, key) = member.split_at_checked(16)?;
    Some((version_of(version)?, std::str::from_utf8(key).ok()?.parse().ok()?))
}

/// A version whose bytes have its order.
pub(super) fn version_bytes(version: Version) -> [u8; 16] {
    (u128::from(version.epoch) << 64 | u128::from(version.sequence)).to_be_bytes()
}

pub(super) fn version_of(bytes: &[u8]) -> Option<Version> {
    let number = u128::from_be_bytes(bytes.try_into().ok()?);
    let [epoch, sequence] = [number >> 64, number & u128::from(u64::MAX)].map(u64::try_from);
    Some(Version { epoch: epoch.ok()?, sequence: sequence.ok()? })
}

/// What stands beside a dead letter: the version that it is about and its reason.
pub(super) fn letter_value(version: Version, reason: Reason) -> Vec<u8> {
    [&version_bytes(version), reason.label().as_bytes()].concat()
}

/// The parts of it; `None` where nobody wrote it so.
pub(super) fn of_letter_value(value: &[u8]) -> Option<(Version, Reason)> {
    let (version, reason) = value.split_at_checked(16)?;
    Some((version_of(version)?, Reason::of_label(std::str::from_utf8(reason).ok()?)?))
}

/// The field of a dead letter.
pub(super) fn letter_field(kind: JobKind, key: &RecordKey) -> String {
    format!("{}{key}", letter(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_stays_in_its_bucket() {
        let bucket_of = |key: &str| bucket(&key.parse().unwrap());
        assert_eq!(["1", "42", "4600000000012345", "ü"].map(bucket_of), [75_523, 120_583, 113_953, 90_047]);
    }

    #[test]
    fn a_million_ids_fill_the_buckets_evenly() {
        for first in [1_u64, 4_600_000_000_000_000] {
            let mut sizes = vec![0_u32; BUCKETS as usize];
            for id in first..first + 1_000_000 {
                sizes[usize::try_from(bucket(&id.into())).unwrap()] += 1;
            }
            assert!(*sizes.iter().max().unwrap() < 40, "{:?}", sizes.iter().max());
            let empty = sizes.iter().filter(|size| **size == 0).count();
            assert!(empty < 1_000, "{empty} buckets are empty");
        }
    }

    proptest! {
        #[test]
        fn members_come_back_and_have_the_order_of_their_versions(a: (u64, u64), b: (u64, u64), key in "[a-z0-9]{1,9}") {
            let [a, b] = [a, b].map(|(epoch, sequence)| Version { epoch, sequence });
            let key: RecordKey = key.parse().unwrap();
            prop_assert_eq!(of_member(&member(a, &key)), Some((a, key.clone())));
            prop_assert_eq!(member(a, &key).cmp(&member(b, &key)), a.cmp(&b));
        }

        #[test]
        fn any_bytes_are_a_member_or_none(bytes: Vec<u8>) {
            if let Some((version, key)) = of_member(&bytes) {
                prop_assert_eq!(member(version, &key), bytes);
            }
        }
    }
}
