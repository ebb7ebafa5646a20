//! The worker's side of images: claim, release, hold, settle, retry.

use jiff::Timestamp;

use super::dead_letter::clear;
use super::mark::{self, Marked, Marking, unmark};
use super::work::Work;
use crate::job::{Attempt, JobKind};
use crate::record::{Outcome, RecordKey, Version};
use crate::state::{Claimant, ClaimedImage, ImageClaim, SettledImage};

/// See [`crate::state::State::claim_images`].
pub(in crate::state) fn claim_images(
    work: &mut Work,
    claims: &[ImageClaim],
    under_way: usize,
    claimant: &Claimant,
) -> Vec<ClaimedImage> {
    // Few images are in hand at once, so who kills is looked for in one step, not among ten first.
    let together = if claims.len() + under_way > 1 { usize::MAX } else { 1 };
    claims.iter().map(|claim| claim_one(work, claim, claimant, together)).collect()
}

fn claim_one(work: &mut Work, claim: &ImageClaim, claimant: &Claimant, together: usize) -> ClaimedImage {
    let ImageClaim { key, version, reference } = claim;
    let mut image = work.image(key).clone();
    if image.supersedes(*version, reference) || work.head.after.is_foreign(*version) {
        return ClaimedImage::Superseded;
    }
    if image.is_applied(reference) {
        return ClaimedImage::Applied;
    }
    let marking = Marking { worker: &claimant.worker, alive: &work.alive, together };
    match marking.mark(&mut image.started, *version) {
        Marked::Held => ClaimedImage::Held,
        Marked::Suspect { .. } => ClaimedImage::Suspect,
        Marked::Ours { marks, .. } => {
            let applied = image.applied.as_ref().and_then(|applied| applied.hash);
            work.put_image(key, image);
            ClaimedImage::Go { marks, applied }
        }
    }
}

/// See [`crate::state::State::forget_images`].
pub(in crate::state) fn forget_images(work: &mut Work, keys: &[RecordKey]) {
    for key in keys {
        let mut image = work.image(key).clone();
        image.forget(work.now);
        work.put_image(key, image);
    }
}

/// See [`crate::state::State::release_images`].
pub(in crate::state) fn release_images(work: &mut Work, keys: &[RecordKey], claimant: &Claimant) {
    for key in keys {
        let mut image = work.image(key).clone();
        mark::release(&mut image.started, &claimant.worker);
        work.put_image(key, image);
    }
}

/// See [`crate::state::State::hold_images`].
pub(in crate::state) fn hold_images(work: &mut Work, held: &[(RecordKey, Version)], until: Timestamp) {
    for (key, version) in held {
        let mut image = work.image(key).clone();
        image.hold(*version, until);
        work.put_image(key, image);
    }
}

/// See [`crate::state::State::settle_images`].
pub(in crate::state) fn settle_images(work: &mut Work, settled: &[SettledImage]) {
    for job in settled {
        if work.head.after.is_foreign(job.version) {
            continue;
        }
        let mut image = work.image(&job.key).clone();
        image.settle(job, work.now);
        if job.outcome != Outcome::Superseded {
            unmark(&mut image.started, job.version);
            clear(work, JobKind::Image, &job.key, job.version);
        }
        work.put_image(&job.key, image);
    }
}

/// See [`crate::state::State::retry_image`].
pub(in crate::state) fn retry_image(
    work: &mut Work,
    key: &RecordKey,
    version: Version,
    retry_at: Timestamp,
    failure: &Attempt,
) {
    let mut image = work.image(key).clone();
    unmark(&mut image.started, version);
    image.retry(version, retry_at, failure, work.now);
    work.put_image(key, image);
}
