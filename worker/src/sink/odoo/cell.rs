//! One value of one column, in the form in which ours and Odoo's can be compared, and in the forms in which Odoo takes it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::decimal::Decimal;

use super::column::{Column, Kind};

/// A value. Numbers and flags are never [`Cell::Empty`]: to Odoo an empty one is zero or false.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    Empty,
    Flag(bool),
    Number(Decimal),
    /// Text, HTML, a selection's technical value, a date, a date-time.
    Text(String),
    /// Database id.
    Reference(i64),
    /// Database ids.
    References(BTreeSet<i64>),
}

impl Cell {
    /// What Odoo holds, as `read` tells it.
    pub(super) fn of_odoo(column: &Column, value: Option<&Value>) -> Self {
        let value = value.unwrap_or(&Value::Null);
        match (&column.kind, value) {
            (Kind::Flag, value) => Self::Flag(value.as_bool().unwrap_or(false)),
            (Kind::Whole | Kind::Decimal(_), Value::Number(number)) => {
                Self::Number(Decimal::parse(number.as_str()).unwrap_or_default())
            }
            (Kind::Whole | Kind::Decimal(_), _) => Self::Number(Decimal::default()),
            (Kind::Reference { .. }, Value::Array(pair)) => {
                pair.first().and_then(Value::as_i64).map_or(Self::Empty, Self::Reference)
            }
            (Kind::Reference { .. }, Value::Number(id)) => id.as_i64().map_or(Self::Empty, Self::Reference),
            (Kind::References { .. }, Value::Array(ids)) if !ids.is_empty() => {
                Self::References(ids.iter().filter_map(Value::as_i64).collect())
            }
            (Kind::Reference { .. } | Kind::References { .. }, _) => Self::Empty,
            (_, Value::String(text)) if !text.is_empty() => Self::Text(text.clone()),
            _ => Self::Empty,
        }
    }

    /// Its text, or none.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// For `load`: everything as text, since a JSON `true` or `1` for a boolean fails the whole call (measured on Odoo 17
    /// to 19); an empty one clears the field.
    pub(super) fn for_load(&self) -> Value {
        Value::String(match self {
            Self::Empty => String::new(),
            Self::Flag(flag) => if *flag { "1" } else { "0" }.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Reference(id) => id.to_string(),
            Self::References(ids) => {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                ids.join(",")
            }
        })
    }

    /// For `write` of this column.
    pub(super) fn for_write(&self, column: &Column) -> Value {
        match self {
            // (6, 0, ids) is Odoo's command to replace all.
            Self::Empty if matches!(column.kind, Kind::References { .. }) => json!([[6, 0, []]]),
            Self::Empty => Value::Bool(false),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::Number(number) => {
                let text = number.to_string();
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }
            Self::Text(text) => Value::String(text.clone()),
            Self::Reference(id) => (*id).into(),
            Self::References(ids) => json!([[6, 0, ids]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::column::tests::column;
    use super::super::wanted::tests::ready;
    use super::*;

    /// Column, what is wanted, what Odoo tells of the same value.
    const SAME: [(&str, &str, &str); 23] = [
        ("name", r#""a ""#, r#""a ""#),
        ("name", "12.50", r#""12.50""#),
        ("name", "null", "false"),
        ("name", r#""""#, "false"),
        ("ref", r#""abcdef""#, r#""abcd""#),
        ("list_price", "12.345", "12.35"),
        ("list_price", r#""12.50""#, "12.5"),
        ("list_price", "null", "0.0"),
        ("list_price", "0.004", "0.0"),
        ("volume", "0.30000000000000004", "0.3"),
        ("sequence", "12.0", "12"),
        ("sequence", r#""""#, "0"),
        ("sale_ok", "true", "true"),
        ("sale_ok", r#""Yes""#, "true"),
        ("sale_ok", "null", "false"),
        ("description", r#""a b""#, r#""<p>a b</p>""#),
        ("description", "null", r#""""#),
        ("website", r#""shop.example""#, r#""http://shop.example""#),
        ("type", r#""Goods""#, r#""consu""#),
        ("since", r#""2026-11-22""#, r#""2026-11-22""#),
        ("seen", r#""2026-11-22T10:00:00.7+05:30""#, r#""2026-11-22 04:30:00""#),
        ("seen", r#""2026-11-22T10:00:00+0530""#, r#""2026-11-22 04:30:00""#),
        ("seen", r#""2026-11-22 10:00:00""#, r#""2026-11-22 10:00:00""#),
    ];

    #[test]
    fn values_that_odoo_would_keep_as_they_are_are_the_same() {
        for (name, ours, odoo) in SAME {
            let column = column(name);
            let current = Cell::of_odoo(&column, Some(&serde_json::from_str(odoo).unwrap()));
            let ours_cell = ready(name, ours).unwrap();
            assert!(column.is_same(&ours_cell, &current), "{name}: {ours} and {odoo}");
        }
        assert!(
            !column("name").is_same(&ready("name", r#""a""#).unwrap(), &ready("name", r#""a ""#).unwrap())
        );
    }

    #[test]
    fn load_gets_text_and_write_gets_json() {
        let price = ready("list_price", "1.5e1").unwrap();
        assert_eq!(price.for_load(), json!("15"));
        assert_eq!(price.for_write(&column("list_price")).to_string(), "15");
        assert_eq!(Cell::Flag(false).for_load(), json!("0"));
        assert_eq!(Cell::Empty.for_load(), json!(""));
        assert_eq!(Cell::Empty.for_write(&column("name")), json!(false));
        assert_eq!(Cell::Empty.for_write(&column("taxes_id")), json!([[6, 0, []]]));
        let taxes = Cell::References([2, 1].into());
        assert_eq!(taxes.for_load(), json!("1,2"));
        assert_eq!(taxes.for_write(&column("taxes_id")), json!([[6, 0, [1, 2]]]));
    }

    proptest! {
        #[test]
        fn a_price_comes_back_equal_from_odoo(cents in -1_000_000_000_i64..1_000_000_000) {
            let column = column("list_price");
            let text = format!("{cents}e-2");
            let sent = ready("list_price", &format!("\"{text}\"")).unwrap();
            // Odoo tells a float in its shortest form.
            #[expect(clippy::cast_precision_loss, reason = "Odoo's own arithmetic is imitated")]
            let float = serde_json::Number::from_f64(cents as f64 / 100.0).unwrap();
            prop_assert!(column.is_same(&sent, &Cell::of_odoo(&column, Some(&Value::Number(float)))));
        }
    }
}
