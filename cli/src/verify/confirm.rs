//! The second look: each suspect is read again, from both sides. Who has changed in the source meanwhile is not judged, and
//! who is in step by now is not told of.

use std::collections::{HashMap, HashSet};

use producer::mapped::Mapped;
use producer::only::ByKey;
use producer::source::{Source, SourceRow};
use shared::checksum::Checksum;
use shared::config::{Gone, Pipeline};
use shared::failure::Failure;
use shared::job::Job;
use shared::record::RecordKey;
use shared::state::{Sight, Stage, State};
use worker::sink::{Looked, SinkView};

use super::budget::Budget;
use super::finding::{Drift, Finding, Totals};
use super::survey::{Suspects, new_images, wrong_images};

/// Records that are looked at together.
const TOGETHER: usize = 500;

/// Where findings go, one after the other.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Finding) -> Result<(), Failure> + Send);

/// What is looked at.
pub(crate) struct Confirm<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) state: &'a State,
    pub(crate) source: &'a Source,
    pub(crate) view: &'a mut SinkView,
    pub(crate) budget: Budget<'a>,
    pub(crate) totals: &'a mut Totals,
    pub(crate) take: Take<'a>,
    /// Found not to be in the sink: nothing more is said of their images.
    pub(crate) absent: HashSet<RecordKey>,
}

impl Confirm<'_> {
    pub(crate) async fn all(mut self, suspects: Suspects) -> Result<(), Failure> {
        let Suspects { differing, extra, sharing, images, remembered } = suspects;
        let gone = extra.iter().chain(&remembered);
        let keys: HashSet<RecordKey> = differing.keys().chain(gone).cloned().collect();
        let there = self.of_source(keys, &differing).await?;
        let is_gone = |key: &RecordKey| !there.contains(key);
        self.extra(extra.into_iter().filter(is_gone).collect()).await?;
        self.remembered(remembered.into_iter().filter(is_gone).collect()).await?;
        self.sharing(sharing).await?;
        self.images(images).await
    }

    fn tell(&mut self, finding: Finding) -> Result<(), Failure> {
        self.totals.add(finding.drift);
        if matches!(finding.drift, Drift::Missing | Drift::Refused | Drift::Orphan) {
            self.absent.insert(finding.record.clone());
        }
        (self.take)(finding)
    }

    /// Reads suspects again; tells those that still differ, and answers who is in the source.
    async fn of_source(
        &mut self,
        keys: HashSet<RecordKey>,
        differing: &HashMap<RecordKey, Checksum>,
    ) -> Result<HashSet<RecordKey>, Failure> {
        let mut there = HashSet::new();
        let mut missing: HashSet<&RecordKey> = differing.keys().collect();
        let mut rows = ByKey::listed(self.source, keys.into_iter());
        while let Some(rows) = rows.more().await? {
            there.extend(rows.iter().map(|row| row.key.clone()));
            let rows: Vec<SourceRow> = rows.into_iter().filter(|row| missing.remove(&row.key)).collect();
            self.judge(rows, differing).await?;
            self.budget.check()?;
        }
        // Deleted in the source while it was read.
        self.totals.changing += missing.len() as u64;
        Ok(there)
    }

    async fn judge(
        &mut self,
        rows: Vec<SourceRow>,
        before: &HashMap<RecordKey, Checksum>,
    ) -> Result<(), Failure> {
        let images = self.pipeline.takes_images();
        let mapped = Box::pin(Mapped::whole(self.source, rows, images)).await?;
        let new_images = new_images(self.pipeline, self.state, &mapped).await?;
        let mut jobs: Vec<Job> = Vec::with_capacity(mapped.len());
        for mapped in mapped {
            let key = mapped.row.key.clone();
            if before.get(&key) != Some(&mapped.checksum) {
                self.totals.changing += 1;
                continue;
            }
            match mapped.for_looking(self.source.mapping(), &self.pipeline.name) {
                Ok(job) => jobs.push(job),
                Err(failure) => {
                    self.tell(Finding::new(key, Drift::Refused).because(format!("{failure:#}")))?;
                }
            }
        }
        let answers = self.view.look(&jobs.iter().collect::<Vec<_>>()).await?;
        for (job, answer) in jobs.into_iter().zip(answers) {
            let (checksum, key) = (job.checksum, job.key);
            let finding = match answer {
                Ok(Looked::Same { sink_id }) if new_images.contains(&key) => {
                    let why = "the source has another image since it was last synced";
                    Finding { sink_id, ..Finding::new(key, Drift::WrongImage).because(why) }
                }
                Ok(Looked::Same { .. }) => {
                    self.totals.in_step += 1;
                    continue;
                }
                Ok(Looked::Missing { .. }) => Finding::new(key, Drift::Missing),
                Ok(Looked::Different { binds: true, sink_id, .. }) => {
                    let why = "it is there by its values, and has no external id of ours";
                    Finding { sink_id, ..Finding::new(key, Drift::Missing).because(why) }
                }
                Ok(Looked::Different { sink_id, fields, .. }) => {
                    Finding { sink_id, fields, ..Finding::new(key, Drift::Different) }
                }
                Err(failure) => Finding::new(key, Drift::Refused).because(format!("{failure:#}")),
            };
            let finding = self.explained(finding, checksum).await?;
            self.tell(finding)?;
        }
        Ok(())
    }

    /// Adds what the state says of a record that is missing or differs.
    async fn explained(&self, finding: Finding, checksum: Checksum) -> Result<Finding, Failure> {
        if finding.why.is_some() {
            return Ok(finding);
        }
        let sight = self.state.look(&self.pipeline.name, &finding.record).await?;
        let why = why(sight.as_ref(), checksum, finding.drift);
        Ok(finding.because(why))
    }

    /// In the sink and not in the source.
    async fn extra(&mut self, keys: Vec<RecordKey>) -> Result<(), Failure> {
        if let SinkView::Json(view) = &mut *self.view {
            let doubles: Vec<u64> = view.doubles().to_vec();
            let still: Vec<RecordKey> = keys.into_iter().filter(|key| view.contains(key)).collect();
            for key in still {
                let SinkView::Json(view) = &mut *self.view else { return Ok(()) };
                if view.is_marked(&key)? || self.is_kept(&key).await? {
                    self.totals.archived += 1;
                    continue;
                }
                self.tell(Finding::new(key, Drift::Extra).because("the source has no such record"))?;
            }
            for id in doubles {
                let why = "the file has this id more than once; the last one counts";
                self.tell(Finding::new(id.into(), Drift::Duplicate).because(why))?;
            }
            return Ok(());
        }
        for keys in keys.chunks(TOGETHER) {
            let SinkView::Odoo(sink) = &mut *self.view else { return Ok(()) };
            let ids = sink.ids_of(keys).await?;
            let active = sink.active(&ids.values().copied().collect::<Vec<_>>()).await?;
            for key in keys {
                let Some(id) = ids.get(key) else { continue };
                let kept = active.get(id) == Some(&true) && self.is_kept(key).await?;
                let finding = match active.get(id) {
                    Some(_) if kept => {
                        self.totals.archived += 1;
                        continue;
                    }
                    Some(false) => {
                        self.totals.archived += 1;
                        continue;
                    }
                    Some(true) => Finding::new(key.clone(), Drift::Extra)
                        .because("the source has no such record, and it is not archived"),
                    None => Finding::new(key.clone(), Drift::Orphan)
                        .because("its external id leads to no record, and the source has none"),
                };
                self.tell(Finding { sink_id: Some(id.to_string()), ..finding })?;
            }
            self.budget.check()?;
        }
        Ok(())
    }

    /// A record of ours that the source no longer has stays, where the pipeline says so.
    async fn is_kept(&self, key: &RecordKey) -> Result<bool, Failure> {
        let keeps = self.pipeline.sweep.gone == Gone::Keep;
        Ok(keeps && self.state.look(&self.pipeline.name, key).await?.is_some())
    }

    /// In the state and not in the source: orphans where the sink has them neither.
    async fn remembered(&mut self, keys: Vec<RecordKey>) -> Result<(), Failure> {
        for keys in keys.chunks(TOGETHER) {
            let in_sink: HashSet<RecordKey> = match &mut *self.view {
                SinkView::Json(view) => keys.iter().filter(|key| view.contains(key)).cloned().collect(),
                SinkView::Odoo(sink) => sink.ids_of(keys).await?.into_keys().collect(),
            };
            for key in keys.iter().filter(|key| !in_sink.contains(*key)) {
                let why = "the state remembers it, source and sink have no such record";
                self.tell(Finding::new(key.clone(), Drift::Orphan).because(why))?;
            }
        }
        Ok(())
    }

    /// Two external ids of ours on one record of Odoo.
    async fn sharing(&mut self, sharing: Vec<(RecordKey, i64)>) -> Result<(), Failure> {
        for chunk in sharing.chunks(TOGETHER) {
            let keys: Vec<RecordKey> = chunk.iter().map(|(key, _)| key.clone()).collect();
            let SinkView::Odoo(sink) = &mut *self.view else { return Ok(()) };
            let ids = sink.ids_of(&keys).await?;
            for (key, id) in chunk.iter().filter(|(key, id)| ids.get(key) == Some(id)) {
                let why =
                    format!("record {id} of Odoo carries the external id of another record of ours, too");
                let finding = Finding::new(key.clone(), Drift::Duplicate).because(why);
                self.tell(Finding { sink_id: Some(id.to_string()), ..finding })?;
            }
        }
        Ok(())
    }

    async fn images(&mut self, mut keys: Vec<RecordKey>) -> Result<(), Failure> {
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| !self.absent.contains(key));
        for keys in keys.chunks(TOGETHER) {
            let mut known = Vec::with_capacity(keys.len());
            for key in keys {
                known.extend(self.state.look(&self.pipeline.name, key).await?.map(|sight| sight.known));
            }
            let mut uncounted = Totals::default();
            let wrong = wrong_images(self.view, &known, &mut uncounted).await?;
            for (key, there) in wrong {
                let why = match there {
                    Some(there) => {
                        format!("Odoo has an image with sha1 {there}, which is not the one written")
                    }
                    None => "Odoo has no image of it any more".to_owned(),
                };
                self.tell(Finding::new(key, Drift::WrongImage).because(why))?;
            }
            self.budget.check()?;
        }
        Ok(())
    }
}

/// Why a record is not in step, as far as the state can tell.
fn why(sight: Option<&Sight>, checksum: Checksum, drift: Drift) -> String {
    let Some(sight) = sight else { return "the state knows nothing of it".to_owned() };
    let known = &sight.known;
    match known.stage {
        Stage::Dead => match &sight.letter {
            Some(letter) => format!("it is a dead letter: {}", letter.failure.message),
            None => "it is a dead letter".to_owned(),
        },
        Stage::Outstanding => "it is outstanding".to_owned(),
        _ if known.applied.is_some_and(|applied| applied.checksum == checksum) => match drift {
            Drift::Missing => "it was in step: somebody took it out of the sink".to_owned(),
            _ => "it was in step: somebody changed it in the sink".to_owned(),
        },
        _ => "it changed in the source since it was last synced".to_owned(),
    }
}
