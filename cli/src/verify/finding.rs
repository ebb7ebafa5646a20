//! What verify finds.

use serde::{Deserialize, Serialize};
use shared::record::RecordKey;
use worker::sink::FieldChange;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Drift {
    /// The source has it, the sink has not.
    Missing,
    /// The sink has other values.
    Different,
    /// The source has it, and the sink would refuse it, or it cannot be mapped.
    Refused,
    /// The sink has a record of ours, not archived, and the source has none.
    Extra,
    /// It shares a record of the sink with another one, or the file has it more than once.
    Duplicate,
    /// The sink has another image than ours, or none.
    WrongImage,
    /// An external id or an entry of the state that leads nowhere.
    Orphan,
}

impl Drift {
    pub(crate) const ALL: [Self; 7] = [
        Self::Missing,
        Self::Different,
        Self::Refused,
        Self::Extra,
        Self::Duplicate,
        Self::WrongImage,
        Self::Orphan,
    ];

    /// For people, after a number.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Refused => "refused",
            Self::Extra => "extra",
            Self::Duplicate => "duplicate",
            Self::WrongImage => "wrong image",
            Self::Orphan => "orphan",
        }
    }

    /// Whether writing the record again mends it.
    pub(crate) fn is_mended_by_writing(self) -> bool {
        matches!(self, Self::Missing | Self::Different | Self::WrongImage)
    }
}

/// A record that is not in step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) record: RecordKey,
    pub(crate) drift: Drift,
    /// What the sink calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sink_id: Option<String>,
    /// What differs: what the sink has, and what the source says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<FieldChange>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Finding {
    pub(crate) fn new(record: RecordKey, drift: Drift) -> Self {
        Self { record, drift, sink_id: None, fields: Vec::new(), why: None }
    }

    pub(crate) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Records of the source.
    pub(crate) source: u64,
    /// Records of ours in the sink.
    pub(crate) sink: u64,
    /// Records that the state knows.
    pub(crate) state: u64,
    pub(crate) in_step: u64,
    pub(crate) missing: u64,
    pub(crate) different: u64,
    pub(crate) refused: u64,
    pub(crate) extra: u64,
    pub(crate) duplicate: u64,
    pub(crate) wrong_image: u64,
    pub(crate) orphan: u64,
    /// Gone from the source and archived, marked or kept in the sink, as the pipeline says.
    pub(crate) archived: u64,
    /// Changed while they were looked at: nothing is said of them.
    pub(crate) changing: u64,
    /// Images that are as we wrote them.
    pub(crate) images: u64,
    /// Images of which the state does not know what was written: brought before it was noted.
    pub(crate) images_unknown: u64,
    /// Images that wait for their next try, or were given up: `status` tells of them.
    pub(crate) images_waiting: u64,
    /// Calls to source and sink.
    pub(crate) calls: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, drift: Drift) {
        *self.of_mut(drift) += 1;
    }

    pub(crate) fn of(mut self, drift: Drift) -> u64 {
        *self.of_mut(drift)
    }

    fn of_mut(&mut self, drift: Drift) -> &mut u64 {
        match drift {
            Drift::Missing => &mut self.missing,
            Drift::Different => &mut self.different,
            Drift::Refused => &mut self.refused,
            Drift::Extra => &mut self.extra,
            Drift::Duplicate => &mut self.duplicate,
            Drift::WrongImage => &mut self.wrong_image,
            Drift::Orphan => &mut self.orphan,
        }
    }

    /// Findings of all kinds.
    pub(crate) fn drift(&self) -> u64 {
        Drift::ALL.iter().map(|drift| self.of(*drift)).sum()
    }
}
