//! Which records of Odoo are ours: walked over by their external ids.

use std::collections::HashMap;

use serde_json::{Value, json};
use shared::failure::Failure;
use shared::odoo::SearchRead;
use shared::record::RecordKey;

use super::column::{ACTIVE, Kind};
use super::external::{LOOK_UP, number};
use super::sink::OdooSink;

/// A record of Odoo that carries an external id of this pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The record's key in the source.
    pub key: RecordKey,
    /// Its id in Odoo. The record may be gone: see [`OdooSink::active`].
    pub id: i64,
}

/// A page of [`Bound`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundPage {
    /// In the order in which they were bound.
    pub bound: Vec<Bound>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<i64>,
}

impl OdooSink {
    /// Columns that refer to other records: what their values lead to is found once.
    pub fn reference_columns(&self) -> usize {
        let is_reference = |kind: &Kind| matches!(kind, Kind::Reference { .. } | Kind::References { .. });
        self.columns.iter().filter(|column| is_reference(&column.kind)).count()
    }

    /// Some 1,000 records that carry our external ids; `after` is [`BoundPage::next`] of the page before. External ids
    /// whose names are none of a numeric key are another pipeline's.
    ///
    /// # Errors
    /// Why Odoo does not answer.
    pub async fn bound(&self, after: Option<i64>) -> Result<BoundPage, Failure> {
        let rows = self.names.page(&self.settings.entity, after, LOOK_UP).await?;
        let last = rows.last().map(|(row, ..)| *row);
        let next = last.filter(|_| rows.len() >= LOOK_UP);
        let key = |name: &str| {
            let digits = name.strip_prefix(self.settings.entity.as_str())?.strip_prefix('_')?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let bound = rows.iter().filter_map(|(_, name, id)| Some(Bound { key: key(name)?, id: *id }));
        Ok(BoundPage { bound: bound.collect(), next })
    }

    /// Whether records are active, by their ids; those that are gone are left out. Where records cannot be archived, all
    /// are.
    ///
    /// # Errors
    /// Why Odoo does not answer.
    pub async fn active(&self, ids: &[i64]) -> Result<HashMap<i64, bool>, Failure> {
        let mut active = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(LOOK_UP) {
            let mut search = SearchRead::new(&self.settings.model);
            search.domain = json!([["id", "in", ids]]);
            search.fields = if self.can_archive { vec![ACTIVE.to_owned()] } else { vec!["id".to_owned()] };
            for row in self.client.search_read(&search).await? {
                let is_active = row.get(ACTIVE).and_then(Value::as_bool).unwrap_or(true);
                active.extend(number(&row, "id").map(|id| (id, is_active)));
            }
        }
        Ok(active)
    }
}
