//! Canonical sha256 over mapped values: the same for the same content, whatever the order of keys and however a number
//! was written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::record::Values;

/// About what a record takes as canonical bytes.
const RECORD: usize = 1 << 10;

/// A sha256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum([u8; 32]);

/// Text that is not 64 hexadecimal digits, or bytes that are not 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 64 hexadecimal digits")]
pub struct InvalidChecksum;

impl Checksum {
    /// What is wanted of a record that its source no longer has, in place of the checksum of its values. No sha256 of
    /// anything that is known.
    pub const GONE: Self = Self(*b"gone from the source, all of it.");

    /// The checksum of mapped values. `mapping` is the checksum of the mapping itself, so that a changed mapping makes
    /// every record new.
    pub fn of_values(mapping: &Self, values: &Values) -> Self {
        Self::of_fields(mapping, values.iter().map(|(name, value)| (name.as_str(), value)).collect())
    }

    /// The same of values that stand in no object. No name may come twice.
    pub(crate) fn of_fields(mapping: &Self, fields: Vec<(&str, &Value)>) -> Self {
        let mut bytes = Vec::with_capacity(RECORD);
        bytes.extend(mapping.0);
        write_fields(&mut bytes, fields);
        Self(Sha256::digest(&bytes).into())
    }

    /// The checksum of one JSON value.
    pub fn of_value(value: &Value) -> Self {
        let mut bytes = Vec::with_capacity(RECORD);
        write_value(&mut bytes, value);
        Self(Sha256::digest(&bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Checksum {
    type Error = InvalidChecksum;
    fn try_from(bytes: &[u8]) -> Result<Self, InvalidChecksum> {
        Ok(Self(bytes.try_into().map_err(|_| InvalidChecksum)?))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Checksum {
    type Err = InvalidChecksum;
    fn from_str(text: &str) -> Result<Self, InvalidChecksum> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        // `from_str_radix` alone would take a sign.
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(InvalidChecksum);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| InvalidChecksum)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidChecksum)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Checksum {
    type Error = InvalidChecksum;
    fn try_from(text: String) -> Result<Self, InvalidChecksum> {
        text.parse()
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

/// Every value is written with a tag and, where its length is not fixed, a length in front: no two different values
/// give the same bytes. Hashed as a whole: a hasher that is told piece by piece takes twice the time.
fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(false) => out.push(b'f'),
        Value::Bool(true) => out.push(b't'),
        Value::Number(number) => {
            out.push(b'd');
            let length_at = out.len();
            out.extend([0; 8]);
            let start = out.len();
            write_number(out, number.as_str());
            let length = (out.len() - start) as u64;
            if let Some(place) = out.get_mut(length_at..start) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        Value::String(text) => write_text(out, b's', text),
        Value::Array(items) => {
            out.push(b'a');
            out.extend((items.len() as u64).to_be_bytes());
            for item in items {
                write_value(out, item);
            }
        }
        Value::Object(fields) => {
            write_fields(out, fields.iter().map(|(name, value)| (name.as_str(), value)).collect());
        }
    }
}

fn write_fields(out: &mut Vec<u8>, mut fields: Vec<(&str, &Value)>) {
    fields.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'o');
    out.extend((fields.len() as u64).to_be_bytes());
    for (name, value) in fields {
        write_text(out, b'k', name);
        write_value(out, value);
    }
}

fn write_text(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.push(tag);
    out.extend((text.len() as u64).to_be_bytes());
    out.extend(text.as_bytes());
}

/// A JSON number as `digits` `e` `exponent` without leading and trailing zeros: `10.50`, `1.05e1` and `10.5` are the
/// same, and no digit is lost to a float.
pub fn canonical_number(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 4);
    write_number(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}

fn write_number(out: &mut Vec<u8>, text: &str) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let start = out.len();
    if negative {
        out.push(b'-');
    }
    let first = out.len();
    out.extend(whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0'));
    let end = out.len();
    while out.len() > first && out.last() == Some(&b'0') {
        out.pop();
    }
    if out.len() == first {
        out.truncate(start);
        out.push(b'0');
        return;
    }
    let trailing = i128::try_from(end - out.len()).unwrap_or(0);
    let shift = trailing - i128::try_from(fraction.len()).unwrap_or(0);
    if let Some(exponent) = exponent.parse::<i128>().ok().and_then(|exponent| exponent.checked_add(shift)) {
        out.extend(format!("e{exponent}").as_bytes());
    } else {
        // An exponent of more than 38 digits: no remote system sends it, but two of them must not become equal.
        out.truncate(start);
        out.extend(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Values {
        serde_json::from_str(text).unwrap()
    }

    fn sum(text: &str) -> Checksum {
        Checksum::of_values(&Checksum([0; 32]), &values(text))
    }

    #[test]
    fn key_order_and_number_spelling_do_not_matter() {
        assert_eq!(
            sum(r#"{"a":1,"b":{"x":1.50,"y":[1e1]}}"#),
            sum(r#"{"b":{"y":[10.0],"x":15e-1},"a":1.0}"#)
        );
    }

    #[test]
    fn different_values_differ() {
        let texts = [
            r#"{"a":""}"#,
            r#"{"a":false}"#,
            r#"{"a":null}"#,
            r#"{"a":0}"#,
            r#"{"a":"0"}"#,
            r#"{"a":[]}"#,
            r#"{"a":{}}"#,
            r"{}",
            r#"{"a":["b","c"]}"#,
            r#"{"a":["bc"]}"#,
            r#"{"a":10}"#,
            r#"{"a":-10}"#,
            r#"{"a":0.1}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"a":9007199254740992}"#,
        ];
        let sums: std::collections::HashSet<_> = texts.iter().map(|text| sum(text)).collect();
        assert_eq!(sums.len(), texts.len());
    }

    /// Whoever updates has checksums in the state: another one for the same record would write everything again.
    #[test]
    fn checksums_stay_what_they_were() {
        let record = r#"{"name":"Tür","price":10.50,"big":1e999,"tags":[1,[-0.20,null]],"on":true,"of":{"b":0,"a":""}}"#;
        assert_eq!(
            sum(record).to_string(),
            "db0bf6f8272eff74e84d6cf1d1f4f0e8c7c9c01a1fc3fbad0f580316004d085a"
        );
    }

    #[test]
    fn a_changed_mapping_changes_every_checksum() {
        let fields = values(r#"{"a":1}"#);
        assert_ne!(
            Checksum::of_values(&Checksum([0; 32]), &fields),
            Checksum::of_values(&Checksum([1; 32]), &fields)
        );
    }

    #[test]
    fn text_is_64_hexadecimal_digits_and_nothing_else() {
        for text in ["", "ab", &"+a".repeat(32), &"é".repeat(32), &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(text.parse::<Checksum>(), Err(InvalidChecksum), "{text}");
        }
    }

    #[test]
    fn numbers_are_canonical_without_a_float() {
        for (text, canonical) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("0e9", "0"),
            ("10.50", "105e-1"),
            ("1.05E+1", "105e-1"),
            ("100", "1e2"),
            ("-0.001", "-1e-3"),
            ("9007199254740993", "9007199254740993e0"),
        ] {
            assert_eq!(canonical_number(text), canonical, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_and_its_shifted_spelling_are_equal(whole in -999_999_i64..999_999, zeros in 0_usize..5) {
            let padded = format!("{whole}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(canonical_number(&whole.to_string()), canonical_number(&padded));
        }

        #[test]
        fn hexadecimal_text_comes_back(bytes: [u8; 32]) {
            prop_assert_eq!(Checksum(bytes).to_string().parse::<Checksum>(), Ok(Checksum(bytes)));
        }
    }
}
