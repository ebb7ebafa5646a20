//! The producer's side of records: want and withdraw.

use super::dead_letter::clear;
use super::image::Image;
use super::record::{Noted, Record, Stage};
use super::work::Work;
use crate::failure::Failure;
use crate::job::JobKind;
use crate::record::{ImageReference, Outcome, RecordKey, Version};
use crate::state::{Run, Want, Wanted, Weighed, Weight};

/// See [`crate::state::State::want`].
pub(in crate::state) fn want(
    work: &mut Work,
    run: &Run,
    wants: &[Want],
    lost: bool,
) -> Result<Vec<Wanted>, Failure> {
    work.head.after.check(run)?;
    Ok(wants.iter().map(|want| want_one(work, run, want, lost)).collect())
}

/// See [`crate::state::State::weigh`].
pub(in crate::state) fn weigh(work: &Work, wants: &[Want], force: bool, lost: bool) -> Vec<Weighed> {
    wants.iter().map(|want| weigh_one(work, want, force, lost)).collect()
}

fn weigh_one(work: &Work, want: &Want, force: bool, lost: bool) -> Weighed {
    let (record, image) = (work.record(&want.key), work.image(&want.key));
    let want = &of_known_image(record, want);
    let weight = match record.stage() {
        Stage::Outstanding if !lost => Weight::Outstanding,
        // A run that begins now has noted nothing.
        stage => match (stage, same_as_wanted(record, want)) {
            (Stage::Dead, Some(_)) if !force => Weight::Dead,
            (Stage::Applied, Some(_)) if !force => Weight::Unchanged,
            _ => Weight::Enqueue,
        },
    };
    let is_noted = image.wanted.as_ref().is_some_and(|wanted| wanted.reference == want.image);
    let brings_image = want.image.as_ref().is_some_and(|reference| !is_noted && !image.is_applied(reference));
    Weighed {
        weight,
        is_known: record.wanted.is_some(),
        image: image.applied.as_ref().map(|applied| applied.reference.clone()),
        brings_image,
    }
}

fn same_as_wanted<'a>(record: &'a Record, want: &Want) -> Option<&'a Noted> {
    record.wanted.as_ref().filter(|wanted| wanted.checksum == want.checksum && wanted.image == want.image)
}

fn want_one(work: &mut Work, run: &Run, want: &Want, lost: bool) -> Wanted {
    let before = work.record(&want.key);
    let want = &of_known_image(before, want);
    if let Some(answer) = needless(before, run, want, lost) {
        return answer;
    }
    let mut record = before.clone();
    let place = match &record.wanted {
        Some(noted) if noted.run == run.id => noted.place,
        noted => {
            if let Some(older) = noted.as_ref().filter(|_| record.stage() == Stage::Outstanding) {
                work.count(older.run, older.place, Outcome::Superseded);
            }
            work.enqueue()
        }
    };
    let version = work.next_version();
    record.want(Noted {
        version,
        checksum: want.checksum,
        image: want.image.clone(),
        run: run.id,
        place,
        since: Some(work.now),
    });
    work.put_record(&want.key, record);
    Wanted::Enqueue { version, place }
}

/// An image that was never wanted is none of ours, and cannot be removed.
fn of_known_image(record: &Record, want: &Want) -> Want {
    let mut want = want.clone();
    let was_wanted = record.wanted.as_ref().is_some_and(|wanted| wanted.image.is_some());
    want.image = want.image.filter(|image| was_wanted || !image.is_removed());
    want
}

/// The table of [`crate::state::State::want`]; `None`: a job is to be enqueued.
fn needless(record: &Record, run: &Run, want: &Want, lost: bool) -> Option<Wanted> {
    let wanted = same_as_wanted(record, want)?;
    let noted = wanted.run == run.id;
    match record.stage() {
        Stage::Unknown => None,
        Stage::Dead | Stage::Applied if noted => Some(Wanted::Already),
        Stage::Dead => (!run.force).then_some(Wanted::Dead),
        Stage::Outstanding if record.dirty => None,
        Stage::Outstanding if wanted.version.epoch == run.epoch => Some(Wanted::Already),
        Stage::Outstanding if lost => None,
        Stage::Outstanding if noted => Some(Wanted::Already),
        Stage::Outstanding => Some(Wanted::Unchanged),
        Stage::Applied => (!run.force).then_some(Wanted::Unchanged),
    }
}

/// See [`crate::state::State::withdraw`].
pub(in crate::state) fn withdraw(work: &mut Work, keys: &[RecordKey]) -> Vec<RecordKey> {
    let mut gone = Vec::new();
    for key in keys {
        let mut record = work.record(key).clone();
        if record.stage() != Stage::Outstanding {
            continue;
        }
        if record.is_gone() {
            gone.push(key.clone());
            continue;
        }
        let Some(Noted { version, run, place, .. }) = record.wanted else {
            continue;
        };
        let image = withdraw_image(work, key, record.applied.is_some(), version);
        record.withdraw(image.as_ref());
        // An older letter of a record that is gone could never be cleared.
        clear(work, JobKind::Record, key, version);
        work.count(run, place, Outcome::Superseded);
        work.put_record(key, record);
    }
    gone
}

/// What the sink lacks of a withdrawn record's image is no longer wanted; the answer is the image that it has. The
/// record goes back to that one, so that it is enqueued again, and its image with it, should the source have both again.
pub(super) fn withdraw_image(
    work: &mut Work,
    key: &RecordKey,
    is_applied: bool,
    up_to: Version,
) -> Option<ImageReference> {
    let mut image = Image::default();
    if is_applied {
        image = work.image(key).clone();
        image.withdraw(up_to, work.now);
    }
    clear(work, JobKind::Image, key, up_to);
    let in_sink = image.applied.as_ref().map(|applied| applied.reference.clone());
    work.put_image(key, image);
    in_sink
}
