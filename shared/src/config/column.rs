//! One line of a mapping table.

use toml::{Table, Value};

use super::file::json;
use crate::decimal::Decimal;
use crate::mapping::{Form, Missing, Origin, Part, SourceColumn};

const FORMS: &str = "is to be \"source_field\", { from = \"source_field\", default = VALUE, values = { OLD = NEW } }, \
                     { concat = [\"field\", \"field\"], with = \" \" } or { constant = VALUE }";

const KEYS: [&str; 11] = [
    "from", "default", "values", "constant", "concat", "with", "times", "decimals", "boolean", "split",
    "missing",
];

/// Most places that a number is rounded to.
const PLACES: i64 = 15;

/// Reads `"field"`, or a table: docs/mapping.md shows each. The error says what is wrong with the value.
pub(super) fn column(name: &str, value: &Value) -> Result<SourceColumn, String> {
    let table = match value {
        Value::String(from) if !from.is_empty() => return Ok(SourceColumn::renamed(name, from)),
        Value::Table(table) => table,
        _ => return Err(FORMS.to_owned()),
    };
    if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!(
            "has an unknown key '{unknown}'; {}; it {FORMS}",
            super::suggest(unknown, &KEYS)
        ));
    }
    let has = |keys: &[&str]| keys.iter().any(|key| table.contains_key(*key));
    let mut column = match (table.get("from"), table.get("constant"), table.get("concat")) {
        (Some(Value::String(from)), None, None) if !from.is_empty() && !has(&["with"]) => {
            field(name, from, table)?
        }
        (None, Some(constant), None) if table.keys().all(|key| key == "constant" || key == "missing") => {
            SourceColumn::new(name, Origin::Constant(json(constant.clone())), false)
        }
        (None, None, Some(Value::Array(fields))) if !has(&["default", "values"]) => {
            concat(name, fields, table.get("with"))?
        }
        _ => return Err(FORMS.to_owned()),
    };
    if let Some(form) = form(table)? {
        column.column.origin = Origin::Formed(Box::new(column.column.origin), form);
    }
    column.missing = missing(table.get("missing"))?;
    Ok(column)
}

fn missing(value: Option<&Value>) -> Result<Missing, String> {
    match value.map(|value| value.as_str().unwrap_or_default()) {
        None | Some("fail") => Ok(Missing::Fail),
        Some("create") => Ok(Missing::Create),
        Some("empty") => Ok(Missing::Empty),
        Some(_) => Err("has a `missing` that is none of \"fail\", \"create\" and \"empty\"".to_owned()),
    }
}

fn field(name: &str, from: &str, table: &Table) -> Result<SourceColumn, String> {
    let mut column = SourceColumn::renamed(name, from);
    if let Origin::Field { default, values, .. } = &mut column.column.origin {
        *default = table.get("default").cloned().map(json);
        match table.get("values") {
            None => {}
            Some(Value::Table(pairs)) => {
                values.extend(pairs.iter().map(|(old, new)| (old.clone(), json(new.clone()))));
            }
            Some(_) => return Err(FORMS.to_owned()),
        }
    }
    Ok(column)
}

fn concat(name: &str, fields: &[Value], with: Option<&Value>) -> Result<SourceColumn, String> {
    let mut parts = Vec::with_capacity(fields.len());
    for field in fields {
        let text = field.as_str().filter(|text| !text.is_empty() && *text != "?");
        let text = text.ok_or_else(|| FORMS.to_owned())?;
        let field = text.strip_suffix('?').unwrap_or(text);
        parts.push(Part { field: field.to_owned(), optional: field != text });
    }
    let with = match with {
        None => " ",
        Some(Value::String(with)) => with,
        Some(_) => return Err("has a `with` that is no text".to_owned()),
    };
    if parts.is_empty() {
        return Err("has a `concat` without fields".to_owned());
    }
    let origin = Origin::Concat { parts, with: with.to_owned() };
    Ok(SourceColumn::new(name, origin, false))
}

fn form(table: &Table) -> Result<Option<Form>, String> {
    let times = match table.get("times") {
        None => None,
        Some(factor) => {
            let text = match factor {
                Value::String(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Float(number) => number.to_string(),
                _ => String::new(),
            };
            let times = Decimal::parse(&text).ok_or("has a `times` that is no number such as 0.01")?;
            Some(times)
        }
    };
    let places = match table.get("decimals") {
        None => None,
        Some(places) => {
            let places = places.as_integer().filter(|places| (0..=PLACES).contains(places));
            let places = places.and_then(|places| u32::try_from(places).ok());
            Some(
                places
                    .ok_or_else(|| format!("has `decimals` that are no whole number from 0 to {PLACES}"))?,
            )
        }
    };
    if let Some(split) = table.get("split") {
        let split = split.as_str().filter(|split| !split.is_empty());
        let split = split.ok_or("has a `split` that is no text such as \",\"")?;
        if times.is_some() || places.is_some() || table.contains_key("boolean") {
            return Err("is a list by `split`, and neither a number nor `boolean`".to_owned());
        }
        return Ok(Some(Form::List { split: split.to_owned() }));
    }
    match (table.get("boolean"), times.is_some() || places.is_some()) {
        (None | Some(Value::Boolean(false)), false) => Ok(None),
        (None | Some(Value::Boolean(false)), true) => Ok(Some(Form::Decimal { times, places })),
        (Some(Value::Boolean(true)), false) => Ok(Some(Form::Flag)),
        (Some(Value::Boolean(true)), true) => {
            Err("is a number by `times` or `decimals`, and cannot be `boolean` too".to_owned())
        }
        (Some(_), _) => Err("has a `boolean` that is neither true nor false".to_owned()),
    }
}
