//! Reading a plan's file, a record at a time.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use shared::checksum::Checksum;
use shared::failure::Failure;
use shared::record::RecordKey;

use super::change::{Action, Change, FORMAT, Head};

/// A pipeline of a plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) head: Head,
    /// What is to be applied: some 150 bytes a record, whatever its fields.
    pub(crate) records: HashMap<RecordKey, PlannedRecord>,
    /// Records that would fail: nothing can be done for them.
    pub(crate) failing: u64,
}

/// A record of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlannedRecord {
    /// Of its whole change.
    pub(crate) digest: Checksum,
    /// Of what the source had.
    pub(crate) source: Checksum,
}

/// The checksum of a change.
pub(crate) fn digest(change: &Change) -> Checksum {
    Checksum::of_value(&serde_json::to_value(change).unwrap_or_default())
}

/// Reads the plan of a file.
///
/// # Errors
/// `Reason::Configuration`: it cannot be read, is none of ours, of another format, or cut off.
pub(crate) fn read(path: &Path) -> Result<Vec<Planned>, Failure> {
    let shown = path.display();
    let unread = |error: std::io::Error| {
        Failure::configuration(format!("cannot read the plan {shown}"))
            .advise("make one with `catalog-sync plan --out plan.json`")
            .because(error)
    };
    let file = File::open(path).map_err(unread)?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(file));
    let planned = (&mut json).deserialize_map(Document).and_then(|planned| json.end().map(|()| planned));
    planned.map_err(|error| {
        Failure::configuration(format!("{shown} is no plan that can be applied: {error}"))
            .advise("make it anew with `catalog-sync plan --out plan.json`")
    })
}

struct Document;

impl<'de> Visitor<'de> for Document {
    type Value = Vec<Planned>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut format, mut planned) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "format" => {
                    let found = map.next_value::<u32>()?;
                    if found != FORMAT {
                        return Err(A::Error::custom(format!(
                            "it has format {found}, and this version applies format {FORMAT}"
                        )));
                    }
                    format = Some(found);
                }
                "pipelines" if format.is_some() => planned = Some(map.next_value_seed(Pipelines)?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        planned.ok_or_else(|| A::Error::custom("it has no format, or no pipelines after it"))
    }
}

struct Pipelines;

impl<'de> DeserializeSeed<'de> for Pipelines {
    type Value = Vec<Planned>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Pipelines {
    type Value = Vec<Planned>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pipelines of a plan")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(planned) = list.next_element_seed(Pipeline)? {
            all.push(planned);
        }
        Ok(all)
    }
}

struct Pipeline;

impl<'de> DeserializeSeed<'de> for Pipeline {
    type Value = Planned;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pipeline {
    type Value = Planned;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pipeline of a plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        let mut changes = Changes { records: HashMap::new(), failing: 0 };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "changes" => map.next_value_seed(&mut changes)?,
                "totals" => drop(map.next_value::<IgnoredAny>()?),
                _ => drop(fields.insert(key, map.next_value()?)),
            }
        }
        let head = serde_json::from_value(Value::Object(fields)).map_err(A::Error::custom)?;
        let Changes { records, failing } = changes;
        Ok(Planned { head, records, failing })
    }
}

struct Changes {
    records: HashMap<RecordKey, PlannedRecord>,
    failing: u64,
}

impl<'de> DeserializeSeed<'de> for &mut Changes {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Changes {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the changes of a plan")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(change) = list.next_element::<Change>()? {
            match (change.action, change.source) {
                (Action::Fail, _) => self.failing += 1,
                (_, Some(source)) => {
                    let planned = PlannedRecord { digest: digest(&change), source };
                    self.records.insert(change.record, planned);
                }
                // An image that is outstanding already: nothing of its record is to be applied.
                (Action::Download, None) => {}
                (_, None) => {
                    let what = format!("record {} says nothing of its source", change.record);
                    return Err(A::Error::custom(what));
                }
            }
        }
        Ok(())
    }
}
