//! Records of one Odoo model.
//!
//! What changed since a point in time is walked by id (`id > last`, `order id asc`), which has no ties. All rows of one
//! transaction share one `write_date` to the microsecond, so paging by `write_date` loops on Odoo 17 and 18 and skips rows
//! on 19; and a `write_date >` cursor loses rows on 19, where it is rewritten to the next whole second (measured).

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::checksum::Checksum;
use shared::config::{OdooEntity, suggest};
use shared::failure::{Failure, Reason};
use shared::mapping::Mapping;
use shared::odoo::{OdooClient, SearchRead};
use shared::record::{RecordKey, Values};
use shared::state::{Binding, State, Window};

use super::{Absent, SourcePage, SourceRow};

/// Records of one Odoo model, archived ones included.
#[derive(Debug, Clone)]
pub struct OdooSource {
    client: OdooClient,
    entity: OdooEntity,
    mapping: Mapping,
    fields: Vec<String>,
}

/// The fields of a model, as they were read from a server of this version.
#[derive(Serialize, Deserialize)]
struct KnownFields {
    server: String,
    fields: Vec<String>,
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
            && let Ok(source) = Self::resolve(client, entity, &known.fields)
        {
            return Ok(source);
        }
        let fields = known_fields(client, entity).await?;
        let source = Self::resolve(client, entity, &fields)?;
        let known = KnownFields { server: client.version().text.clone(), fields };
        let text = serde_json::to_string(&known).expect("names are text");
        state.set_memo(&memo, Some(&text)).await?;
        Ok(source)
    }

    fn resolve(client: &OdooClient, entity: &OdooEntity, known: &[String]) -> Result<Self, Failure> {
        let mut columns = Vec::with_capacity(entity.columns.len());
        for column in &entity.columns {
            let is_known = |name: &str| known.iter().any(|field| field == name);
            let lacks = column.column.origin.fields().into_iter();
            let lacks = lacks.filter(|(name, optional)| !is_known(name) && !optional);
            match lacks.map(|(name, _)| name.to_owned()).next() {
                Some(_) if column.optional => {}
                Some(name) => return Err(missing_field(client, entity, &name, known)),
                None => columns.push(column.column.clone()),
            }
        }
        let mapping = Mapping::new(columns);
        let mut fields: Vec<String> = mapping.source_fields().into_iter().map(str::to_owned).collect();
        fields.retain(|field| known.contains(field));
        if known.iter().any(|field| field == "write_date")
            && !fields.iter().any(|field| field == "write_date")
        {
            fields.push("write_date".to_owned());
        }
        let client = client.with_context(archived_too());
        Ok(Self { client, entity: entity.clone(), mapping, fields })
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

    /// A search leaves out what this user may not see, and that is not gone: `read` is asked too, which leaves out what is
    /// not there and refuses what is hidden (measured on 17, 18 and 19).
    pub(super) async fn confirm(
        &self,
        keys: &[RecordKey],
        example: Option<&RecordKey>,
    ) -> Result<Absent, Failure> {
        let ids: HashMap<i64, &RecordKey> =
            keys.iter().filter_map(|key| Some((key.as_str().parse().ok()?, key))).collect();
        let mut absent = Absent { there: (keys.len() - ids.len()) as u64, ..Absent::default() };
        let mut asked: Vec<i64> = ids.keys().copied().collect();
        let example_id: Option<i64> = example.and_then(|example| example.as_str().parse().ok());
        asked.extend(example_id);
        let there = self.ids(Vec::new(), &asked).await?;
        if let (Some(example), Some(id)) = (example, example_id)
            && !there.contains(&id)
        {
            return Err(super::distrusted(example));
        }
        let read = self.ids(self.entity.domain.clone(), &asked).await?;
        let mut unseen = Vec::new();
        for (id, key) in &ids {
            match (there.contains(id), read.contains(id)) {
                (false, _) => unseen.push(*id),
                (true, false) => absent.left.push((*key).clone()),
                (true, true) => absent.there += 1,
            }
        }
        let hidden = self.hidden(unseen.clone()).await?;
        absent.there += hidden.len() as u64;
        unseen.retain(|id| !hidden.contains(id));
        absent.gone = unseen.iter().filter_map(|id| ids.get(id).map(|key| (*key).clone())).collect();
        absent.gone.sort();
        Ok(absent)
    }

    /// Which of these there are, archived ones too.
    async fn ids(&self, mut domain: Vec<Value>, ids: &[i64]) -> Result<HashSet<i64>, Failure> {
        domain.push(json!(["id", "in", ids]));
        let request = SearchRead { domain: domain.into(), ..SearchRead::new(&self.entity.model) };
        Ok(self.client.search(&request).await?.into_iter().collect())
    }

    /// Which of these are there and not for this user. One that is refuses all that are read with it.
    async fn hidden(&self, ids: Vec<i64>) -> Result<HashSet<i64>, Failure> {
        let mut hidden = HashSet::new();
        let mut parts = vec![ids];
        while let Some(part) = parts.pop() {
            let (first, rest) = part.split_at(part.len() / 2);
            if part.is_empty() {
                continue;
            }
            match self.client.read(&self.entity.model, &part, &self.fields).await {
                Ok(rows) => hidden.extend(rows.iter().filter_map(|row| row.get("id")?.as_i64())),
                Err(failure) if failure.reason != Reason::Rights => return Err(failure),
                Err(_) if first.is_empty() => hidden.extend(rest),
                Err(_) => parts.extend([first.to_vec(), rest.to_vec()]),
            }
        }
        Ok(hidden)
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
        rows.into_iter().map(source_row).collect()
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
    let fields = known_fields(client, entity).await?;
    let source = OdooSource::resolve(client, entity, &fields)?;
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

async fn known_fields(client: &OdooClient, entity: &OdooEntity) -> Result<Vec<String>, Failure> {
    Ok(client.fields_get(&entity.model, &["type".to_owned()]).await?.keys().cloned().collect())
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

fn missing_field(client: &OdooClient, entity: &OdooEntity, name: &str, known: &[String]) -> Failure {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = suggest(name, &known);
    let advice = if near.starts_with("did") {
        near
    } else {
        format!("take it out of the pipeline, or write \"{name}?\" to leave it out where it does not exist")
    };
    Failure::systemic(
        Reason::Field,
        format!("{} on Odoo {} has no field '{name}' for this user", entity.model, client.version().text),
    )
    .advise(advice)
}
