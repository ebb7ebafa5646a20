//! Forms that a mapped value can be brought to.

use serde_json::{Value, json};

use crate::decimal::Decimal;

/// What a value is turned into. Empty ones (null, empty text) stay empty, but an empty flag is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A number; no step of it goes through a float.
    Decimal {
        /// What it is multiplied by, such as `0.01` for a price in cents.
        times: Option<Decimal>,
        /// Places that it is rounded to, halves away from zero as Odoo does.
        places: Option<u32>,
    },
    /// True or false.
    Flag,
    /// Text in parts, without blanks around them; what is a list already stays one.
    List {
        /// What stands between two of them.
        split: String,
    },
}

impl Form {
    /// A value in this form; the error says what is wrong with the value, in words that end before the column.
    pub(super) fn of(&self, value: Value) -> Result<Value, String> {
        let text = match &value {
            Value::String(text) => text.trim().to_owned(),
            value => value.to_string(),
        };
        let is_empty = value.is_null() || text.is_empty();
        match self {
            Self::Flag => flag(&text, is_empty),
            Self::List { .. } if is_empty => Ok(Value::Array(Vec::new())),
            Self::List { split } => list(value, split),
            Self::Decimal { .. } if is_empty => Ok(value),
            Self::Decimal { times, places } => {
                let number = Decimal::parse(&text).ok_or_else(|| wrong(&text, "number such as 12.50"))?;
                let number = match times {
                    Some(times) => number.times(times).ok_or_else(|| wrong(&text, "number of usual size"))?,
                    None => number,
                };
                let number = places.map_or_else(|| number.clone(), |places| number.rounded(places));
                serde_json::from_str(&number.to_string()).map_err(|_| wrong(&text, "number"))
            }
        }
    }

    /// For the mapping's checksum.
    pub(super) fn describe(&self) -> Value {
        match self {
            Self::Decimal { times, places } => {
                json!(["decimal", times.as_ref().map(ToString::to_string), places])
            }
            Self::Flag => json!(["flag"]),
            Self::List { split } => json!(["list", split]),
        }
    }
}

fn flag(text: &str, is_empty: bool) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Ok(true.into()),
        "false" | "no" | "n" | "off" | "0" => Ok(false.into()),
        _ if is_empty => Ok(false.into()),
        _ => Err(wrong(text, "yes or no")),
    }
}

/// Each part once, in their order.
fn list(value: Value, split: &str) -> Result<Value, String> {
    let text = match value {
        Value::Array(_) => return Ok(value),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        other => return Err(wrong(&other.to_string(), "list or text")),
    };
    let mut parts: Vec<Value> = Vec::new();
    for part in text.split(split).map(str::trim).filter(|part| !part.is_empty()).map(Value::from) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    Ok(Value::Array(parts))
}

fn wrong(text: &str, takes: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("has '{shown}', which is no {takes}, where")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_multiplied_then_rounded() {
        let form = |times: Option<&str>, places| Form::Decimal {
            times: times.map(|text| Decimal::parse(text).unwrap()),
            places,
        };
        for (times, places, value, expected) in [
            (Some("0.01"), None, json!(1999), "19.99"),
            (Some("1.19"), Some(2), json!("12.50"), "14.88"),
            (None, Some(0), json!("2.5"), "3"),
            (None, Some(2), json!(null), "null"),
            (None, Some(2), json!(""), "\"\""),
        ] {
            assert_eq!(form(times, places).of(value).unwrap().to_string(), expected);
        }
        assert!(form(None, Some(2)).of(json!("12,50")).unwrap_err().contains("'12,50'"));
    }

    #[test]
    fn texts_are_split_into_lists() {
        let form = Form::List { split: ",".to_owned() };
        for (value, list) in [
            (json!(" red, blue ,,red"), json!(["red", "blue"])),
            (json!(["a, b"]), json!(["a, b"])),
            (json!(7), json!(["7"])),
            (json!(""), json!([])),
            (json!(null), json!([])),
        ] {
            assert_eq!(form.of(value).unwrap(), list);
        }
        assert!(form.of(json!({"a": 1})).unwrap_err().contains("no list or text"));
    }

    #[test]
    fn flags_are_read_in_the_ways_people_write_them() {
        for (value, flag) in [
            (json!("Yes"), true),
            (json!(1), true),
            (json!(false), false),
            (json!(""), false),
            (json!(null), false),
        ] {
            assert_eq!(Form::Flag.of(value).unwrap(), flag);
        }
        assert!(Form::Flag.of(json!("maybe")).unwrap_err().contains("'maybe'"));
    }
}
