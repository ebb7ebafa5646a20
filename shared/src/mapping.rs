//! The mapping of a pipeline: which source fields become which sink columns. Pure: no I/O.

use std::borrow::Cow;

use serde_json::Value;

use crate::checksum::Checksum;
use crate::failure::{Failure, Reason};
use crate::record::Values;

mod form;
mod origin;

pub use form::Form;
pub use origin::{Origin, Part};

/// Changes when the meaning of a mapping changes without its text changing: every record is then new once.
const MEANING: u64 = 1;

/// One sink column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the sink.
    pub name: String,
    /// Its value.
    pub origin: Origin,
}

/// What is done where a column names a record that the sink does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// The record that names it fails.
    #[default]
    Fail,
    /// It is made, with that name and nothing else.
    Create,
    /// The column stays empty.
    Empty,
}

/// A sink column whose source field the source may lack: it is left out then, or null.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceColumn {
    /// The column.
    pub column: Column,
    /// The source may have no such field.
    pub optional: bool,
    /// For a column that refers to other records.
    pub missing: Missing,
}

impl SourceColumn {
    /// A column of any origin.
    pub fn new(name: &str, origin: Origin, optional: bool) -> Self {
        Self { column: Column { name: name.to_owned(), origin }, optional, missing: Missing::default() }
    }

    /// A field kept under its own name; `field?` is left out where the source has none of that name.
    pub(crate) fn kept(field: &str) -> Self {
        Self::renamed(field.trim_end_matches('?'), field)
    }

    /// A field under another name.
    pub(crate) fn renamed(name: &str, field: &str) -> Self {
        let (field, optional) = field.strip_suffix('?').map_or((field, false), |field| (field, true));
        Self::new(name, Origin::field(field), optional)
    }
}

/// The columns of a pipeline, in the order in which the sink shows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    columns: Vec<Column>,
    checksum: Checksum,
}

impl Mapping {
    /// A mapping of these columns, each of another name.
    pub fn new(columns: Vec<Column>) -> Self {
        let text: Vec<Value> = columns.iter().map(describe).collect();
        let checksum = Checksum::of_value(&serde_json::json!([MEANING, text]));
        Self { columns, checksum }
    }

    /// A mapping of these columns. What is done about references that lead nowhere is part of what it stands for: a record
    /// that failed under one choice is another under the next.
    pub fn of_source(columns: &[SourceColumn]) -> Self {
        let mut mapping = Self::new(columns.iter().map(|column| column.column.clone()).collect());
        let chosen: Vec<(&str, Missing)> = columns
            .iter()
            .filter(|column| column.missing != Missing::Fail)
            .map(|column| (column.column.name.as_str(), column.missing))
            .collect();
        if !chosen.is_empty() {
            mapping.checksum = Checksum::of_value(&serde_json::json!([mapping.checksum, chosen]));
        }
        mapping
    }

    /// A mapping that keeps fields under their own names.
    pub fn identity<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let keep = |name: &str| Column { name: name.to_owned(), origin: Origin::field(name) };
        Self::new(fields.into_iter().map(keep).collect())
    }

    /// The checksum of the mapping itself: part of every record's checksum.
    pub fn checksum(&self) -> &Checksum {
        &self.checksum
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The source fields that it reads, without repetition.
    pub fn source_fields(&self) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        for column in &self.columns {
            for (name, _) in column.origin.fields() {
                if !fields.contains(&name) {
                    fields.push(name);
                }
            }
        }
        fields
    }

    /// Turns a source row into sink values.
    ///
    /// # Errors
    /// `Permanent/BadRecord` where the row lacks a field that the mapping reads, or has a value that has no such form.
    pub fn apply(&self, row: &Values) -> Result<Values, Failure> {
        let mut values = Values::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = column.origin.value(row).map_err(|what| {
                let what = format!("the source row {what} column '{}' is mapped from", column.name);
                Failure::permanent(Reason::BadRecord, what).advise(
                    "give the column a default, correct the record, or take the column out of the mapping",
                )
            })?;
            values.insert(column.name.clone(), value.into_owned());
        }
        Ok(values)
    }

    /// The checksum of what [`Mapping::apply`] makes of a row, without making it; of the row itself where that fails. Nearly
    /// every row of a run is unchanged, and this is all that is asked of it.
    pub fn checksum_of(&self, row: &Values) -> Checksum {
        let cells: Result<Vec<Cow<'_, Value>>, String> =
            self.columns.iter().map(|column| column.origin.value(row)).collect();
        let Ok(cells) = cells else {
            return Checksum::of_values(&self.checksum, row);
        };
        let names = self.columns.iter().map(|column| column.name.as_str());
        Checksum::of_fields(&self.checksum, names.zip(cells.iter().map(AsRef::as_ref)).collect())
    }
}

/// The parts of a column, for the mapping's checksum.
fn describe(column: &Column) -> Value {
    let mut parts = vec![column.name.clone().into()];
    match column.origin.describe() {
        Value::Array(origin) => parts.extend(origin),
        origin => parts.push(origin),
    }
    Value::Array(parts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn column(name: &str, from: &str, default: Option<Value>) -> Column {
        let origin = Origin::Field { name: from.to_owned(), default, values: BTreeMap::new() };
        Column { name: name.to_owned(), origin }
    }

    fn row(text: &str) -> Values {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn columns_are_renamed_filled_and_kept_in_order() {
        let mapping = Mapping::new(vec![
            column("price", "list_price", None),
            column("code", "default_code", Some("none".into())),
            Column { name: "origin".to_owned(), origin: Origin::Constant("odoo".into()) },
        ]);
        let values = mapping.apply(&row(r#"{"default_code":false,"list_price":10.10}"#)).unwrap();
        assert_eq!(
            serde_json::to_string(&values).unwrap(),
            r#"{"price":10.10,"code":"none","origin":"odoo"}"#
        );
    }

    #[test]
    fn false_of_a_boolean_field_is_a_value() {
        let mapping = Mapping::new(vec![column("active", "active", Some(true.into()))]);
        assert_eq!(mapping.apply(&row(r#"{"active":false}"#)).unwrap(), row(r#"{"active":false}"#));
    }

    #[test]
    fn values_are_translated_and_an_unknown_one_is_named() {
        let translated = |default| {
            let values = [("active".to_owned(), true.into()), ("inactive".to_owned(), false.into())].into();
            let origin = Origin::Field { name: "status".to_owned(), default, values };
            Mapping::new(vec![Column { name: "active".to_owned(), origin }])
        };
        let status = |text: &str| row(&format!(r#"{{"status":"{text}"}}"#));
        assert_eq!(translated(None).apply(&status("inactive")).unwrap(), row(r#"{"active":false}"#));
        let failure = translated(None).apply(&status("confirmed")).unwrap_err();
        assert!(failure.to_string().contains("'confirmed'"), "{failure}");
        assert_eq!(
            translated(Some(true.into())).apply(&status("confirmed")).unwrap(),
            row(r#"{"active":true}"#)
        );
    }

    #[test]
    fn a_star_keeps_the_values_that_are_not_named() {
        let values = [("pcs".to_owned(), "Units".into()), ("*".to_owned(), "*".into())].into();
        let origin = Origin::Field { name: "unit".to_owned(), default: Some("Units".into()), values };
        let mapping = Mapping::new(vec![Column { name: "uom_id".to_owned(), origin }]);
        for (unit, uom) in [("pcs", "Units"), ("kg", "kg"), ("", "Units")] {
            let mapped = mapping.apply(&row(&format!(r#"{{"unit":"{unit}"}}"#))).unwrap();
            assert_eq!(mapped, row(&format!(r#"{{"uom_id":"{uom}"}}"#)));
        }
    }

    #[test]
    fn the_checksum_of_a_row_is_that_of_what_it_becomes() {
        let translated = Origin::Field {
            name: "status".to_owned(),
            default: Some("kept".into()),
            values: [("*".to_owned(), "*".into()), ("active".to_owned(), true.into())].into(),
        };
        let part = |field: &str| Part { field: field.to_owned(), optional: true };
        let name = Origin::Concat { parts: vec![part("first"), part("last")], with: " ".to_owned() };
        let rate =
            Origin::Formed(Box::new(Origin::field("rate")), Form::Decimal { times: None, places: Some(2) });
        let all = [("z", translated), ("a", Origin::Constant("here".into())), ("name", name), ("m", rate)];
        let mapping = Mapping::new(
            all.into_iter().map(|(name, origin)| Column { name: name.to_owned(), origin }).collect(),
        );
        for text in [
            r#"{"status":"active","first":"Ada","last":"Sato","rate":12.345}"#,
            r#"{"status":"","last":[3,"Sato"],"rate":null}"#,
            r#"{"status":"draft","rate":"7"}"#,
        ] {
            let values = mapping.apply(&row(text)).unwrap();
            assert_eq!(mapping.checksum_of(&row(text)), Checksum::of_values(mapping.checksum(), &values));
        }
        for unmappable in [r#"{"status":"active"}"#, r#"{"status":"active","rate":"cheap"}"#] {
            let row = row(unmappable);
            assert!(mapping.apply(&row).is_err());
            assert_eq!(mapping.checksum_of(&row), Checksum::of_values(mapping.checksum(), &row));
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let failure = Mapping::identity(["vat"]).apply(&row("{}")).unwrap_err();
        assert!(failure.to_string().contains("'vat'"), "{failure}");
    }

    #[test]
    fn every_part_of_a_mapping_is_in_its_checksum() {
        let all = [
            Mapping::identity(["a"]),
            Mapping::identity(["a", "b"]),
            Mapping::identity(["b", "a"]),
            Mapping::new(vec![column("a", "b", None)]),
            Mapping::new(vec![column("a", "a", Some(1.into()))]),
            Mapping::new(vec![Column { name: "a".to_owned(), origin: Origin::Constant(1.into()) }]),
        ];
        let sums: std::collections::HashSet<_> = all.iter().map(|mapping| *mapping.checksum()).collect();
        assert_eq!(sums.len(), all.len());
    }

    #[test]
    fn what_is_done_about_missing_records_is_part_of_the_checksum() {
        let sum = |missing| {
            let column = SourceColumn { missing, ..SourceColumn::kept("categ_id") };
            *Mapping::of_source(&[column]).checksum()
        };
        assert_eq!(sum(Missing::Fail), *Mapping::identity(["categ_id"]).checksum());
        let all = std::collections::HashSet::from([Missing::Fail, Missing::Create, Missing::Empty].map(sum));
        assert_eq!(all.len(), 3);
    }

    fn mapped(origin: Origin, text: &str) -> Result<Value, String> {
        let mapping = Mapping::new(vec![Column { name: "c".to_owned(), origin }]);
        let mut values = mapping.apply(&row(text)).map_err(|failure| failure.to_string())?;
        Ok(values.remove("c").unwrap())
    }

    #[test]
    fn parts_that_are_empty_leave_no_gap() {
        let part = |field: &str, optional| Part { field: field.to_owned(), optional };
        let parts = vec![part("first", true), part("last", false), part("code", true)];
        let name = Origin::Concat { parts, with: " ".to_owned() };
        assert_eq!(mapped(name.clone(), r#"{"first":"Ada","last":"Sato","code":7}"#).unwrap(), "Ada Sato 7");
        assert_eq!(mapped(name.clone(), r#"{"first":"","last":" Sato "}"#).unwrap(), "Sato");
        assert_eq!(mapped(name.clone(), r#"{"last":[3,"Sato"],"code":false}"#).unwrap(), "Sato");
        assert!(
            mapped(name.clone(), r#"{"first":"Ada"}"#)
                .unwrap_err()
                .contains("no field 'last', which column 'c'")
        );
        assert!(
            mapped(name, r#"{"last":{"a":1}}"#).unwrap_err().contains("neither text nor number in 'last'")
        );
    }

    #[test]
    fn forms_are_part_of_the_checksum() {
        let rate = |places| {
            let form = Form::Decimal { times: None, places };
            Origin::Formed(Box::new(Origin::field("rate")), form)
        };
        let sum = |origin| *Mapping::new(vec![Column { name: "c".to_owned(), origin }]).checksum();
        assert_ne!(sum(rate(Some(2))), sum(rate(Some(3))));
        assert_ne!(sum(rate(Some(2))), sum(Origin::field("rate")));
        assert_eq!(mapped(rate(Some(2)), r#"{"rate":12.345}"#).unwrap().to_string(), "12.35");
        assert!(
            mapped(rate(Some(2)), r#"{"rate":"cheap"}"#).unwrap_err().contains("'cheap', which is no number")
        );
    }
}
