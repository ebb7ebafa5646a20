//! What is true: the stand-in's own rows, compared with the files. Nothing of ours is asked.

use std::path::Path;

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};
use serde_json::Value;

use crate::place::Place;

/// A stand-in with 161 customers and 415 products: more than a page of either, some archived.
pub(crate) async fn sandbox_of(version: OdooVersion) -> OdooSandbox {
    sandbox_with(version, 561, 815).await
}

pub(crate) async fn sandbox_with(version: OdooVersion, customers: usize, products: usize) -> OdooSandbox {
    let settings = OdooSettings { version, customers, products, ..OdooSettings::default() };
    OdooSandbox::start(settings).await.unwrap()
}

/// The records of a file, which must be an array sorted by id without doubles.
pub(crate) fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let records: Vec<Value> = serde_json::from_str(&text).unwrap();
    let ids: Vec<i64> = records.iter().map(|record| record["id"].as_i64().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "ids are sorted and none is there twice");
    records
}

/// Both files hold exactly the source's records, each with the source's values in every column.
pub(crate) fn assert_files_hold_the_source(place: &Place, sandbox: &OdooSandbox) {
    assert_file_holds(&place.customers(), sandbox, "res.partner");
    assert_file_holds(&place.products(), sandbox, "product.template");
}

pub(crate) fn assert_file_holds(path: &Path, sandbox: &OdooSandbox, model: &str) {
    let ours = records(path);
    let truth = sandbox.control().rows(model).unwrap();
    let ids = |rows: &[Value]| -> Vec<i64> { rows.iter().map(|row| row["id"].as_i64().unwrap()).collect() };
    assert_eq!(ids(&ours), ids(&truth), "{model}");
    for (ours, truth) in ours.iter().zip(&truth) {
        for (column, value) in ours.as_object().unwrap() {
            assert!(
                same(value, &truth[column]),
                "{model} {}: {column} is {value}, not {}",
                ours["id"],
                truth[column]
            );
        }
    }
}

/// 10 and 10.0 are one price.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            shared::checksum::canonical_number(a.as_str()) == shared::checksum::canonical_number(b.as_str())
        }
        _ => a == b,
    }
}
