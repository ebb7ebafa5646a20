//! What a plan says of a pipeline and of each of its records: the words of the plan's file.

use jiff::Timestamp;
use producer::sweep::Swept;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::checksum::Checksum;
use shared::config::{Pipeline, SinkConfig};
use shared::record::{ImageReference, PipelineName, RecordKey};
use shared::state::RunKind;
use worker::sink::FieldChange;

/// The format that this version writes, and the only one that it applies.
pub(crate) const FORMAT: u32 = 1;

/// What a sync would do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Make it.
    Create,
    /// Write the fields that differ.
    Update,
    /// Archive it: it is inactive in the source, or gone from it.
    Archive,
    /// Mark it in the file as gone from the source.
    Mark,
    /// Take it out of the file: it is gone from the source.
    Remove,
    /// Give a record that was found by its values our external id, and change nothing else of it.
    Bind,
    /// Bring an image, and nothing else.
    Download,
    /// Nothing: it cannot be mapped, or the sink would refuse it. It would be a dead letter.
    Fail,
}

impl Action {
    pub(crate) const ALL: [Self; 8] = [
        Self::Create,
        Self::Update,
        Self::Archive,
        Self::Mark,
        Self::Remove,
        Self::Bind,
        Self::Download,
        Self::Fail,
    ];
}

/// An image that would be brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageChange {
    /// What the source called the one that the sink has, as far as is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<ImageReference>,
    /// What the source calls the new one.
    pub(crate) new: ImageReference,
}

/// One record of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) record: RecordKey,
    pub(crate) action: Action,
    /// What the sink calls it, where that differs from its key and it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sink_id: Option<String>,
    /// What the source has, mapped: a record whose checksum is another one by now has moved. [`Checksum::GONE`]: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Checksum>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<FieldChange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<ImageChange>,
    /// Why it would fail, or that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

/// What the changes of a pipeline are about. Another configuration, source or sink has another head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) pipeline: PipelineName,
    /// Names the source.
    pub(crate) source: String,
    /// Names the sink; `None`: a file that is not there yet, or that somebody else wrote.
    pub(crate) sink: Option<String>,
    /// Checksum of the mapping.
    pub(crate) mapping: Checksum,
    /// Checksum of how the sink is written.
    pub(crate) settings: Checksum,
    /// What was looked at.
    pub(crate) kind: RunKind,
    /// Why.
    pub(crate) why: String,
    /// Changes since then were looked at; `None`: everything.
    pub(crate) since: Option<Timestamp>,
    /// The source's clock when the plan was made.
    pub(crate) until: Timestamp,
}

impl Head {
    /// Whether a plan with this head is about what `now` is about.
    pub(crate) fn is_about(&self, now: &Self) -> bool {
        let of = |head: &Self| {
            let Self { pipeline, source, sink, mapping, settings, .. } = head;
            (pipeline.clone(), source.clone(), sink.clone(), *mapping, *settings)
        };
        of(self) == of(now)
    }
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Records read from the source.
    pub(crate) read: u64,
    pub(crate) create: u64,
    pub(crate) update: u64,
    pub(crate) archive: u64,
    pub(crate) mark: u64,
    pub(crate) remove: u64,
    pub(crate) bind: u64,
    pub(crate) fail: u64,
    /// Images to bring, with their records or alone.
    pub(crate) download: u64,
    /// Records that stay as they are.
    pub(crate) unchanged: u64,
    /// Records that are in the dead letters as they are, and stay there.
    pub(crate) dead: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, change: &Change) {
        self.download += u64::from(change.image.is_some());
        *match change.action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Archive => &mut self.archive,
            Action::Mark => &mut self.mark,
            Action::Remove => &mut self.remove,
            Action::Bind => &mut self.bind,
            Action::Fail => &mut self.fail,
            Action::Download => return,
        } += 1;
    }

    /// Whether a sync would do nothing.
    pub(crate) fn is_nothing(&self) -> bool {
        let Self { create, update, archive, mark, remove, bind, fail, download, .. } = *self;
        create + update + archive + mark + remove + bind + fail + download == 0
    }
}

/// What a plan of a pipeline ends with.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) totals: Totals,
    /// What was found to be gone; `None`: it was not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sweep: Option<Swept>,
}

/// Checksum of how a pipeline's sink is written, as far as it changes what is written.
pub(crate) fn settings_of(pipeline: &Pipeline) -> Checksum {
    Checksum::of_value(&match &pipeline.sink {
        SinkConfig::Odoo(target) => json!([
            target.model,
            target.prefix,
            target.entity,
            target.match_by,
            target.context,
            target.storable,
            target.images,
            target.image_quality,
        ]),
        SinkConfig::Json(file) => json!([file.path, format!("{:?}", file.format)]),
    })
}
