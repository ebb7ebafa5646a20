//! Whether records that were not read are gone.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use shared::failure::{Failure, Reason};
use shared::odoo::SearchRead;
use shared::record::RecordKey;

use super::OdooSource;
use crate::source::{Absent, distrusted};

impl OdooSource {
    /// A search leaves out what this user may not see, and that is not gone: `read` is asked too, which leaves out what is
    /// not there and refuses what is hidden (measured on 17, 18 and 19).
    pub(in crate::source) async fn confirm(
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
            return Err(distrusted(example));
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
}
