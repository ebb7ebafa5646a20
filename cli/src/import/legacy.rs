//! The old systems' files, read as they are. What is not known is refused: half an import would look like a whole one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::failure::Failure;
use shared::record::RecordKey;

use super::find::{Found, Kind};
use super::time::time;

/// Far beyond any such file; what is larger is a mistake, and would not fit into memory.
const LARGEST: u64 = 1 << 30;

/// All that the files say.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    pub(super) zoho: Option<Zoho>,
    pub(super) mapping: Option<ProductMapping>,
    pub(super) schedule: Option<Schedule>,
    pub(super) products: Option<BTreeMap<RecordKey, Product>>,
    /// Folder of the JSON files, and what the records of each look like.
    pub(super) files: Vec<Records>,
    /// When the old system last wrote JSON files.
    pub(super) last_sync: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZohoFile {
    zoho_books: Zoho,
}

/// `config/zoho_config.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Zoho {
    pub(super) base_url: Option<String>,
    pub(super) inventory_base_url: Option<String>,
    pub(super) client_id: String,
    #[serde(deserialize_with = "secret")]
    pub(super) client_secret: SecretString,
    #[serde(deserialize_with = "secret")]
    pub(super) refresh_token: SecretString,
    #[serde(deserialize_with = "text_or_number")]
    pub(super) organization_id: String,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

fn text_or_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom("organization_id is neither text nor a number")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    products: ProductMapping,
}

/// `config/field_mapping.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductMapping {
    /// Zoho's field to Odoo's.
    pub(super) zoho_books: Map<String, Value>,
    #[serde(default)]
    pub(super) default_values: Map<String, Value>,
}

/// `config/sync_schedule.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    pub(super) enabled: Option<bool>,
    pub(super) sync_interval_hours: Option<f64>,
    pub(super) force_full_sync_days: Option<u32>,
    pub(super) max_consecutive_errors: Option<u32>,
    pub(super) notifications: Option<Notifications>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notifications {
    pub(super) log_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductSyncFile {
    #[serde(default, rename = "last_sync")]
    _last_sync: Option<String>,
    products: BTreeMap<String, Product>,
    #[serde(default, rename = "sync_stats")]
    _stats: Option<Stats>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stats {
    #[serde(default, rename = "total_synced")]
    _total: Option<u64>,
    #[serde(default, rename = "last_run_added")]
    _added: Option<u64>,
    #[serde(default, rename = "last_run_updated")]
    _updated: Option<u64>,
}

/// One product of `data/product_sync_data.json`. Its checksum is of another form than ours and says nothing to us.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) odoo_id: Option<i64>,
    pub(super) last_modified: Option<String>,
    #[serde(default, rename = "checksum")]
    _checksum: Option<String>,
}

/// What the records of a JSON file look like.
#[derive(Debug, Serialize)]
pub(super) struct Records {
    #[serde(skip)]
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    #[serde(rename = "records")]
    pub(super) count: usize,
    /// Fields beside the id, in the order in which they appear first.
    pub(super) fields: Vec<String>,
}

impl Legacy {
    /// Reads and checks every file; nothing is changed.
    pub(super) fn read(found: &Found) -> Result<Self, Failure> {
        let mut legacy = Self::default();
        for (kind, path) in &found.files {
            match kind {
                Kind::ZohoConfig => legacy.zoho = Some(read::<ZohoFile>(path, true)?.zoho_books),
                Kind::FieldMapping => legacy.mapping = Some(read::<MappingFile>(path, false)?.products),
                Kind::SyncSchedule => legacy.schedule = Some(schedule(path)?),
                Kind::ProductSync => legacy.products = Some(products(path)?),
                Kind::LastSync => legacy.last_sync = Some(last_sync(path)?),
                Kind::Customers | Kind::Products => legacy.files.push(records(*kind, path)?),
            }
        }
        Ok(legacy)
    }
}

fn wrong(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::configuration(format!("{}: {what}", path.display()))
        .advise("nothing was changed; correct the file, or name the others without it")
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| wrong(path, "cannot be read").because(error);
    if std::fs::metadata(path).map_err(failed)?.len() > LARGEST {
        return Err(wrong(path, "is larger than 1 GiB"));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(wrong(path, "is written in UTF-16: save it as UTF-8"));
    }
    // A byte order mark, as Windows writes it.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii().is_empty() {
        return Err(wrong(path, "is empty"));
    }
    Ok(text.to_vec())
}

/// `private`: the file holds secrets, and a value of it is never shown.
fn read<T: DeserializeOwned>(path: &Path, private: bool) -> Result<T, Failure> {
    let bytes = bytes(path)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let told = error.to_string();
        let what = told.split(" at line ").next().unwrap_or_default();
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early: the file was cut off",
            serde_json::error::Category::Data
                if private && !what.starts_with("unknown field") && !what.starts_with("missing field") =>
            {
                "a value is of another kind than it is to be there"
            }
            _ => what,
        };
        let (line, column) = (error.line(), error.column());
        wrong(path, format!("line {line}, column {column}: {what}"))
    })
}

fn schedule(path: &Path) -> Result<Schedule, Failure> {
    let schedule: Schedule = read(path, false)?;
    // A minute at least, and no more than some hundred years.
    if schedule.sync_interval_hours.is_some_and(|hours| !(1.0 / 60.0..=1e6).contains(&hours)) {
        return Err(wrong(path, "sync_interval_hours is to be a minute (0.017) at least"));
    }
    if schedule.force_full_sync_days == Some(0) {
        return Err(wrong(path, "force_full_sync_days is 0: take the line out where it is to be never"));
    }
    if schedule.max_consecutive_errors == Some(0) {
        return Err(wrong(path, "max_consecutive_errors is 0: use 1 at least"));
    }
    Ok(schedule)
}

fn products(path: &Path) -> Result<BTreeMap<RecordKey, Product>, Failure> {
    let mut products = BTreeMap::new();
    for (key, product) in read::<ProductSyncFile>(path, false)?.products {
        let at = |what: &str| wrong(path, format!("product {key:?}: {what}"));
        let record: RecordKey = key.parse().map_err(|_| at("this is no id of a Zoho item"))?;
        if product.odoo_id.is_some_and(|id| id <= 0) {
            return Err(at("its odoo_id is no id of a record"));
        }
        if product.last_modified.as_deref().is_some_and(|text| time(text).is_none()) {
            return Err(at("its last_modified is no time such as 2025-05-23T17:30:00"));
        }
        products.insert(record, product);
    }
    Ok(products)
}

/// A bare time, or an object with one under a usual key.
fn last_sync(path: &Path) -> Result<String, Failure> {
    const KEYS: [&str; 5] = ["last_sync", "last_sync_time", "timestamp", "customers", "products"];
    let oldest = match read::<Value>(path, false)? {
        Value::String(text) => Some(text),
        Value::Object(fields) => {
            if let Some(unknown) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
                return Err(wrong(path, format!("unknown field '{unknown}'; known are {}", KEYS.join(", "))));
            }
            let mut times = Vec::new();
            for (key, value) in &fields {
                let text = value.as_str().filter(|text| time(text).is_some());
                times.push(text.ok_or_else(|| wrong(path, format!("'{key}' is no time")))?);
            }
            times.into_iter().min().map(str::to_owned)
        }
        _ => None,
    };
    oldest
        .filter(|text| time(text).is_some())
        .ok_or_else(|| wrong(path, "it holds no time such as \"2025-10-11 09:12:05\""))
}

/// An array of records, or an object whose only array holds them.
fn records(kind: Kind, path: &Path) -> Result<Records, Failure> {
    let all = match read::<Value>(path, false)? {
        Value::Array(all) => all,
        Value::Object(fields) => {
            let mut lists = fields.into_iter().filter_map(|(_, value)| match value {
                Value::Array(list) => Some(list),
                _ => None,
            });
            match (lists.next(), lists.next()) {
                (Some(list), None) => list,
                _ => return Err(wrong(path, "it holds no list of records, or more than one list")),
            }
        }
        _ => return Err(wrong(path, "it is no list of records")),
    };
    let (mut fields, mut ids) = (Vec::<String>::new(), std::collections::HashSet::new());
    let mut known = std::collections::HashSet::new();
    for (number, record) in all.iter().enumerate() {
        let at = |what: &str| wrong(path, format!("record {} of the list: {what}", number + 1));
        let record = record.as_object().ok_or_else(|| at("it is no object"))?;
        let id =
            record.get("id").and_then(Value::as_u64).ok_or_else(|| at("it has no 'id' that is a number"))?;
        if !ids.insert(id) {
            return Err(at(&format!("the id {id} is there twice")));
        }
        for field in record.keys().filter(|field| *field != "id") {
            if known.insert(field.clone()) {
                fields.push(field.clone());
            }
        }
    }
    Ok(Records { kind, path: path.to_owned(), count: all.len(), fields })
}

#[cfg(test)]
mod tests;
