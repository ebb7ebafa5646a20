//! Items or contacts of one Zoho organisation.
//!
//! Inventory is walked by the time of change, ascending, from the last row's time on; that has no drift, unlike page
//! numbers. Books cannot be asked by time and is read whole every time. What does not move an item's time (stock, and
//! perhaps its image) is found by full runs alone.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::checksum::Checksum;
use shared::failure::{Failure, Reason};
use shared::mapping::Mapping;
use shared::record::RecordKey;
use shared::state::{Binding, Window};
use shared::zoho::{Api, Kind, Position, Row, ZohoClient, ZohoEntity};

use super::{Absent, SourcePage, SourceRow, details};

/// A walk ends with the page that reaches this far behind the beginning of its run: an organisation that is edited faster
/// than it is read would keep it going for ever, and what is newer belongs to the next run.
const BEHIND: SignedDuration = SignedDuration::from_mins(1);

/// So many items are asked for one by one, where more are looked for in the list.
const FEW: usize = 3;

/// Items or contacts of one Zoho organisation, inactive ones included.
#[derive(Debug, Clone)]
pub struct ZohoSource {
    client: ZohoClient,
    entity: ZohoEntity,
    mapping: Mapping,
    /// Fields of the mapping that a row may lack.
    optional: Vec<String>,
    /// Fields of the mapping that only the details of a record have.
    details: Vec<String>,
}

/// Reads the first page: whether a run could. What it says is for people.
///
/// # Errors
/// A missing scope, a wrong organisation, or what keeps Zoho from answering.
pub async fn check(client: &ZohoClient, entity: &ZohoEntity) -> Result<String, Failure> {
    let source = ZohoSource::new(client, entity);
    let page = source.read(&Position::first(entity.api, None)).await?;
    let records = page.rows.len();
    let mut rows = source.source_rows(page.rows)?;
    if source.has_details() {
        rows = source.complete(rows.into_iter().take(1).collect()).await?;
    }
    for row in rows {
        source.mapping.apply(&row.values)?;
    }
    Ok(format!("{} are readable, {records} on the first page", entity.kind.as_str()))
}

impl ZohoSource {
    /// A source of what `entity` names. Zoho has no list of the fields that a row has, so a field which no row has is told
    /// by the rows.
    pub fn new(client: &ZohoClient, entity: &ZohoEntity) -> Self {
        let columns = entity.columns.iter();
        let optional = columns
            .clone()
            .flat_map(|column| {
                let fields = column.column.origin.fields().into_iter();
                fields.filter(|(_, optional)| column.optional || *optional).map(|(name, _)| name.to_owned())
            })
            .collect();
        let mapping = Mapping::of_source(&entity.columns);
        Self {
            client: client.clone(),
            entity: entity.clone(),
            details: details::fields(&mapping.source_fields()),
            mapping,
            optional,
        }
    }

    pub(super) fn has_details(&self) -> bool {
        !self.details.is_empty()
    }

    pub(super) async fn complete(&self, rows: Vec<SourceRow>) -> Result<Vec<SourceRow>, Failure> {
        let ids: Vec<String> = rows.iter().map(|row| row.key.to_string()).collect();
        let found = details::of(&self.client, &self.entity, &ids).await?;
        let complete = |mut row: SourceRow| {
            details::merge(&self.details, found.get(row.key.as_str())?, &mut row.values);
            Some(row)
        };
        Ok(rows.into_iter().filter_map(complete).collect())
    }

    pub(super) fn identity(&self) -> String {
        let ZohoEntity { api, kind, .. } = &self.entity;
        format!("{} {} {}", self.client.identity(), api.as_str(), kind.as_str())
    }

    pub(super) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Which fields may be absent is part of what the mapping stands for: null would not be the same as a dead letter.
    pub(super) fn binding(&self, sink: &str) -> Binding {
        Binding {
            source: self.identity(),
            sink: sink.to_owned(),
            mapping: Checksum::of_value(&match self.entity.contact_type {
                None => json!([self.mapping.checksum(), self.optional]),
                Some(only) => json!([self.mapping.checksum(), self.optional, only.as_str()]),
            }),
        }
    }

    pub(super) fn clock(&self) -> Timestamp {
        let time = self.client.server_clock().unwrap_or_else(|| {
            tracing::warn!(
                organization = self.client.place().organization(),
                "Zoho sends no Date header: this machine's clock is used for the window's end"
            );
            Timestamp::now()
        });
        Timestamp::from_second(time.as_second()).unwrap_or(time)
    }

    /// Unknown: Zoho's lists tell no total.
    #[expect(clippy::unused_async, reason = "every source has the same functions, and others ask a server")]
    pub(super) async fn count(&self) -> Result<u64, Failure> {
        Ok(0)
    }

    pub(super) async fn page(&self, window: Window, position: Option<&str>) -> Result<SourcePage, Failure> {
        let position = match position {
            None => Position::first(self.entity.api, window.start),
            Some(text) => text.parse().map_err(|error| {
                Failure::configuration(format!(
                    "the state holds the position '{text}', which is none in a list of Zoho"
                ))
                .advise("run `catalog-sync sync --full`")
                .because(error)
            })?,
        };
        let page = self.read(&position).await?;
        let is_far_enough = |time: Timestamp| time.duration_since(window.end) >= BEHIND;
        let last = page.rows.last().and_then(Row::last_modified_time);
        let next = page.next().filter(|next| match next {
            Position::Changed { .. } => !last.is_some_and(is_far_enough),
            Position::Scan { .. } => true,
        });
        Ok(SourcePage {
            next: next.map(ToString::to_string),
            after: Some(page.after.to_string()),
            rows: self.source_rows(page.rows)?,
        })
    }

    /// The list is read until all are found: details by id would be cheaper, but their fields differ from those of the list,
    /// so that every record would look changed. What the list seems to lack is asked for by id before it counts as gone, since
    /// a row can move between two pages unseen.
    pub(super) async fn by_key(&self, keys: &[RecordKey]) -> Result<Vec<SourceRow>, Failure> {
        let mut wanted: HashSet<String> = keys.iter().map(ToString::to_string).collect();
        let mut found = self.few(&mut wanted).await?;
        found.extend(self.search(&mut wanted).await?);
        self.keep_existing(&mut wanted).await?;
        if !wanted.is_empty() {
            found.extend(self.search(&mut wanted).await?);
        }
        if !wanted.is_empty() {
            tracing::warn!(
                organization = self.client.place().organization(),
                records = wanted.len(),
                "Zoho has records by id which its list lacks"
            );
        }
        self.source_rows(found)
    }

    /// A hundred items are asked for in one call first: what it lacks is asked for alone.
    pub(super) async fn confirm(
        &self,
        keys: &[RecordKey],
        example: Option<&RecordKey>,
    ) -> Result<Absent, Failure> {
        let mut absent = Absent::default();
        let mut wanted: HashSet<String> = keys.iter().map(ToString::to_string).collect();
        if self.entity.kind == Kind::Items {
            let ids: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let details = self.client.item_details(self.entity.api, &ids).await?;
            wanted = details.missing.into_iter().collect();
            absent.there = (keys.len() - wanted.len()) as u64;
        }
        if let (false, Some(example)) = (wanted.is_empty(), example) {
            self.exists(example).await?.ok_or_else(|| super::distrusted(example))?;
        }
        for key in keys.iter().filter(|key| wanted.contains(key.as_str())) {
            match self.exists(key).await? {
                None => absent.gone.push(key.clone()),
                Some(row) if self.is_wanted(&row) => absent.there += 1,
                Some(_) => absent.left.push(key.clone()),
            }
        }
        Ok(absent)
    }

    async fn exists(&self, key: &RecordKey) -> Result<Option<Row>, Failure> {
        match self.client.record(self.entity.api, self.entity.kind, key.as_str()).await {
            Err(failure) if failure.reason == Reason::Missing => Ok(None),
            other => other.map(Some),
        }
    }

    /// A few items of Inventory are asked for one by one: its list can be asked for an id. What is found is no longer wanted.
    async fn few(&self, wanted: &mut HashSet<String>) -> Result<Vec<Row>, Failure> {
        let ZohoEntity { api, kind, .. } = self.entity;
        let mut found = Vec::new();
        if (api, kind) != (Api::Inventory, Kind::Items) || wanted.len() > FEW {
            return Ok(found);
        }
        let ids: Vec<String> = wanted.iter().cloned().collect();
        for id in ids {
            let Some(row) = self.client.listed_item(api, &id).await? else { break };
            wanted.remove(&id);
            found.push(row);
        }
        Ok(found)
    }

    /// Walks the list from its start until nothing is wanted any more; what is found is no longer wanted.
    async fn search(&self, wanted: &mut HashSet<String>) -> Result<Vec<Row>, Failure> {
        let mut found = Vec::new();
        let mut position = Some(Position::first(self.entity.api, None));
        while let Some(at) = position.take().filter(|_| !wanted.is_empty()) {
            let page = self.read(&at).await?;
            position = page.next().cloned();
            found.extend(page.rows.into_iter().filter(|row| wanted.remove(&row.id())));
        }
        Ok(found)
    }

    /// Leaves only ids that Zoho still has a record of.
    async fn keep_existing(&self, wanted: &mut HashSet<String>) -> Result<(), Failure> {
        let ids: Vec<String> = wanted.iter().cloned().collect();
        if self.entity.kind == Kind::Items {
            let details = self.client.item_details(self.entity.api, &ids).await?;
            wanted.retain(|id| !details.missing.contains(id));
            return Ok(());
        }
        for id in ids {
            match self.client.record(self.entity.api, self.entity.kind, &id).await {
                Err(failure) if failure.reason == Reason::Missing => {
                    wanted.remove(&id);
                }
                other => drop(other?),
            }
        }
        Ok(())
    }

    async fn read(&self, position: &Position) -> Result<shared::zoho::Page, Failure> {
        let ZohoEntity { api, kind, page_size, .. } = self.entity;
        self.client.page(api, kind, position, page_size).await
    }

    fn source_rows(&self, rows: Vec<Row>) -> Result<Vec<SourceRow>, Failure> {
        rows.into_iter().filter(|row| self.is_wanted(row)).map(|row| self.source_row(row)).collect()
    }

    /// Inventory's list cannot be asked for one type of contact.
    fn is_wanted(&self, row: &Row) -> bool {
        self.entity.contact_type.is_none_or(|only| {
            row.values().get("contact_type").and_then(Value::as_str) == Some(only.as_str())
        })
    }

    fn source_row(&self, row: Row) -> Result<SourceRow, Failure> {
        let key = row.id().parse::<RecordKey>().map_err(|error| {
            Failure::systemic(Reason::Protocol, "Zoho answered with a row whose id is none")
                .because(error)
                .advise("check that `api_url`, where it is set, is an API of Zoho")
        })?;
        let time = row.last_modified().map(str::to_owned);
        let image = row.image().map(|image| image.key());
        let mut values = row.into_values();
        for field in self.optional.iter().chain(&self.details) {
            values.entry(field).or_insert(Value::Null);
        }
        Ok(SourceRow { key, values, time, image })
    }
}
