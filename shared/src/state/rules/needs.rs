//! What a store has to load for a call.

use std::collections::BTreeSet;

use super::work::Head;
use crate::job::JobKind;
use crate::record::{RecordKey, RunId};
use crate::state::{Claim, DeadLetter, ImageClaim, LetterKey, Run, Settled, SettledImage, Want};

/// What a rule reads, and may change. What is known to be there of none (images of a pipeline without any, letters
/// where none is dead) is left out. Loading more than is named here does no harm.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::state) struct Needs<'a> {
    pub(in crate::state) records: BTreeSet<&'a RecordKey>,
    pub(in crate::state) images: BTreeSet<&'a RecordKey>,
    /// Versions of dead letters.
    pub(in crate::state) letters: BTreeSet<(JobKind, &'a RecordKey)>,
    /// The run whose number of enqueued jobs is needed.
    pub(in crate::state) places: Option<RunId>,
    /// Whether the workers are alive that [`Work::workers`](super::Work::workers) names.
    pub(in crate::state) workers: bool,
}

impl<'a> Needs<'a> {
    pub(in crate::state) fn want(run: &Run, wants: &'a [Want]) -> Self {
        let records = wants.iter().map(|want| &want.key).collect();
        Self { records, places: Some(run.id), ..Self::default() }
    }

    pub(in crate::state) fn weigh(head: &Head, wants: &'a [Want]) -> Self {
        let keys = || wants.iter().map(|want| &want.key);
        let images = if head.has_images() { keys().collect() } else { BTreeSet::new() };
        Self { records: keys().collect(), images, ..Self::default() }
    }

    pub(in crate::state) fn withdraw(head: &Head, keys: &'a [RecordKey]) -> Self {
        let images = if head.has_images() { keys.iter().collect() } else { BTreeSet::new() };
        let mut needs = Self { records: keys.iter().collect(), images, ..Self::default() };
        needs.letters_of(head, JobKind::Record, keys.iter());
        needs.letters_of(head, JobKind::Image, keys.iter());
        needs
    }

    pub(in crate::state) fn claim(claims: &'a [Claim]) -> Self {
        let records = claims.iter().map(|claim| &claim.key).collect();
        Self { records, workers: true, ..Self::default() }
    }

    /// For the calls that change nothing but the records themselves.
    pub(in crate::state) fn records(keys: &'a [RecordKey]) -> Self {
        Self { records: keys.iter().collect(), ..Self::default() }
    }

    pub(in crate::state) fn settle(head: &Head, settled: &'a [Settled]) -> Self {
        let keys = || settled.iter().map(|job| &job.key);
        let with_image = settled.iter().filter(|job| job.image.is_some() || head.has_images());
        let images = with_image.map(|job| &job.key).collect();
        let mut needs = Self { records: keys().collect(), images, ..Self::default() };
        needs.letters_of(head, JobKind::Record, keys());
        needs.letters_of(head, JobKind::Image, keys());
        needs
    }

    pub(in crate::state) fn claim_images(claims: &'a [ImageClaim]) -> Self {
        Self { workers: true, ..Self::images(claims.iter().map(|claim| &claim.key)) }
    }

    /// For the calls that change nothing but the images themselves.
    pub(in crate::state) fn images(keys: impl Iterator<Item = &'a RecordKey>) -> Self {
        Self { images: keys.collect(), ..Self::default() }
    }

    pub(in crate::state) fn settle_images(head: &Head, settled: &'a [SettledImage]) -> Self {
        let keys = || settled.iter().map(|job| &job.key);
        let mut needs = Self::images(keys());
        needs.letters_of(head, JobKind::Image, keys());
        needs
    }

    /// All of one record but its letters.
    pub(in crate::state) fn look(key: &'a RecordKey) -> Self {
        let key = || std::iter::once(key).collect();
        Self { records: key(), images: key(), workers: true, ..Self::default() }
    }

    /// `letters`: all of one pipeline.
    pub(in crate::state) fn bury(letters: &[&'a DeadLetter]) -> Self {
        let mut needs = Self::default();
        for DeadLetter { job, .. } in letters.iter().copied() {
            let load = match job.kind {
                JobKind::Record => &mut needs.records,
                JobKind::Image => &mut needs.images,
            };
            load.insert(&job.key);
            needs.letters.insert((job.kind, &job.key));
        }
        needs
    }

    /// To redrive or to discard. With a record its image is discarded, too.
    pub(in crate::state) fn raise(letters: &'a [LetterKey]) -> Self {
        let mut needs = Self::default();
        for LetterKey { kind, key, .. } in letters {
            needs.images.insert(key);
            needs.letters.insert((JobKind::Image, key));
            if *kind == JobKind::Record {
                needs.records.insert(key);
                needs.letters.insert((JobKind::Record, key));
            }
        }
        needs
    }

    fn letters_of(&mut self, head: &Head, kind: JobKind, keys: impl Iterator<Item = &'a RecordKey>) {
        let dead = match kind {
            JobKind::Record => head.counts.dead,
            JobKind::Image => head.counts.images.dead,
        };
        if dead > 0 {
            self.letters.extend(keys.map(|key| (kind, key)));
        }
    }
}
