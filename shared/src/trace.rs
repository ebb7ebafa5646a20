//! The trace of a change: one id that the producer makes when it enqueues, that travels in the job, and that every line of
//! a log about it has, whichever process wrote it.
//!
//! It has the form of a W3C `traceparent`, so that tools for traces take it as it is. It follows from the change itself (pipeline,
//! record, version): what is enqueued once more goes on under the id that it had, and so does the image that a record brings along.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::record::{PipelineName, RecordKey, Version};

/// Which change of which record something is about, as `00-<32 hex digits>-<16 hex digits>-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace {
    id: u128,
    /// Of the enqueueing, which all else follows.
    parent: u64,
}

impl Trace {
    /// Of a change.
    pub fn of(pipeline: &PipelineName, key: &RecordKey, version: Version) -> Self {
        let sum = Sha256::new()
            .chain_update(pipeline.as_str())
            .chain_update([0])
            .chain_update(key.as_str())
            .chain_update([0])
            .chain_update(version.epoch.to_be_bytes())
            .chain_update(version.sequence.to_be_bytes())
            .finalize();
        let number = |from: usize, to: usize| {
            sum.get(from..to)
                .unwrap_or_default()
                .iter()
                .fold(0, |number: u128, byte| number << 8 | u128::from(*byte))
        };
        // Zero is no id.
        let parent = u64::try_from(number(16, 24)).unwrap_or(u64::MAX);
        Self { id: number(0, 16).max(1), parent: parent.max(1) }
    }

    /// What lines of logs have: 32 hex digits.
    pub fn id(self) -> String {
        format!("{:032x}", self.id)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.id, self.parent)
    }
}

/// A text that is no `traceparent` of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct NotATrace;

impl FromStr for Trace {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let is_lower_hex = |part: &&str| {
                part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            };
            parts.next().filter(is_lower_hex).ok_or(NotATrace)
        };
        let (version, id, parent, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let id = u128::from_str_radix(id, 16).map_err(|_| NotATrace)?;
        let parent = u64::from_str_radix(parent, 16).map_err(|_| NotATrace)?;
        if version != "00" || id == 0 || parent == 0 || parts.next().is_some() {
            return Err(NotATrace);
        }
        Ok(Self { id, parent })
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is none is as good as none: it keeps no job from its work.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Trace>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pipeline: &str, key: u64, sequence: u64) -> Trace {
        Trace::of(&pipeline.parse().unwrap(), &key.into(), Version { epoch: 1_763_769_600_000, sequence })
    }

    #[test]
    fn each_change_has_a_trace_of_its_own_and_always_the_same() {
        let trace = of("products", 42, 7);
        assert_eq!(trace, of("products", 42, 7));
        for other in [of("products", 42, 8), of("products", 43, 7), of("customers", 42, 7)] {
            assert_ne!(trace.id(), other.id());
        }
        insta::assert_snapshot!(trace, @"00-4af79763c9e92aa429df93ca28b03966-f624b46a9527a71b-01");
    }

    #[test]
    fn it_is_written_and_read_as_a_traceparent() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace: Trace = text.parse().unwrap();
        assert_eq!(
            (trace.to_string().as_str(), trace.id().as_str()),
            (text, "4bf92f3577b34da6a3ce929d0e0e4736")
        );
        let zeros = "0".repeat(32);
        for broken in [
            "",
            "00",
            text.trim_end_matches('1'),
            &format!("{text}-00"),
            &text.replacen("00", "01", 1),
            &text.to_uppercase(),
            &text.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            &text.replace("00f067aa0ba902b7", &"0".repeat(16)),
        ] {
            assert_eq!(broken.parse::<Trace>(), Err(NotATrace), "{broken}");
        }
    }
}
