//! The first look: source, sink and state are walked over once, and whatever does not fit is noted as a suspect. Nothing
//! is said of anybody yet: a record that changes while it is looked at looks wrong.

use std::collections::{HashMap, HashSet};

use producer::keys::Keys;
use producer::mapped::Mapped;
use producer::source::Source;
use shared::checksum::Checksum;
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::job::Job;
use shared::record::RecordKey;
use shared::state::{ImageStand, Known, Stage, State, Window};
use worker::sink::{Looked, SinkView};

use super::budget::Budget;
use super::finding::Totals;

/// Records of the state that are read together.
pub(crate) const TOGETHER: usize = 500;

/// Who has to be looked at again. Some 100 bytes a record.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    /// Of the source, with what they were: missing, different or refused in the sink, or with a new image.
    pub(crate) differing: HashMap<RecordKey, Checksum>,
    /// In the sink and not in the source.
    pub(crate) extra: Vec<RecordKey>,
    /// Of the same record of the sink as another one, by that record's id.
    pub(crate) sharing: Vec<(RecordKey, i64)>,
    /// Their images are not as we wrote them.
    pub(crate) images: Vec<RecordKey>,
    /// In the state and not in the source.
    pub(crate) remembered: Vec<RecordKey>,
}

impl Suspects {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { differing, extra, sharing, images, remembered } = self;
        differing.is_empty()
            && extra.is_empty()
            && sharing.is_empty()
            && images.is_empty()
            && remembered.is_empty()
    }
}

/// What is looked at.
pub(crate) struct Survey<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) state: &'a State,
    pub(crate) source: &'a Source,
    pub(crate) view: &'a mut SinkView,
    pub(crate) budget: Budget<'a>,
    pub(crate) totals: &'a mut Totals,
}

impl Survey<'_> {
    pub(crate) async fn walk(mut self) -> Result<Suspects, Failure> {
        let mut suspects = Suspects::default();
        let seen = self.source(&mut suspects).await?;
        self.sink(&seen, &mut suspects).await?;
        self.state(&seen, &mut suspects).await?;
        Ok(suspects)
    }

    async fn source(&mut self, suspects: &mut Suspects) -> Result<Keys, Failure> {
        let window = Window { start: None, end: self.source.clock() };
        let (mut seen, mut position) = (Keys::default(), None);
        loop {
            let page = self.source.page(window, position.as_deref()).await?;
            position = page.next;
            let images = self.pipeline.takes_images();
            let mapped = Box::pin(Mapped::whole(self.source, page.rows, images)).await?;
            for mapped in &mapped {
                self.totals.source += u64::from(!seen.contains(&mapped.row.key));
                seen.insert(&mapped.row.key);
            }
            self.compare(mapped, suspects).await?;
            self.budget.check()?;
            if position.is_none() {
                return Ok(seen);
            }
        }
    }

    async fn compare(&mut self, mapped: Vec<Mapped>, suspects: &mut Suspects) -> Result<(), Failure> {
        let new_images = new_images(self.pipeline, self.state, &mapped).await?;
        let mut jobs: Vec<Job> = Vec::with_capacity(mapped.len());
        for mapped in mapped {
            let (key, checksum) = (mapped.row.key.clone(), mapped.checksum);
            match mapped.for_looking(self.source.mapping(), &self.pipeline.name) {
                Ok(job) => jobs.push(job),
                Err(_) => drop(suspects.differing.insert(key, checksum)),
            }
        }
        let answers = self.view.look(&jobs.iter().collect::<Vec<_>>()).await?;
        for (job, answer) in jobs.into_iter().zip(answers) {
            match answer {
                Ok(Looked::Same { .. }) if !new_images.contains(&job.key) => self.totals.in_step += 1,
                _ => drop(suspects.differing.insert(job.key, job.checksum)),
            }
        }
        Ok(())
    }

    async fn sink(&mut self, seen: &Keys, suspects: &mut Suspects) -> Result<(), Failure> {
        let sink = match &mut *self.view {
            SinkView::Json(view) => {
                self.totals.sink = view.keys().count() as u64;
                suspects.extra.extend(view.keys().filter(|key| !seen.contains(key)));
                return Ok(());
            }
            SinkView::Odoo(sink) => sink,
        };
        let (mut named, mut after) = (HashSet::new(), None);
        loop {
            let page = sink.bound(after).await?;
            self.totals.sink += page.bound.len() as u64;
            for bound in page.bound {
                if !named.insert(bound.id) {
                    suspects.sharing.push((bound.key.clone(), bound.id));
                }
                if !seen.contains(&bound.key) {
                    suspects.extra.push(bound.key);
                }
            }
            self.budget.check()?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn state(&mut self, seen: &Keys, suspects: &mut Suspects) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = self.state.known(&self.pipeline.name, after.as_deref(), TOGETHER).await?;
            self.totals.state += page.records.len() as u64;
            for known in &page.records {
                // What a sweep has found to be gone is remembered as that.
                let is_gone = known.wanted.is_none_or(|wanted| wanted.checksum == Checksum::GONE);
                if !seen.contains(&known.key) && !is_gone {
                    suspects.remembered.push(known.key.clone());
                }
            }
            let wrong = wrong_images(self.view, &page.records, self.totals).await?;
            suspects.images.extend(wrong.into_iter().map(|(key, _)| key));
            self.budget.check()?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// Which records have another image in the source than was brought. What the state knows nothing of has none: an image
/// that stands in the sink would look new.
pub(crate) async fn new_images(
    pipeline: &Pipeline,
    state: &State,
    mapped: &[Mapped],
) -> Result<HashSet<RecordKey>, Failure> {
    if !pipeline.takes_images() {
        return Ok(HashSet::new());
    }
    let wants: Vec<_> = mapped.iter().map(Mapped::want).collect();
    let weighed = state.weigh(&pipeline.name, &wants, false, false).await?;
    let new = wants.into_iter().zip(weighed).filter(|(_, weighed)| weighed.brings_image && weighed.is_known);
    Ok(new.map(|(want, _)| want.key).collect())
}

/// Whose images are not as we wrote them, with what is there; counts the others.
pub(crate) async fn wrong_images(
    view: &mut SinkView,
    records: &[Known],
    totals: &mut Totals,
) -> Result<Vec<(RecordKey, Option<String>)>, Failure> {
    let SinkView::Odoo(sink) = view else { return Ok(Vec::new()) };
    let mut brought: Vec<(&RecordKey, i64, &ImageStand)> = Vec::new();
    for known in records {
        match (known.image_stage, &known.applied_image, known.sink_id.as_deref()) {
            (Stage::Applied, Some(image), Some(id)) => {
                brought.extend(id.parse().ok().map(|id| (&known.key, id, image)));
            }
            (Stage::Outstanding | Stage::Dead, ..) => totals.images_waiting += 1,
            _ => {}
        }
    }
    if brought.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = brought.iter().map(|(_, id, _)| *id).collect();
    let there = sink.image_hashes(&ids).await?;
    let mut wrong = Vec::new();
    for (key, id, image) in brought {
        let (written, there) = (image.written.map(|hash| hash.to_string()), there.get(&id));
        match (written, there) {
            (_, None) => wrong.push((key.clone(), None)),
            (Some(written), Some(there)) if !written.eq_ignore_ascii_case(there) => {
                wrong.push((key.clone(), Some(there.clone())));
            }
            (Some(_), Some(_)) => totals.images += 1,
            (None, Some(_)) => totals.images_unknown += 1,
        }
    }
    Ok(wrong)
}
