//! Dead letters: one per record, and one per image.

use std::collections::BTreeMap;

use super::image::Image;
use super::mark::unmark;
use super::record::{Noted, Stage};
use super::want::withdraw_image;
use super::work::Work;
use crate::job::JobKind;
use crate::record::{ImageReference, Outcome, PipelineName, RecordKey, Version};
use crate::state::{DeadLetter, LetterKey, Raised};

/// Letters by their pipelines, in their order.
pub(in crate::state) fn by_pipeline(letters: &[DeadLetter]) -> BTreeMap<&PipelineName, Vec<&DeadLetter>> {
    let mut sorted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for letter in letters {
        sorted.entry(&letter.job.pipeline).or_default().push(letter);
    }
    sorted
}

/// See [`crate::state::State::bury`]; all letters are of one pipeline.
pub(in crate::state) fn bury(work: &mut Work, letters: &[&DeadLetter]) {
    for letter in letters {
        let job = &letter.job;
        if work.head.after.is_foreign(job.version) {
            continue;
        }
        match (job.kind, &job.image) {
            (JobKind::Record, _) => bury_record(work, letter),
            (JobKind::Image, Some(reference)) => bury_image(work, letter, reference),
            // No job is decoded or made without: there would be no image to give up.
            (JobKind::Image, None) => {}
        }
    }
}

fn bury_record(work: &mut Work, letter: &DeadLetter) {
    let job = &letter.job;
    let mut record = work.record(&job.key).clone();
    unmark(&mut record.started, job.version);
    // What a newer version, or a second worker, has achieved already is no longer to be looked into.
    let obsolete = record.applied.as_ref().is_some_and(|applied| applied.version >= job.version);
    if !obsolete {
        record.bury(Noted {
            version: job.version,
            checksum: job.checksum,
            image: job.image.clone(),
            run: job.run,
            place: job.place,
            since: None,
        });
        note(work, letter);
    }
    if !record.place_goes_on(job.run, job.place, job.version) {
        work.count(job.run, job.place, Outcome::Dead);
    }
    work.put_record(&job.key, record);
}

fn bury_image(work: &mut Work, letter: &DeadLetter, reference: &ImageReference) {
    let job = &letter.job;
    let mut image = work.image(&job.key).clone();
    unmark(&mut image.started, job.version);
    if image.bury(job, reference, work.now) {
        note(work, letter);
    }
    work.put_image(&job.key, image);
}

/// See [`crate::state::State::redrive`].
pub(in crate::state) fn redrive(work: &mut Work, letters: &[LetterKey]) -> Vec<Raised> {
    let one = |work: &mut Work, LetterKey { kind, key, version }: &LetterKey| match kind {
        JobKind::Record => {
            let mut record = work.record(key).clone();
            if !record.redrive(*version, work.now) {
                return Raised::UnderWay;
            }
            work.put_record(key, record);
            Raised::Done
        }
        JobKind::Image => {
            let mut image = work.image(key).clone();
            if !image.redrive(*version, work.now) {
                return Raised::UnderWay;
            }
            work.put_image(key, image);
            Raised::Done
        }
    };
    letters
        .iter()
        .map(|letter| if is_there(work, letter) { one(work, letter) } else { Raised::Missing })
        .collect()
}

/// See [`crate::state::State::discard`].
pub(in crate::state) fn discard(work: &mut Work, letters: &[LetterKey]) -> Vec<Raised> {
    letters
        .iter()
        .map(|letter| if is_there(work, letter) { discard_one(work, letter) } else { Raised::Missing })
        .collect()
}

fn is_there(work: &Work, letter: &LetterKey) -> bool {
    work.letter(letter.kind, &letter.key) == Some(letter.version)
}

fn discard_one(work: &mut Work, LetterKey { kind, key, version }: &LetterKey) -> Raised {
    match kind {
        JobKind::Record => {
            let mut record = work.record(key).clone();
            if record.stage() != Stage::Dead {
                return Raised::UnderWay;
            }
            record.dead = false;
            let in_sink = withdraw_image(work, key, record.applied.is_some(), *version);
            record.withdraw(in_sink.as_ref());
            work.put_record(key, record);
        }
        JobKind::Image => {
            let mut image: Image = work.image(key).clone();
            if image.stage() != Stage::Dead {
                return Raised::UnderWay;
            }
            image.withdraw(*version, work.now);
            work.put_image(key, image);
        }
    }
    clear(work, *kind, key, *version);
    Raised::Done
}

/// Writes a letter over an older one of its record or image.
fn note(work: &mut Work, letter: &DeadLetter) {
    let job = &letter.job;
    if work.letter(job.kind, &job.key).is_none_or(|existing| existing <= job.version) {
        work.put_letter(job.kind, &job.key, Some(job.version));
        work.noted.push(letter.clone());
    }
}

/// Removes the letter of a record, or of its image, unless it is about a newer version than `up_to`.
pub(super) fn clear(work: &mut Work, kind: JobKind, key: &RecordKey, up_to: Version) {
    if work.letter(kind, key).is_some_and(|existing| existing <= up_to) {
        work.put_letter(kind, key, None);
    }
}
