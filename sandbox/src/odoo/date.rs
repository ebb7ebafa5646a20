//! How each release compares a datetime column with what a domain gives it.
//!
//! Measured on Odoo 17, 18 and 19. Columns keep microseconds while answers show whole seconds, and 19 compares by
//! whole seconds while 17 and 18 compare by microseconds, so `>` and `=` differ between them.

use serde_json::Value as Json;

use crate::odoo::domain::Op;
use crate::odoo::error::OdooError;
use crate::odoo::settings::OdooVersion;
use crate::odoo::stamp::{DAY, SECOND, Stamp};
use crate::odoo::value::repr;

/// A compiled comparison: half-open ranges of microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateTest {
    ranges: Vec<(i64, i64)>,
    /// What an empty column answers.
    null: bool,
    negated: bool,
}

impl DateTest {
    pub(crate) fn new(version: OdooVersion, op: Op, operand: &Json) -> Result<Self, OdooError> {
        let negated = matches!(op, Op::NotEqual | Op::NotIn);
        let operands = match operand {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut test = Self { ranges: Vec::new(), null: negated, negated };
        for operand in operands {
            if matches!(operand, Json::Bool(false) | Json::Null) {
                if matches!(op, Op::Equal | Op::In | Op::NotEqual | Op::NotIn) {
                    test.null = !negated;
                }
                continue;
            }
            test.ranges.push(range(version, op, operand)?);
        }
        Ok(test)
    }

    pub(crate) fn accepts(&self, stamp: Option<Stamp>) -> bool {
        let Some(Stamp(micros)) = stamp else {
            return self.null;
        };
        let inside = self.ranges.iter().any(|(from, to)| (*from..*to).contains(&micros));
        inside != self.negated
    }
}

fn range(version: OdooVersion, op: Op, operand: &Json) -> Result<(i64, i64), OdooError> {
    let (stamp, date_only) = read(version, operand)?;
    let range = if version >= OdooVersion::V19 {
        // A date alone means its whole day, any other value its whole second.
        let from = stamp.whole_second().0;
        let to = from + if date_only { DAY } else { SECOND };
        match op {
            Op::Greater => (to, i64::MAX),
            Op::GreaterEqual => (from, i64::MAX),
            Op::Less => (i64::MIN, from),
            Op::LessEqual => (i64::MIN, to),
            _ => (from, from + SECOND),
        }
    } else {
        let last_second =
            if date_only && matches!(op, Op::Greater | Op::LessEqual) { DAY - SECOND } else { 0 };
        let at = stamp.0 + last_second;
        match op {
            Op::Greater => (at + 1, i64::MAX),
            Op::GreaterEqual => (at, i64::MAX),
            Op::Less => (i64::MIN, at),
            Op::LessEqual => (i64::MIN, at + 1),
            _ => (at, at + 1),
        }
    };
    Ok(range)
}

fn read(version: OdooVersion, operand: &Json) -> Result<(Stamp, bool), OdooError> {
    let modern = version >= OdooVersion::V19;
    let Json::String(text) = operand else {
        return Err(if modern {
            OdooError::value(format!("Failed to cast {} into a datetime", repr(operand)))
        } else {
            out_of_range(&repr(operand))
        });
    };
    let (plain, zone) = split_zone(text);
    if modern {
        if text.is_empty() {
            return Err(OdooError::value("Empty date value"));
        }
        if zone && Stamp::parse(plain).is_some() {
            let message = format!("expecting only datetimes with no timezone: {}", repr(operand));
            return Err(OdooError::value(message));
        }
        let term = text.split_whitespace().next().unwrap_or(text);
        let garbage =
            || OdooError::value(format!("Invalid term '{term}' in expression date: {}", repr(operand)));
        return Stamp::parse(text).map(|stamp| (stamp, text.len() == 10)).ok_or_else(garbage);
    }
    // PostgreSQL ignores the zone of a literal for a column without one.
    Stamp::parse(plain).map(|stamp| (stamp, text.len() == 10)).ok_or_else(|| {
        let message =
            format!("invalid input syntax for type timestamp: \"{text}\"\nLINE 1: ...'{text}')...\n");
        OdooError::new("psycopg2.errors.InvalidDatetimeFormat", message)
    })
}

fn out_of_range(text: &str) -> OdooError {
    let message = format!(
        "date/time field value out of range: \"{text}\"\nLINE 1: ...'{text}')...\nHINT:  Perhaps you need a different \
         \"datestyle\" setting.\n"
    );
    OdooError::new("psycopg2.errors.DatetimeFieldOverflow", message)
}

/// Cuts a trailing `Z` or `+hh:mm` off and says whether there was one.
fn split_zone(text: &str) -> (&str, bool) {
    if let Some(plain) = text.strip_suffix('Z') {
        return (plain, true);
    }
    let Some((plain, zone)) = text.len().checked_sub(6).and_then(|at| text.split_at_checked(at)) else {
        return (text, false);
    };
    let signed = zone.starts_with(['+', '-']) && plain.len() > 10 && zone.get(3..4) == Some(":");
    if signed { (plain, true) } else { (text, false) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hits(version: OdooVersion, op: Op, operand: &Json) -> String {
        let test = DateTest::new(version, op, operand).unwrap();
        let rows = [("A", "2025-10-11 10:00:00"), ("B", "2025-10-11 10:00:00.7")];
        rows.iter().filter(|(_, text)| test.accepts(Stamp::parse(text))).map(|(name, _)| *name).collect()
    }

    #[test]
    fn releases_disagree_about_fractions() {
        for (op, operand, old, new) in [
            (Op::Greater, "2025-10-11 10:00:00", "B", ""),
            (Op::GreaterEqual, "2025-10-11 10:00:00", "AB", "AB"),
            (Op::Equal, "2025-10-11 10:00:00", "A", "AB"),
            (Op::In, "2025-10-11 10:00:00", "A", "AB"),
            (Op::LessEqual, "2025-10-11 10:00:00", "A", "AB"),
            (Op::Less, "2025-10-11 10:00:01", "AB", "AB"),
            (Op::Equal, "2025-10-11 10:00:00.7", "B", "AB"),
            (Op::Greater, "2025-10-11 10:00:00.5", "B", ""),
            (Op::Greater, "2025-10-11 10:00:00.999999", "", ""),
            (Op::Greater, "2025-10-11T09:12:05", "AB", "AB"),
            (Op::Greater, "2025-10-11", "", ""),
            (Op::LessEqual, "2025-10-11", "AB", "AB"),
            (Op::GreaterEqual, "2025-10-11", "AB", "AB"),
            (Op::Less, "2025-10-11", "", ""),
        ] {
            assert_eq!(hits(OdooVersion::V17, op, &json!(operand)), old, "17: {op:?} {operand}");
            assert_eq!(hits(OdooVersion::V18, op, &json!(operand)), old, "18: {op:?} {operand}");
            assert_eq!(hits(OdooVersion::V19, op, &json!(operand)), new, "19: {op:?} {operand}");
        }
    }

    #[test]
    fn offsets_are_ignored_before_19_and_refused_by_it() {
        for (operand, old) in [
            ("2025-10-11 09:12:05+00:00", "AB"),
            ("2025-10-11 14:42:05+05:30", ""),
            ("2025-10-11 09:12:05Z", "AB"),
            ("2025-10-11T09:12:05Z", "AB"),
        ] {
            assert_eq!(hits(OdooVersion::V17, Op::Greater, &json!(operand)), old);
            let error = DateTest::new(OdooVersion::V19, Op::Greater, &json!(operand)).unwrap_err();
            assert_eq!(error.message, format!("expecting only datetimes with no timezone: '{operand}'"));
        }
    }

    #[test]
    fn false_matches_nothing_but_the_empty_column() {
        assert_eq!(hits(OdooVersion::V17, Op::Greater, &json!(false)), "");
        let unset = DateTest::new(OdooVersion::V19, Op::Equal, &json!(false)).unwrap();
        assert!(unset.accepts(None) && !unset.accepts(Some(Stamp(0))));
        let set = DateTest::new(OdooVersion::V17, Op::NotEqual, &json!(false)).unwrap();
        assert!(!set.accepts(None) && set.accepts(Some(Stamp(0))));
    }

    #[test]
    fn garbage_is_an_error_named_by_release() {
        let name = |version, operand: Json| DateTest::new(version, Op::Greater, &operand).unwrap_err().name;
        assert_eq!(name(OdooVersion::V18, json!("garbage")), "psycopg2.errors.InvalidDatetimeFormat");
        assert_eq!(name(OdooVersion::V18, json!("")), "psycopg2.errors.InvalidDatetimeFormat");
        assert_eq!(name(OdooVersion::V18, json!(1_760_173_925)), "psycopg2.errors.DatetimeFieldOverflow");
        for operand in [json!("garbage"), json!(""), json!(1_760_173_925)] {
            assert_eq!(name(OdooVersion::V19, operand), "builtins.ValueError");
        }
    }
}
