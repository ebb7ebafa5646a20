//! Where records come from. One closed set of sources behind one contract.

mod details;
pub mod odoo;
pub mod zoho;

use jiff::Timestamp;
use shared::checksum::Checksum;
use shared::failure::{Failure, Reason};
use shared::mapping::Mapping;
use shared::record::{RecordKey, Values};
use shared::state::{Binding, Window};

pub use odoo::OdooSource;
pub use zoho::ZohoSource;

/// A source that was opened for one pipeline. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Source {
    /// Records of an Odoo model.
    Odoo(OdooSource),
    /// Items or contacts of a Zoho organisation.
    Zoho(ZohoSource),
}

/// One record as the source gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// Its key.
    pub key: RecordKey,
    /// Its fields.
    pub values: Values,
    /// When the source says that it changed.
    pub time: Option<String>,
    /// Which image it has, as a text that changes with the image; `None` where it has none, or the source has no images.
    pub image: Option<String>,
}

/// One page of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct SourcePage {
    /// The records, in the source's order.
    pub rows: Vec<SourceRow>,
    /// Where the next page begins; `None` after the last page.
    pub next: Option<String>,
    /// Where a run that is broken off behind this page goes on; `None` where nothing was read.
    pub after: Option<String>,
}

/// A record that was listed a moment ago is said not to be there.
fn distrusted(example: &RecordKey) -> Failure {
    Failure::transient(
        Reason::Protocol,
        format!("the source lists record {example} and has none of that key: nothing counts as gone"),
    )
    .advise(
        "it is tried again later; look whether something between here and the source answers in its place",
    )
}

/// What became of records that a list did not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absent {
    /// There are none of these keys.
    pub gone: Vec<RecordKey>,
    /// They are there, but no longer among the records that the pipeline reads.
    pub left: Vec<RecordKey>,
    /// How many are there all the same, or are hidden from this user.
    pub there: u64,
}

impl Source {
    /// Names the system that the records come from, so that another one is recognised.
    pub fn identity(&self) -> String {
        match self {
            Self::Odoo(source) => source.identity(),
            Self::Zoho(source) => source.identity(),
        }
    }

    /// The mapping, resolved against what this source has.
    pub fn mapping(&self) -> &Mapping {
        match self {
            Self::Odoo(source) => source.mapping(),
            Self::Zoho(source) => source.mapping(),
        }
    }

    /// What a run of this source into a sink is about.
    pub fn binding(&self, sink: &str) -> Binding {
        match self {
            Self::Odoo(source) => source.binding(sink),
            Self::Zoho(source) => source.binding(sink),
        }
    }

    /// The source's clock, in whole seconds: window ends are taken from it, never from ours.
    pub fn clock(&self) -> Timestamp {
        match self {
            Self::Odoo(source) => source.clock(),
            Self::Zoho(source) => source.clock(),
        }
    }

    /// About how many records a full run will read; 0 where the source does not say.
    pub async fn count(&self) -> Result<u64, Failure> {
        match self {
            Self::Odoo(source) => source.count().await,
            Self::Zoho(source) => source.count().await,
        }
    }

    /// The page of `window` that begins at `position` (`None`: the first).
    pub async fn page(&self, window: Window, position: Option<&str>) -> Result<SourcePage, Failure> {
        match self {
            Self::Odoo(source) => source.page(window, position).await,
            Self::Zoho(source) => source.page(window, position).await,
        }
    }

    /// Asks for records one by one that a list did not have: only a plain no counts. `example` is one that the list had:
    /// where even that is not found, no answer is trusted.
    pub(crate) async fn confirm(
        &self,
        keys: &[RecordKey],
        example: Option<&RecordKey>,
    ) -> Result<Absent, Failure> {
        match self {
            Self::Odoo(source) => source.confirm(keys, example).await,
            Self::Zoho(source) => source.confirm(keys, example).await,
        }
    }

    /// Whether a row is read in two steps: the list says whether it has changed, and [`Self::complete`] what it is now.
    pub fn has_details(&self) -> bool {
        match self {
            Self::Odoo(_) => false,
            Self::Zoho(source) => source.has_details(),
        }
    }

    /// What tells whether a row has changed: the mapped values, or, where they are read in two steps, what the list has of
    /// them and the time of the change.
    pub(crate) fn checksum(&self, row: &SourceRow) -> Checksum {
        let mapping = self.mapping();
        if !self.has_details() {
            return mapping.checksum_of(&row.values);
        }
        let mut seen: Values = mapping
            .source_fields()
            .into_iter()
            .filter_map(|field| Some((field.to_owned(), row.values.get(field)?.clone())))
            .collect();
        seen.insert("last_modified_time".to_owned(), row.time.clone().into());
        Checksum::of_values(mapping.checksum(), &seen)
    }

    /// Rows with what their details say; those that the source no longer has are left out.
    pub async fn complete(&self, rows: Vec<SourceRow>) -> Result<Vec<SourceRow>, Failure> {
        match self {
            Self::Odoo(_) => Ok(rows),
            Self::Zoho(source) => source.complete(rows).await,
        }
    }

    /// Records by key; those that the source no longer has are left out.
    pub async fn by_key(&self, keys: &[RecordKey]) -> Result<Vec<SourceRow>, Failure> {
        match self {
            Self::Odoo(source) => source.by_key(keys).await,
            Self::Zoho(source) => source.by_key(keys).await,
        }
    }
}
