//! Two answers compared: shape always, values wherever they are not accidents of the recorded run.

use serde_json::Value;

/// Translates a recorded id, learning it when it is new; false when it is known to be another.
pub(crate) type Translate<'a> = &'a mut dyn FnMut(&str, i64, i64) -> bool;

/// Where and how strictly values are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The model whose ids these are.
    pub(crate) model: &'a str,
    /// The key this value stands under.
    pub(crate) key: &'a str,
    /// Only types and keys matter.
    pub(crate) shape_only: bool,
}

/// The first difference, if any.
pub(crate) fn difference(
    place: Place<'_>,
    recorded: &Value,
    got: &Value,
    ids: Translate<'_>,
) -> Option<String> {
    let differs = || Some(format!("{}: recorded {}, got {}", place.key, short(recorded), short(got)));
    match (recorded, got) {
        (Value::Null, Value::Null) => None,
        (Value::Bool(left), Value::Bool(right)) => (left != right && !place.shape_only).then(differs)?,
        (Value::Number(left), Value::Number(right)) => {
            let alike = match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => number_fits(place, left, right, ids),
                _ => place.shape_only || left.as_f64() == right.as_f64(),
            };
            if alike { None } else { differs() }
        }
        (Value::String(left), Value::String(right)) => {
            if place.shape_only || text_fits(place.key, left, right) { None } else { differs() }
        }
        (Value::Array(left), Value::Array(right)) => {
            // Time zones and the like are hundreds; the stand-in lists a few of each.
            if place.shape_only || place.key == "selection" {
                let pair = left.first().zip(right.first());
                return pair.and_then(|(left, right)| difference(place, left, right, ids));
            }
            if left.len() != right.len() {
                return Some(format!(
                    "{}: {} instead of {} elements: {}",
                    place.key,
                    right.len(),
                    left.len(),
                    short(got)
                ));
            }
            let mut pairs = left.iter().zip(right);
            pairs.find_map(|(left, right)| difference(place, left, right, ids))
        }
        (Value::Object(left), Value::Object(right)) => {
            if let Some(missing) =
                left.keys().find(|key| !right.contains_key(*key) && !ignored_keys(place.key))
            {
                return match by_id(place, left, right, ids) {
                    Ok(found) => found,
                    Err(()) => Some(format!("no key {missing}")),
                };
            }
            if let Some(extra) = right.keys().find(|key| !left.contains_key(*key)) {
                return Some(format!("unexpected key {extra}"));
            }
            left.iter()
                .filter(|(key, _)| right.contains_key(*key))
                .find_map(|(key, left)| difference(Place { key, ..place }, left, &right[key], ids))
        }
        _ if place.shape_only && is_empty(recorded) != is_empty(got) => None,
        _ => differs(),
    }
}

/// An object keyed by ids, as `get_external_id` answers; an error when it is none.
fn by_id(
    place: Place<'_>,
    left: &serde_json::Map<String, Value>,
    right: &serde_json::Map<String, Value>,
    ids: Translate<'_>,
) -> Result<Option<String>, ()> {
    if left.len() != right.len() {
        return Err(());
    }
    for ((left_key, left), (right_key, right)) in left.iter().zip(right) {
        let (Ok(left_id), Ok(right_id)) = (left_key.parse(), right_key.parse()) else {
            return Err(());
        };
        if !ids(place.model, left_id, right_id) {
            return Err(());
        }
        if let Some(found) = difference(place, left, right, ids) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The session's facts are many; the stand-in answers those that clients use.
fn ignored_keys(key: &str) -> bool {
    matches!(key, "session" | "user_settings")
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Bool(false))
}

fn number_fits(place: Place<'_>, recorded: i64, got: i64, ids: Translate<'_>) -> bool {
    if place.shape_only {
        return true;
    }
    let model = match place.key {
        "id" | "ids" | "result" => place.model,
        "product_variant_id" | "product_variant_ids" => "product.product",
        "res_id" => "*",
        "file_size" => return true,
        _ => return recorded == got,
    };
    ids(model, recorded, got)
}

fn text_fits(key: &str, recorded: &str, got: &str) -> bool {
    if recorded == got {
        return true;
    }
    match key {
        "debug" | "checksum" | "store_fname" | "image_1920" | "image_128" => true,
        _ if is_time(recorded) => is_time(got),
        // Bodies that are no JSON: a whole web page is not copied.
        "page" => recorded.contains("<!DOCTYPE html>") && got.contains("<!DOCTYPE html>"),
        "message" | "arguments" | "xmlid" | "reference" | "datas" => normal(recorded) == normal(got),
        _ => recorded.ends_with("Kb") && got.ends_with("Kb"),
    }
}

fn is_time(text: &str) -> bool {
    text.len() == 19 && normal(text) == "#-#-# #:#:#"
}

/// Digits and the place in a statement `PostgreSQL` points to are accidents; so are hexadecimal suffixes.
fn normal(text: &str) -> String {
    let text = text.split("\nLINE 1").next().unwrap_or(text);
    let text = match text.strip_prefix("__export__.").and_then(|rest| rest.rsplit_once('_')) {
        Some((start, _)) => start,
        None => text,
    };
    let mut out = String::new();
    for character in text.chars() {
        if !character.is_ascii_digit() {
            out.push(character);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

pub(crate) fn short(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
