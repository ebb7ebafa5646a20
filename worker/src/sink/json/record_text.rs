//! The text of one record as it stands in the file, with its id and hash.

use std::sync::LazyLock;

use serde_json::Value;
use shared::checksum::Checksum;
use shared::failure::{Failure, Reason};
use shared::record::{RecordKey, Values};

use super::entry::{ContentHash, REMOVED};

/// The longest text of one record, in bytes: bounds the memory that a record can take.
#[cfg(not(test))]
pub(super) const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;
#[cfg(test)]
pub(super) const MAX_RECORD_BYTES: usize = 256 * 1024;

/// The field of a record in the file that its source no longer has, where such records are marked.
pub(super) const DELETED: &str = "_deleted";

/// One row to write.
#[derive(Debug, Clone, Copy)]
pub struct JsonRow<'a> {
    /// The key of the record: its id in decimal digits.
    pub key: &'a RecordKey,
    /// The mapped values; `id` must be there and equal the key.
    pub values: &'a Values,
}

/// A checked record.
#[derive(Debug)]
pub(super) struct RecordText {
    pub(super) id: u64,
    pub(super) hash: ContentHash,
    /// One line of JSON.
    pub(super) text: String,
}

impl RecordText {
    /// A row that is to be written. A failure is that row's own.
    pub(super) fn of_row(row: &JsonRow<'_>) -> Result<Self, Failure> {
        let bad = |what: String| {
            Failure::permanent(Reason::BadRecord, what)
                .advise("map the source's numeric id to the field 'id' of the JSON records")
        };
        let id = record_id(row.values).map_err(|why| bad(format!("record {}: {why}", row.key)))?;
        if id.to_string() != row.key.as_str() {
            return Err(bad(format!("record {} has the id {id}", row.key)));
        }
        let text = serde_json::to_string(row.values)
            .map_err(|error| bad(format!("record {} cannot be written as JSON", row.key)).because(error))?;
        if text.len() > MAX_RECORD_BYTES {
            return Err(Failure::permanent(
                Reason::BadRecord,
                format!("record {} has {} bytes, more than {MAX_RECORD_BYTES}", row.key, text.len()),
            )
            .advise("leave the large field out of the mapping"));
        }
        Ok(Self { id, hash: content_hash(row.values), text })
    }

    /// In place of a record: it is not to be in the file any more.
    pub(super) fn removed(id: u64) -> Self {
        Self { id, hash: REMOVED, text: String::new() }
    }

    /// The record with the mark that its source no longer has it; `None` where it has the mark. The error says why it is
    /// no record.
    pub(super) fn marked(id: u64, text: &[u8]) -> Result<Option<Self>, String> {
        let mut values: Values =
            serde_json::from_slice(text).map_err(|error| format!("it is no record: {error}"))?;
        let found = record_id(&values)?;
        if found != id {
            return Err(format!("it is record {found}"));
        }
        if values.insert(DELETED.to_owned(), Value::Bool(true)) == Some(Value::Bool(true)) {
            return Ok(None);
        }
        let text = serde_json::to_string(&values).map_err(|error| error.to_string())?;
        Ok(Some(Self { id, hash: content_hash(&values), text }))
    }

    /// A record of a file that is there already; the error says why it is none. The text is kept as it is, but for
    /// line breaks: one record is one line.
    pub(super) fn of_text(text: &str) -> Result<Self, String> {
        let Value::Object(values) =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?
        else {
            return Err("it is no object".to_owned());
        };
        Ok(Self { id: record_id(&values)?, hash: content_hash(&values), text: one_line(text) })
    }
}

/// The id of a record: a whole number from 0 to 2^64-1, or such a number in digits as text.
fn record_id(values: &Values) -> Result<u64, String> {
    let digits = match values.get("id") {
        None => return Err("it has no 'id'".to_owned()),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => return Err(format!("its 'id' is {}, not a number", kind(other))),
    };
    // `parse` alone would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its 'id' is no whole number in plain digits".to_owned());
    }
    digits.parse().map_err(|_| "its 'id' is no whole number below 2^64".to_owned())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Array(_) => "a list",
        _ => "an object",
    }
}

pub(super) fn content_hash(values: &Values) -> ContentHash {
    // `of_value` wants an owned `Value::Object`; a fixed first part gives the same without a copy of every record.
    static FIXED: LazyLock<Checksum> = LazyLock::new(|| Checksum::of_value(&Value::Null));
    let sum = Checksum::of_values(&FIXED, values);
    sum.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Takes the white space between tokens out of valid JSON that spans lines.
fn one_line(text: &str) -> String {
    if !text.contains(['\n', '\r']) {
        return text.to_owned();
    }
    let (mut in_text, mut escaped) = (false, false);
    text.chars()
        .filter(|letter| {
            if in_text {
                in_text = escaped || *letter != '"';
                escaped = !escaped && *letter == '\\';
                return true;
            }
            in_text = *letter == '"';
            !letter.is_ascii_whitespace()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(key: &str, values: &str) -> Result<RecordText, Failure> {
        let key = key.parse().unwrap();
        let values = serde_json::from_str(values).unwrap();
        RecordText::of_row(&JsonRow { key: &key, values: &values })
    }

    #[test]
    fn ids_are_numbers_or_digits_that_equal_the_key() {
        for (key, values) in [
            ("7", r#"{"id":7}"#),
            ("7", r#"{"name":"x","id":"7"}"#),
            ("18446744073709551615", r#"{"id":18446744073709551615}"#),
        ] {
            let record = of(key, values).unwrap();
            assert_eq!(record.id.to_string(), key);
            assert_eq!(record.text, values);
        }
        for (key, values) in [
            ("7", r#"{"id":8}"#),
            ("7", r#"{"name":"x"}"#),
            ("7", r#"{"id":7.0}"#),
            ("7", r#"{"id":"+7"}"#),
            ("7", r#"{"id":""}"#),
            ("7", r#"{"id":false}"#),
            ("7", r#"{"id":[7]}"#),
            ("-7", r#"{"id":-7}"#),
            ("007", r#"{"id":"007"}"#),
            ("18446744073709551616", r#"{"id":18446744073709551616}"#),
        ] {
            let failure = of(key, values).unwrap_err();
            assert_eq!(failure.reason, Reason::BadRecord, "{values}");
            assert_eq!(failure.class, shared::failure::Class::Permanent);
            assert!(failure.what().contains(key), "{failure}");
        }
    }

    #[test]
    fn a_record_over_several_lines_becomes_one_line_and_nothing_else_changes() {
        let pretty = "{\r\n  \"id\": 1.0e0 ,\n \"a b\": \"x  \\\" \\\\\" ,\n\t\"c\" : \"\\u00e9 \\n\" }";
        assert_eq!(one_line(pretty), r#"{"id":1.0e0,"a b":"x  \" \\","c":"\u00e9 \n"}"#);
        let spaced = r#"{"id": 1, "a": "x"}"#;
        assert_eq!(one_line(spaced), spaced);
    }

    proptest! {
        #[test]
        fn pretty_text_becomes_the_compact_text(name in ".*", key in "[a-z\"\\\\ ]{1,5}", number: i64) {
            let value = serde_json::json!({"id": 1, key: [name, number, {"x": null}]});
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(one_line(&pretty), serde_json::to_string(&value).unwrap());
        }
    }
}
