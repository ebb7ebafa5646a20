//! The worker's side of records: claim, release, settle; and doubts.

use std::collections::HashSet;

use super::dead_letter::clear;
use super::mark::{self, Marked, Marking, unmark_by};
use super::record::{Noted, Record, Stage};
use super::work::Work;
use crate::job::JobKind;
use crate::record::{Outcome, RecordKey};
use crate::state::{Claim, Claimant, Claimed, OutstandingImage, Settled};

/// See [`crate::state::State::claim`].
pub(in crate::state) fn claim(work: &mut Work, claims: &[Claim], claimant: &Claimant) -> Vec<Claimed> {
    claims.iter().map(|claim| claim_one(work, claim, claimant, claims.len())).collect()
}

fn claim_one(work: &mut Work, claim: &Claim, claimant: &Claimant, together: usize) -> Claimed {
    let Claim { key, version } = claim;
    let mut record = work.record(key).clone();
    let newer_wanted = record.wanted.as_ref().is_some_and(|wanted| wanted.version > *version);
    if newer_wanted || work.head.after.is_foreign(*version) {
        return Claimed::Superseded;
    }
    if record.applied.as_ref().is_some_and(|applied| applied.version >= *version) {
        return Claimed::Applied;
    }
    let marking = Marking { worker: &claimant.worker, alive: &work.alive, together };
    match marking.mark(&mut record.started, *version) {
        Marked::Held => Claimed::Held,
        Marked::Suspect { at_most } => Claimed::Suspect { at_most },
        Marked::Ours { marks, taken_over } => {
            if let Some(begun) = taken_over {
                record.doubt(begun, claimant.late, work.now);
            }
            let sink_id = record.applied.as_ref().and_then(|applied| applied.sink_id.clone());
            let is_gone =
                record.is_gone() && record.wanted.as_ref().is_some_and(|noted| noted.version == *version);
            let was_gone = record.archived && !is_gone;
            record.archived |= is_gone;
            work.put_record(key, record);
            Claimed::Go { marks, sink_id, was_gone }
        }
    }
}

/// See [`crate::state::State::release`].
pub(in crate::state) fn release(work: &mut Work, keys: &[RecordKey], claimant: &Claimant, unsure: bool) {
    for key in keys {
        let mut record = work.record(key).clone();
        if let Some(begun) = mark::release(&mut record.started, &claimant.worker)
            && unsure
        {
            record.doubt(begun, claimant.late, work.now);
        }
        work.put_record(key, record);
    }
}

/// See [`crate::state::State::mature`]; `keys`: of records whose doubts ran out.
pub(in crate::state) fn mature(work: &mut Work, keys: &[RecordKey]) -> Vec<RecordKey> {
    let mut dirty = Vec::new();
    for key in keys {
        let mut record = work.record(key).clone();
        if record.mature(work.now) {
            dirty.push(key.clone());
        }
        work.put_record(key, record);
    }
    dirty
}

/// See [`crate::state::State::settle`].
pub(in crate::state) fn settle(work: &mut Work, settled: &[Settled]) -> Vec<OutstandingImage> {
    let mut ended = Vec::with_capacity(settled.len());
    for job in settled {
        if !work.head.after.is_foreign(job.version) {
            settle_one(work, job);
            ended.push(job);
        }
    }
    let mut seen = HashSet::new();
    ended
        .into_iter()
        .filter(|job| job.outcome != Outcome::Superseded && seen.insert(&job.key))
        .filter_map(|job| work.image(&job.key).due(&job.key, work.now))
        .collect()
}

fn settle_one(work: &mut Work, job: &Settled) {
    let mut record = work.record(&job.key).clone();
    let wrote = job.outcome.is_written();
    let succeeded = wrote || job.outcome == Outcome::Unchanged;
    if succeeded {
        unmark_by(&mut record.started, job.version, &job.worker);
        let noted = Noted {
            version: job.version,
            checksum: job.checksum,
            image: job.image.clone(),
            run: job.run,
            place: job.place,
            since: Some(work.now),
        };
        record.apply(noted, job.sink_id.clone(), wrote, work.now);
        clear(work, JobKind::Record, &job.key, job.version);
        want_image(work, job, &record);
    }
    // Where the run gave the place again to a newer version, that one's end is the one to count.
    if succeeded || !record.place_goes_on(job.run, job.place, job.version) {
        work.count(job.run, job.place, job.outcome);
    }
    work.put_record(&job.key, record);
}

/// The image of a record follows its record: it is wanted once the sink has the record's newest version.
fn want_image(work: &mut Work, job: &Settled, record: &Record) {
    let Some(applied) = record.applied.as_ref().filter(|applied| applied.version == job.version) else {
        return;
    };
    let mut image = work.image(&job.key).clone();
    image.follow(job, applied.sink_id.as_deref(), work.now);
    if image.stage() == Stage::Applied {
        // Back to the image that the sink has, or to none: nothing is left that could clear a letter.
        clear(work, JobKind::Image, &job.key, job.version);
    }
    work.put_image(&job.key, image);
}
