//! A mapped value, read as its column takes it: a cell, or what records are called that have yet to be found.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;
use shared::decimal::Decimal;
use shared::failure::{Failure, Reason};

use super::cell::Cell;
use super::column::{By, Column, Kind};

/// What a reference is called where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Called {
    /// By its name, complete name or code.
    Name(String),
    /// By an external id, with its module.
    ExternalId(String),
    /// By the database id.
    Id(i64),
    /// By a name that is one record's only among those of another record: a state of a country, by the country's id.
    Within(String, i64),
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "'{name}'"),
            Self::ExternalId(name) => write!(f, "with the external id '{name}'"),
            Self::Id(id) => write!(f, "with the id {id}"),
            Self::Within(name, _) => write!(f, "'{name}' of this country"),
        }
    }
}

/// A wanted value: ready, or one that names records which have to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Ready(Cell),
    /// Records of the column's model.
    Named(Vec<Called>),
}

impl Wanted {
    /// Reads a mapped value. `null`, `false` and empty text are empty.
    ///
    /// # Errors
    /// Permanent where the value is none that the field could hold.
    pub(super) fn of(column: &Column, value: &Value) -> Result<Self, Failure> {
        let is_empty = match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        let ready = |cell| Ok(Self::Ready(cell));
        match &column.kind {
            Kind::Flag => ready(Cell::Flag(!is_empty && flag(column, value)?)),
            Kind::Whole | Kind::Decimal(_) if is_empty => ready(Cell::Number(Decimal::default())),
            _ if is_empty => ready(Cell::Empty),
            Kind::Whole => {
                let number = decimal(column, value)?;
                if !number.is_whole() {
                    return Err(unfit(column, value, "a whole number"));
                }
                ready(Cell::Number(number))
            }
            Kind::Decimal(places) => {
                let number = decimal(column, value)?;
                ready(Cell::Number(places.map_or_else(|| number.clone(), |places| number.rounded(places))))
            }
            Kind::Text(size) => {
                let text = text(column, value)?;
                ready(Cell::Text(size.map_or_else(|| text.clone(), |size| text.chars().take(size).collect())))
            }
            Kind::Html | Kind::Website => ready(Cell::Text(text(column, value)?)),
            Kind::Choice(choices) => ready(choice(column, choices, value)?),
            Kind::Day => ready(day(column, value)?),
            Kind::Moment => ready(moment(column, value)?),
            Kind::Reference { by, .. } => match called(column, *by, value)?.as_slice() {
                [one] => Ok(Self::Named(vec![one.clone()])),
                _ => Err(unfit(column, value, "one record")),
            },
            Kind::References { by, .. } => Ok(Self::Named(called(column, *by, value)?)),
        }
    }
}

fn unfit(column: &Column, value: &Value, takes: &str) -> Failure {
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.len() < value.to_string().len() {
        shown.push('…');
    }
    Failure::permanent(
        Reason::BadRecord,
        format!("{} takes {takes}, not {shown} (column '{}')", column.label, column.name),
    )
    .advise("correct the record, or the mapping of this column")
}

fn flag(column: &Column, value: &Value) -> Result<bool, Failure> {
    let text = match value {
        Value::Bool(flag) => return Ok(*flag),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.to_ascii_lowercase(),
        _ => String::new(),
    };
    match text.as_str() {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        _ => Err(unfit(column, value, "true or false")),
    }
}

fn decimal(column: &Column, value: &Value) -> Result<Decimal, Failure> {
    let number = match value {
        Value::Number(number) => Decimal::parse(number.as_str()),
        Value::String(text) => Decimal::parse(text),
        _ => None,
    };
    number.ok_or_else(|| unfit(column, value, "a number such as 12.50"))
}

/// `PostgreSQL` holds no NUL, and one row with it would fail its whole batch.
fn text(column: &Column, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) if !text.contains('\0') => Ok(text.clone()),
        Value::Number(number) => Ok(number.as_str().to_owned()),
        _ => Err(unfit(column, value, "text")),
    }
}

/// A technical value or its label.
fn choice(column: &Column, choices: &[(String, String)], value: &Value) -> Result<Cell, Failure> {
    let given = text(column, value)?;
    let by_value = choices.iter().find(|(technical, _)| *technical == given);
    let found = by_value.or_else(|| choices.iter().find(|(_, label)| *label == given));
    found.map(|(technical, _)| Cell::Text(technical.clone())).ok_or_else(|| {
        let known: Vec<&str> = choices.iter().map(|(technical, _)| technical.as_str()).collect();
        unfit(column, value, &format!("one of {}", known.join(", ")))
    })
}

fn day(column: &Column, value: &Value) -> Result<Cell, Failure> {
    let date = value.as_str().and_then(|text| text.trim().parse::<Date>().ok());
    date.map(|date| Cell::Text(date.to_string()))
        .ok_or_else(|| unfit(column, value, "a date such as 2026-11-22"))
}

/// In UTC, as Odoo keeps it, to the second; without a zone it is taken to be in UTC.
fn moment(column: &Column, value: &Value) -> Result<Cell, Failure> {
    let text = value.as_str().unwrap_or_default().trim();
    let zoned = text.parse::<Timestamp>().ok().map(|timestamp| timestamp.to_zoned(TimeZone::UTC).datetime());
    zoned
        .or_else(|| text.parse::<DateTime>().ok())
        .map(|moment| Cell::Text(moment.strftime("%Y-%m-%d %H:%M:%S").to_string()))
        .ok_or_else(|| unfit(column, value, "a time such as 2026-11-22 13:45:00"))
}

/// The records that a value names. A list of a number and a text is how Odoo itself tells a reference: the name counts,
/// since ids of one database mean nothing in another.
fn called(column: &Column, by: By, value: &Value) -> Result<Vec<Called>, Failure> {
    let one = |value: &Value| {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let id = || text.parse::<i64>().ok().filter(|id| *id > 0);
        let called = match by {
            By::Any if value.is_number() => id().map(Called::Id),
            By::Any => Some(Called::Name(text.clone())).filter(|_| !text.is_empty()),
            By::DatabaseId => id().map(Called::Id),
            By::ExternalId => text.split_once('.').map(|_| Called::ExternalId(text.clone())),
        };
        let takes = match by {
            By::Any => "a name or an id",
            By::DatabaseId => "the id of a record",
            By::ExternalId => "an external id such as uom.product_uom_unit",
        };
        called.ok_or_else(|| unfit(column, value, takes))
    };
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::Number(_), name @ Value::String(_)] if by == By::Any => Ok(vec![one(name)?]),
            items => items.iter().map(one).collect(),
        },
        value => Ok(vec![one(value)?]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use shared::failure::Class;

    use super::super::column::tests::column;
    use super::*;

    /// The cell of a value that names no records.
    pub(in super::super) fn ready(name: &str, value: &str) -> Result<Cell, Failure> {
        match Wanted::of(&column(name), &serde_json::from_str(value).unwrap())? {
            Wanted::Ready(cell) => Ok(cell),
            Wanted::Named(called) => panic!("{called:?}"),
        }
    }

    fn named(name: &str, value: &str) -> Vec<Called> {
        match Wanted::of(&column(name), &serde_json::from_str(value).unwrap()).unwrap() {
            Wanted::Named(called) => called,
            Wanted::Ready(cell) => panic!("{cell:?}"),
        }
    }

    #[test]
    fn values_that_no_field_holds_are_refused_alone_with_the_field_s_name() {
        for (name, value, says) in [
            (
                "list_price",
                r#""12,50""#,
                "Sales Price takes a number such as 12.50, not \"12,50\" (column 'list_price')",
            ),
            ("list_price", "true", "takes a number"),
            ("sequence", "1.5", "a whole number"),
            ("name", "true", "takes text"),
            ("name", r#"{"a":1}"#, "takes text"),
            ("name", r#""a\u0000b""#, "takes text"),
            ("sale_ok", r#""maybe""#, "true or false"),
            ("type", r#""combo""#, "one of consu, service"),
            ("since", r#""22.11.2026""#, "a date such as"),
            ("seen", "12", "a time such as"),
            ("uom_id", "true", "a name or an id"),
            ("uom_id", r#"["a","b"]"#, "one record"),
            ("uom_id/id", r#""Units""#, "an external id"),
            ("uom_id/.id", r#""Units""#, "the id of a record"),
        ] {
            let value: Value = serde_json::from_str(value).unwrap();
            let failure = Wanted::of(&column(name), &value).unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }

    #[test]
    fn references_are_named_in_several_ways() {
        assert_eq!(named("uom_id", r#""Units""#), [Called::Name("Units".to_owned())]);
        assert_eq!(named("uom_id", "7"), [Called::Id(7)]);
        assert_eq!(named("uom_id", r#"[1,"Units"]"#), [Called::Name("Units".to_owned())]);
        assert_eq!(named("uom_id/.id", r#""7""#), [Called::Id(7)]);
        assert_eq!(named("uom_id/id", r#""uom.unit""#), [Called::ExternalId("uom.unit".to_owned())]);
        assert_eq!(named("taxes_id", "[1,2]"), [Called::Id(1), Called::Id(2)]);
        assert_eq!(ready("uom_id", "false").unwrap(), Cell::Empty);
        assert_eq!(ready("taxes_id", "[]").unwrap(), Cell::Empty);
    }

    proptest! {
        #[test]
        fn any_value_is_read_or_refused_for_every_kind(text in ".{0,20}", number in any::<f64>()) {
            let number = serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number);
            for name in ["name", "list_price", "volume", "sequence", "sale_ok", "description", "type", "since", "seen", "uom_id", "taxes_id"] {
                for value in [Value::String(text.clone()), number.clone(), json!([text]), json!({"a": text})] {
                    if let Err(failure) = Wanted::of(&column(name), &value) {
                        prop_assert_eq!(failure.class, Class::Permanent);
                    }
                }
            }
        }
    }
}
