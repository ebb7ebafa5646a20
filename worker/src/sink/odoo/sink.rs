//! The Odoo sink: opening it, and what can be asked of it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use serde_json::json;
use shared::failure::{Class, Failure, Reason};
use shared::job::Job;
use shared::odoo::{OdooClient, SearchRead};
use shared::record::{Outcome, RecordKey};

use super::super::Upserted;
use super::change::{Change, What};
use super::column::{ACTIVE, ATTRIBUTES, Column};
use super::external::{ExternalIds, LOOK_UP};
use super::image;
use super::opening::{check_languages, check_prefix, check_rights, find_columns, find_keys};
use super::record::newest;
use super::reference::References;
use super::settings::OdooSinkSettings;
use super::upsert::Batch;

/// Records that one archiving call is for.
const ARCHIVE: usize = 500;

/// One model of one Odoo database, as the place where a pipeline's records go.
///
/// A record and its external id are written in one transaction, and every attempt looks first at what is there: so any call
/// may be repeated, whatever has become of it before.
pub struct OdooSink {
    pub(super) client: OdooClient,
    pub(super) settings: OdooSinkSettings,
    pub(super) columns: Vec<Column>,
    /// Position of the column that says whether a record is archived.
    pub(super) active: Option<usize>,
    /// Positions of the columns that records without our external id are found by.
    pub(super) match_by: Vec<usize>,
    pub(super) names: ExternalIds,
    pub(super) references: References,
    /// Records that were found for one that has no external id of ours, while nothing was written: nobody else's either.
    pub(super) promised: HashSet<i64>,
    /// Whether records of the model can be archived.
    pub(super) can_archive: bool,
}

impl OdooSink {
    /// Checks settings, rights and columns: `columns` are those of the pipeline's mapping, named like Odoo's fields; a
    /// reference may end in `/id` (external ids) or `/.id` (database ids), a text in `@` and a language.
    ///
    /// # Errors
    /// Systemic: a column that this Odoo does not have or that cannot be written (with the name that was probably meant), a
    /// prefix that belongs to a module of Odoo, a missing right; and whatever keeps Odoo from answering.
    pub async fn open(
        client: OdooClient,
        settings: OdooSinkSettings,
        columns: &[String],
    ) -> Result<Self, Failure> {
        settings.check()?;
        let client = client.with_context(settings.whole_context());
        let fields = client.fields_get(&settings.model, &ATTRIBUTES.map(str::to_owned)).await?;
        let found = find_columns(columns, &settings, &fields)?;
        let match_by = find_keys(&settings.match_by, &found)?;
        check_languages(&client, &found).await?;
        check_prefix(&client, &settings).await?;
        check_rights(&client, &settings, &found).await?;
        Ok(Self {
            names: ExternalIds::new(client.clone(), &settings.prefix, &settings.model),
            references: References::new(client.clone(), &settings.prefix),
            promised: HashSet::new(),
            active: found.iter().position(|column| column.field == ACTIVE),
            can_archive: fields.contains_key(ACTIVE),
            client,
            settings,
            columns: found,
            match_by,
        })
    }

    /// Brings records into Odoo: one answer per job, in their order. What Odoo has is read first, what is equal is not
    /// written. Of several jobs of one record the older versions are answered as superseded.
    ///
    /// # Errors
    /// Of a job: permanent where its values are refused; transient where Odoo failed after it was sent, and then it says
    /// that the outcome is unknown. The outer failure is the system's and says nothing of any job.
    pub async fn upsert(&mut self, jobs: &[&Job]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
        let newest = newest(jobs);
        let working: Vec<usize> =
            newest.iter().enumerate().filter(|(at, best)| at == *best).map(|(at, _)| at).collect();
        let batch: Vec<&Job> = working.iter().filter_map(|at| jobs.get(*at).copied()).collect();
        let mut answers = Batch::new(self, &batch).run().await?;
        Box::pin(self.upsert_doubtful(&batch, &mut answers)).await?;
        let answers: HashMap<usize, Result<Upserted, Failure>> = working.into_iter().zip(answers).collect();
        let superseded = || Ok(Upserted { outcome: Outcome::Superseded, sink_id: None });
        let answer = |(at, best): (usize, usize)| {
            let is_same = jobs.get(at).map(|job| job.version) == jobs.get(best).map(|job| job.version);
            answers.get(&best).filter(|_| is_same).cloned().unwrap_or_else(superseded)
        };
        Ok(newest.into_iter().enumerate().map(answer).collect())
    }

    /// What was refused may have named a record by a memory that is not true any more: those are looked up and sent once
    /// more.
    async fn upsert_doubtful(
        &mut self,
        batch: &[&Job],
        answers: &mut [Result<Upserted, Failure>],
    ) -> Result<(), Failure> {
        let is_refused =
            |answer: &Result<_, Failure>| matches!(answer, Err(failure) if failure.class == Class::Permanent);
        let refused: Vec<usize> =
            answers.iter().enumerate().filter(|(_, answer)| is_refused(answer)).map(|(at, _)| at).collect();
        if refused.is_empty() || !self.references.were_remembered() {
            return Ok(());
        }
        let before = self.references.forget();
        let again: Vec<&Job> = refused.iter().filter_map(|at| batch.get(*at).copied()).collect();
        let mut again = Batch::new(self, &again);
        again.resolve(true).await?;
        if again.leads_where(&before) {
            return Ok(());
        }
        for (at, answer) in refused.into_iter().zip(again.write().await?) {
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        }
        Ok(())
    }

    /// How long a call that was broken off may still be carried out, where this Odoo is set up otherwise.
    pub(crate) fn set_late(&mut self, late: Duration) {
        self.settings.late = late;
    }

    /// See [`OdooSinkSettings::late`].
    pub(crate) fn late(&self) -> Duration {
        self.settings.late
    }

    /// Archives records, with their templates where they are product variants. Those that Odoo does not have, and those that
    /// are archived already, are unchanged.
    ///
    /// # Errors
    /// As [`Self::upsert`]; systemic where records of the model cannot be archived.
    pub async fn archive(&mut self, keys: &[RecordKey]) -> Result<Vec<Result<Outcome, Failure>>, Failure> {
        self.set_active(keys, false).await
    }

    /// Brings archived records back; the contrary of [`Self::archive`].
    ///
    /// # Errors
    /// As [`Self::archive`].
    pub(crate) async fn unarchive(
        &mut self,
        keys: &[RecordKey],
    ) -> Result<Vec<Result<Outcome, Failure>>, Failure> {
        self.set_active(keys, true).await
    }

    async fn set_active(
        &mut self,
        keys: &[RecordKey],
        to: bool,
    ) -> Result<Vec<Result<Outcome, Failure>>, Failure> {
        if !self.can_archive {
            let what = format!("records of model '{}' cannot be archived", self.settings.model);
            return Err(Failure::systemic(Reason::Field, what).advise("keep what the source deletes"));
        }
        let ids = self.ids_of(keys).await?;
        let mut differing: HashMap<i64, bool> = HashMap::new();
        let all: Vec<i64> = ids.values().copied().collect();
        for chunk in all.chunks(LOOK_UP) {
            let mut search = SearchRead::new(&self.settings.model);
            search.domain = json!([["id", "in", chunk], [ACTIVE, "=", !to]]);
            differing.extend(self.client.search(&search).await?.into_iter().map(|id| (id, true)));
        }
        let mut answers: Vec<Result<Outcome, Failure>> =
            keys.iter().map(|_| Ok(Outcome::Unchanged)).collect();
        let wanted = keys.iter().enumerate().filter_map(|(row, key)| {
            let id = *ids.get(key)?;
            // A key that is given twice is archived once.
            differing.remove(&id).map(|_| (row, id))
        });
        let (rows, ids): (Vec<usize>, Vec<i64>) = wanted.unzip();
        let method = if to { "action_unarchive" } else { "action_archive" };
        let change = Change { rows, what: What::Action { method, ids } };
        let applied = change.apply(&self.client, &self.settings.model, ARCHIVE).await;
        let is_hopeless = |failure: &Failure| {
            failure.class != Class::Transient && applied.answers.iter().all(|(_, answer)| answer.is_err())
        };
        if let Some(failure) = applied.stopped.as_ref().filter(|failure| is_hopeless(failure)) {
            return Err(failure.clone());
        }
        for (row, answer) in applied.answers {
            if let Some(place) = answers.get_mut(row) {
                *place = answer.map(|_| Outcome::Updated);
            }
        }
        Ok(answers)
    }

    /// Ids in Odoo of records that carry our external id; those that do not are left out. Records deleted in the database
    /// itself may still be named. 1,000 keys a call.
    pub async fn ids_of(&mut self, keys: &[RecordKey]) -> Result<HashMap<RecordKey, i64>, Failure> {
        let names: Vec<String> = keys.iter().map(|key| self.external_name(key)).collect();
        let targets = self.names.look_up(&names).await?;
        let ours = |(key, name): (&RecordKey, String)| {
            let target = targets.get(&name).filter(|target| target.model == self.settings.model)?;
            Some((key.clone(), target.id))
        };
        Ok(keys.iter().zip(names).filter_map(ours).collect())
    }

    /// Takes the external id from a record, which stays in Odoo and is no longer ours. Tells whether there was one.
    pub async fn unbind(&mut self, key: &RecordKey) -> Result<bool, Failure> {
        let name = self.external_name(key);
        let targets = self.names.look_up(std::slice::from_ref(&name)).await?;
        match targets.get(&name).filter(|target| target.model == self.settings.model) {
            Some(target) => self.names.unbind(&[target.row]).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// SHA-1 in hexadecimal digits of the image that Odoo keeps, by record id; a record without image is left out.
    pub async fn image_hashes(&mut self, ids: &[i64]) -> Result<HashMap<i64, String>, Failure> {
        image::hashes(&self.client, &self.settings.model, ids).await
    }

    /// Number of records that carry our external ids.
    pub async fn count(&self) -> Result<u64, Failure> {
        self.names.count(&self.settings.entity).await
    }

    /// The name of a record's external id, without the prefix.
    pub(super) fn external_name(&self, key: &RecordKey) -> String {
        self.settings.external_name(key.as_str())
    }
}

impl fmt::Debug for OdooSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OdooSink")
            .field("server", &self.client.identity())
            .field("columns", &self.columns.len())
            .finish_non_exhaustive()
    }
}
