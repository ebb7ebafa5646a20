//! A stored column value.

use serde_json::Value as Json;

use crate::odoo::stamp::Stamp;

/// What a column holds. Binary content lives in attachments, never in a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    /// A text in `en_US`, and in the languages that have one of their own, by code. Never seen outside the tables.
    Translated(Box<str>, Box<[(Box<str>, Box<str>)]>),
    Stamp(Stamp),
    Ids(Box<[i64]>),
}

impl Value {
    pub(crate) fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn ids(ids: &[i64]) -> Self {
        Self::Ids(ids.into())
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn as_ids(&self) -> &[i64] {
        if let Self::Ids(ids) = self { ids } else { &[] }
    }

    pub(crate) fn as_stamp(&self) -> Option<Stamp> {
        if let Self::Stamp(stamp) = self { Some(*stamp) } else { None }
    }

    /// Python's idea of truth.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) | Self::Translated(text, _) => !text.is_empty(),
            Self::Stamp(_) => true,
            Self::Ids(ids) => !ids.is_empty(),
        }
    }
}

/// Python's truth of a JSON value.
pub(crate) fn is_truthy(json: &Json) -> bool {
    match json {
        Json::Null => false,
        Json::Bool(flag) => *flag,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty(),
    }
}

/// Python's `repr`, as it appears in Odoo's error messages.
pub(crate) fn repr(json: &Json) -> String {
    match json {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => repr_text(text),
        Json::Array(items) => format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{}: {}", repr_text(name), repr(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// Python's `repr` of a string: single quotes unless only those occur in it.
pub(crate) fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            other if other == quote => out.extend(['\\', other]),
            other => out.push(other),
        }
    }
    out.push(quote);
    out
}

/// Half away from zero at so many decimals, as Odoo's `float_round` does for the values seen in catalogues.
pub(crate) fn round(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    // The epsilon lifts 12.345, which is stored a hair below, over the half.
    let scaled = number * scale;
    let lifted = scaled.abs() + scaled.abs() * f64::EPSILON * 2.0;
    (lifted + 0.5).floor().copysign(scaled) / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_half_away_from_zero() {
        for (number, expected) in
            [(12.345, 12.35), (-3.0, -3.0), (1.23456, 1.23), (0.005, 0.01), (-0.015, -0.02)]
        {
            assert!((round(number, 2) - expected).abs() < 1e-12, "{number}");
        }
    }

    #[test]
    fn repr_is_pythons() {
        let json = serde_json::json!(["name", "=", "it's", null, true, 1.5]);
        assert_eq!(repr(&json), r#"['name', '=', "it's", None, True, 1.5]"#);
    }
}
