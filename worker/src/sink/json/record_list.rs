//! The forms of JSON that hold records, for a parser that reads them one by one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::capped::Allowance;
use super::foreign::Records;

/// An array of records.
pub(super) struct RecordList<'a, 'b>(pub(super) &'a mut Records<'b>);

impl<'de> DeserializeSeed<'de> for RecordList<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordList<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(text) = list.next_element::<Box<RawValue>>()? {
            self.0.take(&text)?;
        }
        Ok(())
    }
}

/// An object around the list of records.
pub(super) struct Wrapper<'a, 'b>(pub(super) &'a mut Records<'b>);

impl<'de> DeserializeSeed<'de> for Wrapper<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wrapper<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key::<String>()?.is_some() {
            self.0.allowance.renew();
            fields.next_value_seed(ListOrNot::Read(&mut *self.0))?;
        }
        Ok(())
    }
}

/// Any value; a list among them is given to the records, or only recognised. Anything else is skipped.
enum ListOrNot<'a, 'b> {
    Read(&'a mut Records<'b>),
    Skip(&'a Allowance),
}

impl<'de> DeserializeSeed<'de> for ListOrNot<'_, '_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ListOrNot<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        match self {
            Self::Read(records) => RecordList(records).visit_seq(list)?,
            Self::Skip(allowance) => {
                while list.next_element::<IgnoredAny>()?.is_some() {
                    allowance.renew();
                }
            }
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// What the first object of a file holds.
pub(super) struct Fields {
    /// Whether there is a field `id`.
    pub(super) id: bool,
    /// How many fields hold a list.
    pub(super) lists: u32,
}

pub(super) struct FieldsVisitor<'a>(pub(super) &'a Allowance);

impl<'de> Visitor<'de> for FieldsVisitor<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Fields, A::Error> {
        let mut found = Fields { id: false, lists: 0 };
        while let Some(name) = fields.next_key::<String>()? {
            self.0.renew();
            found.id |= name == "id";
            found.lists += u32::from(fields.next_value_seed(ListOrNot::Skip(self.0))?);
        }
        Ok(found)
    }
}
