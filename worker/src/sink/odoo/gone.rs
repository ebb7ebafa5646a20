//! Records that their source no longer has are archived, never deleted; those that come back are brought back.

use std::collections::HashMap;

use serde_json::Value;
use shared::failure::Failure;
use shared::job::Job;
use shared::record::{Outcome, RecordKey};

use super::super::look::{FieldChange, Looked};
use super::super::{Asked, Upserted};
use super::column::ACTIVE;
use super::sink::OdooSink;

type Answer = Result<Upserted, Failure>;

impl OdooSink {
    /// See [`super::super::Sink::bring`]. Only what carries our external id, and nobody else's, is archived.
    pub(in crate::sink) async fn bring(&mut self, asked: &[Asked<'_>]) -> Result<Vec<Answer>, Failure> {
        let values: Vec<&Job> = asked.iter().map(|asked| asked.job).filter(|job| !job.is_gone()).collect();
        let upserted = if values.is_empty() { Vec::new() } else { self.upsert(&values).await? };
        let gone = asked.iter().filter(|asked| asked.job.is_gone());
        let gone: Vec<RecordKey> = gone.map(|asked| asked.job.key.clone()).collect();
        let archived = self.archive_gone(&gone).await?;
        let (mut upserted, mut archived) = (upserted.into_iter(), archived.into_iter());
        let next = |asked: &Asked<'_>| if asked.job.is_gone() { archived.next() } else { upserted.next() };
        let mut answers: Vec<Answer> = asked.iter().filter_map(next).collect();
        self.bring_back(asked, &mut answers).await?;
        Ok(answers)
    }

    async fn archive_gone(&mut self, keys: &[RecordKey]) -> Result<Vec<Answer>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if !self.can_archive {
            let model = &self.settings.model;
            tracing::warn!(%model, records = keys.len(), "what the source deleted is kept: the model has no archive");
            return Ok(keys.iter().map(|_| Ok(upserted(Outcome::Unchanged))).collect());
        }
        let ids = self.ours_alone(keys).await?;
        let ours: Vec<RecordKey> = keys.iter().filter(|key| ids.contains_key(key)).cloned().collect();
        let archived = if ours.is_empty() { Vec::new() } else { self.archive(&ours).await? };
        let outcome = |outcome| upserted(if outcome == Outcome::Updated { Outcome::Gone } else { outcome });
        let mut archived: HashMap<RecordKey, Answer> =
            ours.into_iter().zip(archived.into_iter().map(|answer| answer.map(outcome))).collect();
        let answer = |key| archived.remove(key).unwrap_or_else(|| Ok(upserted(Outcome::Unchanged)));
        Ok(keys.iter().map(answer).collect())
    }

    /// Those of these records that carry our external id and nobody else's, with their ids.
    async fn ours_alone(&mut self, keys: &[RecordKey]) -> Result<HashMap<RecordKey, i64>, Failure> {
        let mut ids = self.ids_of(keys).await?;
        let all: Vec<i64> = ids.values().copied().collect();
        let others = self.names.named_by_others(&self.settings.entity, &all).await?;
        for (key, name) in ids.iter().filter_map(|(key, id)| Some((key, others.get(id)?))) {
            tracing::warn!(record = %key, %name, "the source deleted it; it is kept, as it has that external id, too");
        }
        ids.retain(|_, id| !others.contains_key(id));
        Ok(ids)
    }

    /// See [`crate::sink::SinkView::look_gone`].
    pub(crate) async fn look_gone(&mut self, keys: &[RecordKey]) -> Result<Vec<Looked>, Failure> {
        let ids = if self.can_archive { self.ours_alone(keys).await? } else { HashMap::new() };
        let active = self.active(&ids.values().copied().collect::<Vec<_>>()).await?;
        let looked = |key: &RecordKey| {
            let id = ids.get(key);
            let sink_id = id.map(ToString::to_string);
            if id.and_then(|id| active.get(id)) != Some(&true) {
                return Looked::Same { sink_id };
            }
            let (old, new) = (Some(Value::Bool(true)), Some(Value::Bool(false)));
            let fields = vec![FieldChange { field: ACTIVE.to_owned(), old, new }];
            Looked::Different { sink_id, binds: false, fields }
        };
        Ok(keys.iter().map(looked).collect())
    }

    /// Where a column says whether a record is archived, it has been followed already.
    async fn bring_back(&mut self, asked: &[Asked<'_>], answers: &mut [Answer]) -> Result<(), Failure> {
        if self.active.is_some() || !self.can_archive {
            return Ok(());
        }
        let is_back = |(asked, answer): &(&Asked<'_>, &mut Answer)| {
            let stands = answer.as_ref().is_ok_and(|upserted| upserted.outcome != Outcome::Superseded);
            asked.was_gone && !asked.job.is_gone() && stands
        };
        let (keys, back): (Vec<RecordKey>, Vec<&mut Answer>) = asked
            .iter()
            .zip(answers)
            .filter(is_back)
            .map(|(asked, answer)| (asked.job.key.clone(), answer))
            .unzip();
        if keys.is_empty() {
            return Ok(());
        }
        for (answer, unarchived) in back.into_iter().zip(self.unarchive(&keys).await?) {
            match (unarchived, answer) {
                (Err(failure), answer) => *answer = Err(failure),
                (Ok(Outcome::Updated), Ok(upserted)) if upserted.outcome == Outcome::Unchanged => {
                    upserted.outcome = Outcome::Updated;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn upserted(outcome: Outcome) -> Upserted {
    Upserted { outcome, sink_id: None }
}
