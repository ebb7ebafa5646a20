//! The names of things: pipelines, records, versions. Each is parsed once, at the edge.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Mapped values of one record, in the order of the mapping. Numbers keep their decimal text: `serde_json`'s
/// `arbitrary_precision` is on, so no price ever goes through a float.
pub type Values = serde_json::Map<String, serde_json::Value>;

/// A name that cannot be accepted, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

/// The name of a pipeline: 1 to 40 of `a-z`, `0-9`, `_` and `-`, starting with a letter. It is part of queue names,
/// state keys and metric labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PipelineName(String);

impl PipelineName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PipelineName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(format!(
                "'{text}' is no pipeline name: use 1 to 40 of a-z, 0-9, '_' and '-', starting with a letter"
            )))
        }
    }
}

/// The key of a record in its source: an Odoo or Zoho id as text, 1 to 200 characters without white space or control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordKey(String);

impl RecordKey {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u64> for RecordKey {
    fn from(id: u64) -> Self {
        Self(id.to_string())
    }
}

impl FromStr for RecordKey {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() || text.chars().count() > 200 {
            return Err(InvalidName(format!(
                "a record key has 1 to 200 characters, not {}",
                text.chars().count()
            )));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidName(format!(
                "record key {text:?} contains white space or control characters"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a source calls an image, such as a document's id with its name: 1 to 500 characters without control characters.
/// Another reference is another image; the same reference is never downloaded twice for the same record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference(String);

impl ImageReference {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands for an image that was there and that the source no longer has. Sources build theirs from an id and a name.
const REMOVED: &str = "-";

impl ImageReference {
    /// The image of this record is to be taken from the sink.
    pub fn removed() -> Self {
        Self(REMOVED.to_owned())
    }

    /// Whether it is [`Self::removed`].
    pub fn is_removed(&self) -> bool {
        self.0 == REMOVED
    }
}

impl FromStr for ImageReference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let length = text.chars().count();
        if length == 0 || length > 500 {
            return Err(InvalidName(format!("an image reference has 1 to 500 characters, not {length}")));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidName(format!("image reference {text:?} contains control characters")));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The SHA-1 of an image's bytes: what Odoo knows an image by. As text 40 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageHash([u8; 20]);

impl ImageHash {
    /// The 20 bytes.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl From<[u8; 20]> for ImageHash {
    fn from(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl FromStr for ImageHash {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName("the SHA-1 of an image is 40 hexadecimal digits".to_owned());
        let (digits, mut bytes) = (text.as_bytes(), [0; 20]);
        // `from_str_radix` alone would take a sign.
        if digits.len() != 40 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(invalid());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for ImageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl TryFrom<String> for ImageHash {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ImageHash> for String {
    fn from(hash: ImageHash) -> Self {
        hash.to_string()
    }
}

/// The name of a worker process: 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`. No two processes that live at the same
/// time, or soon after each other, have the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(String);

impl WorkerId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of this process: `<host>-<process>-<start in Unix milliseconds>`. Without the time, a process in a container would
    /// be taken for the one before, which died as process 1 as well.
    pub fn of_process() -> Self {
        static STARTED: LazyLock<i64> = LazyLock::new(|| jiff::Timestamp::now().as_millisecond());
        Self(format!("{}-{}-{:x}", crate::platform::host(), std::process::id(), *STARTED))
    }
}

impl FromStr for WorkerId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=64).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(format!(
                "{text:?} is no name of a worker: use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"
            )))
        }
    }
}

macro_rules! text_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}
text_name!(PipelineName);
text_name!(RecordKey);
text_name!(ImageReference);
text_name!(WorkerId);

/// The order of changes to one record: the producer's epoch, then a sequence inside it. An epoch is
/// `max(previous + 1, Unix milliseconds)`, so that versions grow even after the state was wiped. Source times are never
/// the order: they have one-second grain and go backwards when a source is restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The producer's epoch.
    pub epoch: u64,
    /// Counts up inside the epoch, from 1.
    pub sequence: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence)
    }
}

/// One run of one pipeline. Numbers count up for ever within one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How a settled job ended in the sink: of the record, or of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was not in the sink and is now.
    Created,
    /// The sink's differed and was written over.
    Updated,
    /// The sink had the same already; nothing was written.
    Unchanged,
    /// Its source no longer has it, and the sink did with it what is configured: archived, marked, removed.
    Gone,
    /// A newer version is wanted; nothing was written.
    Superseded,
    /// Given up, with a reason in the dead letters.
    Dead,
}

impl Outcome {
    /// Whether the sink was changed for it, not only looked at.
    pub fn is_written(self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Gone)
    }

    /// The label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
            Self::Dead => "dead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipeline_names_are_checked() {
        assert!("customers".parse::<PipelineName>().is_ok());
        for bad in ["", "Customers", "a b", "1a", "a.b", &"a".repeat(41)] {
            assert!(bad.parse::<PipelineName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_workers_are_checked() {
        for good in ["worker-7.example_1", "A", &"a".repeat(64)] {
            assert_eq!(good.parse::<WorkerId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<WorkerId>().is_err(), "{bad:?}");
        }
        let ours = WorkerId::of_process();
        assert_eq!(ours.as_str().parse(), Ok(ours.clone()));
        assert_eq!(WorkerId::of_process(), ours);
    }

    #[test]
    fn image_references_are_checked() {
        for good in ["4600000000001 / front view.jpg", &"ü".repeat(500)] {
            assert_eq!(good.parse::<ImageReference>().unwrap().as_str(), good);
        }
        for bad in ["", "a\nb", "\u{85}", &"a".repeat(501)] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_epoch_first() {
        let version = |epoch, sequence| Version { epoch, sequence };
        assert!(version(2, 1) > version(1, 99));
        assert!(version(2, 2) > version(2, 1));
    }
}
