//! Pipelines: what is read, what it becomes and where it goes.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::mapping::{Origin, SourceColumn};
use crate::odoo::OdooClient;
use crate::record::{PipelineName, Values};
use crate::zoho::ZohoEntity;

/// A named (source entity -> sink entity) pair with a mapping.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: PipelineName,
    /// Where its records come from.
    pub source: SourceConfig,
    /// Where they go.
    pub sink: SinkConfig,
    /// When runs are due, unless an operator has set something else in the state.
    pub rhythm: Rhythm,
    /// What becomes of records that the source no longer has.
    pub sweep: Sweep,
}

/// What becomes of records that the source no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// What the sink does with them.
    pub gone: Gone,
    /// So many percent of the known records may be gone at once; of more, nothing is done. See [`Sweep::limit`].
    pub at_most_percent: u8,
    /// A record that is there and is no longer among those that are read counts as gone, too.
    pub left_is_gone: bool,
}

/// What the sink does with records that the source no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gone {
    /// Nothing.
    Keep,
    /// Odoo archives them.
    Archive,
    /// They stay in the file with `"_deleted": true`.
    Mark,
    /// They are taken out of the file.
    Remove,
}

impl Sweep {
    /// How many of so many known records may be gone at once: the percentage, rounded down, and one at least, so that a
    /// shop of five products can lose one. None at 0 percent.
    pub fn limit(&self, known: u64) -> u64 {
        match self.at_most_percent {
            0 => 0,
            percent => (u128::from(known) * u128::from(percent) / 100).try_into().unwrap_or(u64::MAX).max(1),
        }
    }
}

/// How long after the begin of a run the next one of its kind is due. Elapsed time: neither time zones nor daylight
/// saving move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Runs over what changed.
    pub every: Duration,
    /// Runs that compare every record with what is wanted; `None`: never by themselves.
    pub compare_every: Option<Duration>,
    /// Runs that compare every record with what the sink really holds; `None`: never by themselves.
    pub full_every: Option<Duration>,
    /// Runs that also look for what the source no longer has; `None`: never by themselves.
    pub sweep_every: Option<Duration>,
}

impl Pipeline {
    /// Whether images of the source are brought to the sink.
    pub fn takes_images(&self) -> bool {
        matches!(&self.sink, SinkConfig::Odoo(target) if target.images)
    }

    /// Whether an image that the source no longer has is taken from the sink.
    pub fn clears_images(&self) -> bool {
        matches!(&self.sink, SinkConfig::Odoo(target) if target.image_removed == ImageRemoved::Clear)
    }

    /// Whether only one process at a time may write the sink: a file.
    pub(crate) fn has_one_writer(&self) -> bool {
        matches!(self.sink, SinkConfig::Json(_))
    }
}

/// Where records come from.
#[derive(Debug, Clone)]
pub enum SourceConfig {
    /// An Odoo model.
    Odoo(OdooEntity),
    /// Items or contacts of a Zoho organisation.
    Zoho(ZohoEntity),
}

impl SourceConfig {
    /// Whether only some of the source's records are read.
    pub(crate) fn is_selection(&self) -> bool {
        match self {
            Self::Odoo(entity) => !entity.domain.is_empty(),
            Self::Zoho(entity) => entity.contact_type.is_some(),
        }
    }

    /// How far a window reaches back behind the cursor.
    pub fn overlap(&self) -> Duration {
        match self {
            Self::Odoo(entity) => entity.overlap,
            Self::Zoho(entity) => entity.overlap,
        }
    }
}

/// Where records go.
#[derive(Debug, Clone, PartialEq)]
pub enum SinkConfig {
    /// A JSON file.
    Json(JsonFile),
    /// Records of an Odoo model.
    Odoo(OdooTarget),
}

/// Records of one Odoo model.
#[derive(Debug, Clone, PartialEq)]
pub struct OdooEntity {
    /// Name of the server in [`super::Config::odoo`].
    pub server: String,
    /// The model.
    pub model: String,
    /// What is read and what it becomes.
    pub columns: Vec<SourceColumn>,
    /// Restricts the records, an Odoo domain.
    pub domain: Vec<Value>,
    /// How far a window reaches back behind the cursor.
    pub overlap: Duration,
    /// Rows in one call.
    pub page_size: usize,
}

/// A JSON file and its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonFile {
    /// The visible file.
    pub path: PathBuf,
    /// How records are laid out in it.
    pub format: JsonFormat,
}

/// How records are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonFormat {
    /// One JSON array.
    Json,
    /// One record a line.
    Jsonl,
}

/// Records of an Odoo model that are kept in step with a source.
#[derive(Debug, Clone, PartialEq)]
pub struct OdooTarget {
    /// Name of the server in [`super::Config::odoo`].
    pub server: String,
    /// The model, such as `product.product`.
    pub model: String,
    /// First part of our external ids.
    pub prefix: String,
    /// What the source calls the records: external ids are `<prefix>.<entity>_<record key>`.
    pub entity: String,
    /// Columns by which a record without our external id is found, in this order.
    pub match_by: Vec<String>,
    /// Odoo context of each call over the server's own.
    pub context: Values,
    /// New products are storable, in the form of the server's version.
    pub storable: bool,
    /// Images of the records are kept in step too.
    pub images: bool,
    /// What becomes of an image in Odoo that the source no longer has.
    pub image_removed: ImageRemoved,
    /// Quality of a JPEG that is made smaller for the sink, 1 to 100.
    pub image_quality: u8,
}

/// What becomes of an image in the sink that was brought there and that the source no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageRemoved {
    /// It stays.
    #[default]
    Keep,
    /// It is taken away.
    Clear,
}

impl OdooTarget {
    /// Names the sink in the state.
    pub fn identity(&self, client: &OdooClient) -> String {
        let Self { model, prefix, entity, .. } = self;
        format!("{}/{model}/{prefix}.{entity}", client.identity())
    }

    /// A source with the columns that depend on the sink's version: how a storable product is spelt.
    pub fn completed(&self, source: &SourceConfig, major: u32) -> SourceConfig {
        match source {
            SourceConfig::Zoho(entity) if self.storable => {
                let mut columns = entity.columns.clone();
                columns.extend(storable(major));
                SourceConfig::Zoho(ZohoEntity { columns, ..entity.clone() })
            }
            source => source.clone(),
        }
    }
}

/// `type = product` up to Odoo 17, `type = consu` with `is_storable` from 18 on (measured).
fn storable(major: u32) -> Vec<SourceColumn> {
    let constant = |name: &str, value: Value| SourceColumn::new(name, Origin::Constant(value), false);
    if major < 18 {
        vec![constant("type", "product".into())]
    } else {
        vec![constant("type", "consu".into()), constant("is_storable", true.into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_may_be_gone_at_once_and_one_of_a_few() {
        let limit = |at_most_percent, known| {
            Sweep { gone: Gone::Archive, at_most_percent, left_is_gone: false }.limit(known)
        };
        for (known, most) in
            [(1, 1), (5, 1), (19, 1), (20, 2), (29, 2), (2_075, 207), (u64::MAX, u64::MAX / 10)]
        {
            assert_eq!(limit(10, known), most, "{known}");
        }
        assert_eq!((limit(0, 1_000), limit(100, 7), limit(1, 50)), (0, 7, 1));
    }
}
