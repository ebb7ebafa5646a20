//! Records of one Odoo model.
//!
//! What changed since a point in time is walked by id (`id > last`, `order id asc`), which has no ties. All rows of one
//! transaction share one `write_date` to the microsecond, so paging by `write_date` loops on Odoo 17 and 18 and skips rows
//! on 19; and a `write_date >` cursor loses rows on 19, where it is rewritten to the next whole second (measured).

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::checksum::Checksum;
use shared::config::OdooEntity;
use shared::failure::{Failure, Reason};
use shared::mapping::Mapping;
use shared::odoo::{OdooClient, Row, SearchRead, in_language, language_context};
use shared::record::{RecordKey, Values};
use shared::state::{Binding, State, Window};

use super::{SourcePage, SourceRow};

mod confirm;
mod fields;

use fields::{KnownFields, known_fields, lacking};

/// Records of one Odoo model, archived ones included.
#[derive(Debug, Clone)]
pub struct OdooSource {
    client: OdooClient,
    entity: OdooEntity,
    mapping: Mapping,
    fields: Vec<String>,
    /// Fields by the language in which they are read beside those.
    translations: BTreeMap<String, Vec<String>>,
}

impl OdooSource {
    /// Resolves the columns of `entity` against the fields that the model has for this user. What was learnt is kept
    /// in the state and asked again where `refresh`, where the server's version changed or where a field is missing.
    ///
    /// # Errors
    /// `Systemic/Field` for a field that the model lacks, with the one that was perhaps meant.
    pub async fn open(
        client: &OdooClient,
        entity: &OdooEntity,
        state: &State,
        refresh: bool,
    ) -> Result<Self, Failure> {
        let memo = memo_name(client, entity);
        let known = state.memo(&memo).await?.and_then(|text| serde_json::from_str::<KnownFields>(&text).ok());
        if let (Some(known), false) = (known, refresh)
            && known.server == client.version().text
            && let Ok(source) = Self::resolve(client, entity, &known)
        {
            return Ok(source);
        }
        let known = known_fields(client, entity).await?;
        let source = Self::resolve(client, entity, &known)?;
        let text = serde_json::to_string(&known).expect("names are text");
        state.set_memo(&memo, Some(&text)).await?;
        Ok(source)
    }

    fn resolve(client: &OdooClient, entity: &OdooEntity, known: &KnownFields) -> Result<Self, Failure> {
        let mut columns = Vec::with_capacity(entity.columns.len());
        for column in &entity.columns {
            let mut lacks = column.column.origin.fields().into_iter().filter(|(_, optional)| !optional);
            match lacks.find_map(|(name, _)| lacking(client, entity, name, known)) {
                Some(_) if column.optional => {}
                Some(failure) => return Err(failure),
                None => columns.push(column.column.clone()),
            }
        }
        let mapping = Mapping::new(columns);
        let read = mapping.source_fields().into_iter();
        let read = read.filter(|name| lacking(client, entity, name, known).is_none());
        let mut fields: Vec<String> = Vec::new();
        let mut translations: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in read {
            match in_language(name) {
                (field, None) => fields.push(field.to_owned()),
                (field, Some(lang)) => {
                    translations.entry(lang.to_owned()).or_default().push(field.to_owned());
                }
            }
        }
        let known = &known.fields;
        if known.iter().any(|field| field == "write_date")
            && !fields.iter().any(|field| field == "write_date")
        {
            fields.push("write_date".to_owned());
        }
        let client = client.with_context(archived_too());
        Ok(Self { client, entity: entity.clone(), mapping, fields, translations })
    }

    pub(super) fn identity(&self) -> String {
        format!("{} {}", self.client.identity(), self.entity.model)
    }

    pub(super) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Domain and context are part of what the mapping checksum stands for: with another language or restriction,
    /// records that no `write_date` moved are different all the same.
    pub(super) fn binding(&self, sink: &str) -> Binding {
        let mapping =
            Checksum::of_value(&json!([self.mapping.checksum(), self.entity.domain, self.client.context(),]));
        Binding { source: self.identity(), sink: sink.to_owned(), mapping }
    }

    pub(super) fn clock(&self) -> Timestamp {
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        if let Some(time) = self.client.server_clock() {
            return whole(time);
        }
        tracing::warn!(
            server = self.client.identity(),
            "the server sends no Date header: this machine's clock is used for the window's end"
        );
        whole(Timestamp::now())
    }

    pub(super) async fn count(&self) -> Result<u64, Failure> {
        count(&self.client, &self.entity).await
    }

    pub(super) async fn page(&self, window: Window, position: Option<&str>) -> Result<SourcePage, Failure> {
        let after: u64 = match position {
            None => 0,
            Some(text) => text.parse().map_err(|error| {
                Failure::configuration(format!("the state holds the position '{text}', which is no Odoo id"))
                    .advise("run `catalog-sync sync --full`")
                    .because(error)
            })?,
        };
        let mut domain = self.entity.domain.clone();
        domain.push(json!(["id", ">", after]));
        domain.extend(self.changed_in(window));
        let rows = self.read(domain, Some(self.entity.page_size)).await?;
        let full = rows.len() >= self.entity.page_size;
        let after = rows.last().map(|row| row.key.to_string());
        let next = after.clone().filter(|_| full);
        Ok(SourcePage { rows, next, after })
    }

    pub(super) async fn by_key(&self, keys: &[RecordKey]) -> Result<Vec<SourceRow>, Failure> {
        let ids: Vec<u64> = keys.iter().filter_map(|key| key.as_str().parse().ok()).collect();
        let mut domain = self.entity.domain.clone();
        domain.push(json!(["id", "in", ids]));
        self.read(domain, None).await
    }

    /// The domain's terms for a window. There is no upper bound: walking by id needs none, and a record that was written
    /// in the second in which the run began is not to wait for the next one. A product's cost and barcode live on its
    /// variant, and writing them there does not move the template's `write_date` (measured on 17, 18 and 19): products
    /// are read by both. A full run has no bounds at all: rows that something other than Odoo wrote may have no
    /// `write_date`.
    fn changed_in(&self, window: Window) -> Vec<Value> {
        let Some(start) = window.start.map(odoo_time) else {
            return Vec::new();
        };
        let own = json!(["write_date", ">=", start]);
        if self.entity.model != "product.template" {
            return vec![own];
        }
        vec![json!("|"), own, json!(["product_variant_ids.write_date", ">=", start])]
    }

    async fn read(&self, domain: Vec<Value>, limit: Option<usize>) -> Result<Vec<SourceRow>, Failure> {
        let request = SearchRead {
            domain: domain.into(),
            fields: self.fields.clone(),
            order: Some("id asc".to_owned()),
            limit: limit.map(|limit| limit as u64),
            ..SearchRead::new(&self.entity.model)
        };
        let rows = self.client.search_read(&request).await?;
        let mut rows: Vec<SourceRow> = rows.into_iter().map(source_row).collect::<Result<_, _>>()?;
        for (lang, fields) in &self.translations {
            self.read_translations(&mut rows, lang, fields).await?;
        }
        Ok(rows)
    }

    /// Reads fields in a language into the rows, as `name@fr_FR`. A record that was deleted since its row was read has the
    /// row's own texts; whoever looks for deleted ones finds it.
    async fn read_translations(
        &self,
        rows: &mut [SourceRow],
        lang: &str,
        fields: &[String],
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        let ids: Vec<u64> = ids.into_iter().filter_map(|id| id.parse().ok()).collect();
        let request = SearchRead {
            domain: json!([["id", "in", ids]]),
            fields: fields.to_vec(),
            order: Some("id asc".to_owned()),
            context: language_context(lang),
            ..SearchRead::new(&self.entity.model)
        };
        let translated = self.client.search_read(&request).await?;
        let translated: HashMap<u64, Row> =
            translated.into_iter().filter_map(|row| Some((row.get("id")?.as_u64()?, row))).collect();
        for row in rows {
            let texts = row.key.as_str().parse().ok().and_then(|id: u64| translated.get(&id));
            for field in fields {
                let text = texts.or(Some(&row.values)).and_then(|texts| texts.get(field)).cloned();
                row.values.insert(format!("{field}@{lang}"), text.unwrap_or(Value::Bool(false)));
            }
        }
        Ok(())
    }
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Columns of the mapping.
    pub columns: usize,
    /// Optional columns that this server has no field for.
    pub left_out: Vec<String>,
    /// Records that a full run would read.
    pub records: u64,
}

/// Compares the columns of `entity` with the model's fields and counts its records: whether a run could read them.
///
/// # Errors
/// As [`OdooSource::open`], and `Systemic/Rights` where the user may not read the model.
pub async fn check(client: &OdooClient, entity: &OdooEntity) -> Result<Checked, Failure> {
    let known = known_fields(client, entity).await?;
    let source = OdooSource::resolve(client, entity, &known)?;
    let kept = source.mapping.columns();
    let left_out = entity.columns.iter().filter(|column| !kept.contains(&column.column));
    Ok(Checked {
        columns: kept.len(),
        left_out: left_out.map(|column| column.column.name.clone()).collect(),
        records: source.count().await?,
    })
}

/// How many records of `entity` the server has, archived ones included.
pub async fn count(client: &OdooClient, entity: &OdooEntity) -> Result<u64, Failure> {
    client.with_context(archived_too()).search_count(&entity.model, &entity.domain.clone().into()).await
}

/// Forgets what was learnt of a model's fields: the server has just said that one of them does not exist.
pub(crate) async fn forget_fields(source: &OdooSource, state: &State) -> Result<(), Failure> {
    state.set_memo(&memo_name(&source.client, &source.entity), None).await
}

fn memo_name(client: &OdooClient, entity: &OdooEntity) -> String {
    format!("fields {} {}", client.identity(), entity.model)
}

fn archived_too() -> Values {
    [("active_test".to_owned(), Value::Bool(false))].into_iter().collect()
}

/// Odoo's form of a time: UTC, no zone, whole seconds. A zone is ignored by 17 and 18 and refused by 19 (measured).
fn odoo_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn source_row(values: Values) -> Result<SourceRow, Failure> {
    let id = values.get("id").and_then(Value::as_u64).ok_or_else(|| {
        Failure::systemic(Reason::Protocol, "Odoo answered with a row that has no id")
            .advise("check with `catalog-sync check` that the address is an Odoo server")
    })?;
    let time = values.get("write_date").and_then(Value::as_str).map(str::to_owned);
    Ok(SourceRow { key: RecordKey::from(id), values, time, image: None })
}
