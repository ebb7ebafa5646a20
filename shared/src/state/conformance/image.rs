//! Rules of images: when they are wanted, claimed, settled, tried again and given up.

use super::*;

/// The number of an image that was removed in the source.
const REMOVED: u8 = u8::MAX;

/// An image that is in the source under number `number`.
pub(super) fn image(number: u8) -> ImageReference {
    if number == REMOVED {
        return ImageReference::removed();
    }
    format!("photo {number}.jpg").parse().unwrap()
}

/// An image job as whoever feeds the workers publishes it.
#[derive(Debug, Clone)]
pub(super) struct ImageJob(pub(super) Job);

impl ImageJob {
    pub(super) fn claim_of(&self) -> ImageClaim {
        ImageClaim {
            key: self.0.key.clone(),
            version: self.0.version,
            reference: self.0.image.clone().unwrap(),
        }
    }

    pub(super) async fn claim(&self, state: &State) -> ClaimedImage {
        self.claim_as(state, &us()).await
    }

    pub(super) async fn claim_as(&self, state: &State, claimant: &Claimant) -> ClaimedImage {
        let answers = state.claim_images(&products(), &[self.claim_of()], 0, claimant).await;
        answers.unwrap().remove(0)
    }

    /// The hash of the bytes is that of their reference.
    pub(super) async fn settle(&self, state: &State, outcome: Outcome) {
        let ImageClaim { key, version, reference } = self.claim_of();
        let (hash, written) = (Some(hash(&reference)), Some(kept(&reference)));
        let settled = SettledImage { key, version, reference, hash, written, outcome };
        state.settle_images(&products(), &[settled]).await.unwrap();
    }

    pub(super) async fn bury(&self, state: &State) {
        let letter = DeadLetter {
            job: self.0.clone(),
            failure: failed(Class::Permanent, "not an image"),
            unmapped: false,
        };
        state.bury(&[letter]).await.unwrap();
    }

    pub(super) async fn retry(&self, state: &State, at: Timestamp, failure: &Attempt) {
        let Job { key, version, .. } = &self.0;
        state.retry_image(&products(), key, *version, at, failure).await.unwrap();
    }
}

/// What the sink keeps of it.
pub(super) fn kept(reference: &ImageReference) -> ImageHash {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _] = *hash(reference).as_bytes();
    ImageHash::from(bytes)
}

fn hash(reference: &ImageReference) -> Checksum {
    Checksum::of_value(&reference.as_str().into())
}

pub(super) fn failed(class: Class, message: &str) -> Attempt {
    Attempt { at: time("2026-11-21T10:00:00Z"), class, reason: Reason::Timeout, message: message.to_owned() }
}

/// A moment that has passed, and one that no test reaches.
pub(super) fn due() -> Timestamp {
    time(PAST)
}

pub(super) fn far_off() -> Timestamp {
    time(FAR_OFF)
}

/// Wants a record with an image; it must be new.
pub(super) async fn enqueue_with(state: &State, run: &Run, id: u64, content: u8, image: Option<u8>) -> Made {
    let want = Want { image: image.map(self::image), ..want_of(id, content) };
    let answer = state.want(run, &[want], false).await.unwrap()[0];
    Made { image, ..made(run, id, content, answer) }
}

/// The record is brought into the sink; its image follows.
pub(super) async fn bring(state: &State, run: &Run, id: u64, content: u8, image: Option<u8>) -> Made {
    let job = enqueue_with(state, run, id, content, image).await;
    job.settle(state, Outcome::Updated).await;
    job
}

/// The jobs of all images that are due, oldest first.
pub(super) async fn image_jobs(state: &State) -> Vec<ImageJob> {
    let found = state.outstanding_images(&products(), None, 100).await.unwrap();
    found.into_iter().map(|image| ImageJob(image.into_job(products()))).collect()
}

/// The only image that is due.
pub(super) async fn image_job(state: &State) -> ImageJob {
    let mut jobs = image_jobs(state).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

pub(super) async fn next_retry(state: &State) -> Option<Timestamp> {
    state.next_image_retry(&products()).await.unwrap()
}

pub(super) async fn image_counts(state: &State) -> [u64; 4] {
    let ImageCounts { wanted, applied, outstanding, dead } = counts(state).await.images;
    [wanted, applied, outstanding, dead]
}

pub(super) fn goes_on(marks: u32, applied: Option<u8>) -> ClaimedImage {
    let applied = applied.map(|number| hash(&image(number)));
    ClaimedImage::Go { marks, applied }
}

pub(super) async fn only_an_image_that_was_wanted_can_be_removed(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(REMOVED)).await;
    assert_eq!(image_jobs(&state).await.len(), 0, "it never had one");
    bring(&state, &run, 2, 1, Some(1)).await;
    image_job(&state).await.settle(&state, Outcome::Created).await;
    finish(&state, &run).await;

    let run = begin(&state).await;
    let removed = |id| Want { image: Some(image(REMOVED)), ..want_of(id, 1) };
    assert_eq!(state.want(&run, &[removed(1)], false).await.unwrap(), [Wanted::Unchanged]);
    bring(&state, &run, 2, 1, Some(REMOVED)).await;
    let job = image_job(&state).await;
    assert_eq!(job.0.image, Some(image(REMOVED)));
    assert_eq!(job.claim(&state).await, goes_on(0, Some(1)));
    job.settle(&state, Outcome::Updated).await;
    assert_eq!(image_jobs(&state).await.len(), 0);
    finish(&state, &run).await;

    let run = begin(&state).await;
    assert_eq!(state.want(&run, &[removed(2)], false).await.unwrap(), [Wanted::Unchanged]);
    bring(&state, &run, 2, 2, Some(2)).await;
    assert_eq!(image_job(&state).await.0.image, Some(image(2)));
}

pub(super) async fn an_image_is_outstanding_once_its_record_stands_in_the_sink(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let record = enqueue_with(&state, &run, 1, 1, Some(1)).await;
    assert_eq!(image_jobs(&state).await.len(), 0, "its record is not there yet");
    record.settle(&state, Outcome::Superseded).await;
    assert_eq!(image_jobs(&state).await.len(), 0, "superseded is no success");
    let before = state.now().await.unwrap();
    record.settle(&state, Outcome::Unchanged).await;
    let found = state.outstanding_images(&products(), None, 10).await.unwrap();
    let expected = OutstandingImage {
        is_change: false,
        key: 1.into(),
        version: record.version,
        reference: image(1),
        sink_id: Some("sink-1".to_owned()),
        run: run.id,
        since: found[0].since,
        attempt: 1,
        failures: Vec::new(),
    };
    assert_eq!(found, [expected]);
    let after = state.now().await.unwrap();
    // Stores may keep milliseconds.
    let [before, since, after] = [before, found[0].since, after].map(Timestamp::as_millisecond);
    assert!(before <= since && since <= after);
    assert_eq!(image_counts(&state).await, [1, 0, 1, 0]);
    assert_eq!(counts(&state).await.outstanding, 0);
    let job = image_job(&state).await.0;
    assert_eq!(Job::decode(&job.encode()), Ok(job));
}

pub(super) async fn a_record_with_another_image_or_none_any_more_is_enqueued(store: impl Fixture) {
    let state = store.open().await;
    bring(&state, &begin(&state).await, 1, 1, Some(1)).await;
    let same = Want { image: Some(image(1)), ..want_of(1, 1) };
    let run = begin(&state).await;
    assert_eq!(state.want(&run, &[same], false).await.unwrap(), [Wanted::Unchanged]);
    let other = bring(&state, &run, 1, 1, Some(2)).await;
    let none = bring(&state, &run, 1, 1, None).await;
    assert_eq!((none.place, ledger(&state, run.id).await.enqueued), (other.place, 1));
    assert_eq!(want(&state, &begin(&state).await, 1, 1).await, Wanted::Unchanged);
}

pub(super) async fn the_same_image_is_brought_once(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let first = bring(&state, &run, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    bring(&state, &run, 1, 2, Some(1)).await;
    first.settle(&state, Outcome::Updated).await;
    assert_eq!(image_job(&state).await.0, job.0, "its job is under way already");
    job.settle(&state, Outcome::Created).await;
    bring(&state, &run, 1, 3, Some(1)).await.settle(&state, Outcome::Updated).await;
    assert_eq!(image_jobs(&state).await.len(), 0);
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
    assert_eq!(job.claim(&state).await, ClaimedImage::Applied);
}

pub(super) async fn another_image_takes_the_place_of_the_one_before(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let first = image_job(&state).await;
    first.retry(&state, far_off(), &failed(Class::Transient, "no answer")).await;
    bring(&state, &run, 1, 1, Some(2)).await;
    let second = image_job(&state).await;
    assert_eq!((second.0.image.clone(), second.0.attempt), (Some(image(2)), 1));
    assert_eq!(second.0.failures, []);
    assert_eq!(first.claim(&state).await, ClaimedImage::Superseded);
    second.bury(&state).await;
    bring(&state, &run, 1, 1, Some(3)).await;
    assert_eq!(image_counts(&state).await, [1, 0, 1, 1], "its letter is kept");
    let third = image_job(&state).await;
    assert_eq!(third.claim(&state).await, goes_on(0, None));
    third.settle(&state, Outcome::Created).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
    assert_eq!(state.dead_letters(&products(), 10).await.unwrap(), []);
}

pub(super) async fn an_image_that_the_source_lost_stays_in_the_sink(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    image_job(&state).await.settle(&state, Outcome::Created).await;
    bring(&state, &run, 1, 1, None).await;
    assert_eq!(image_counts(&state).await, [0, 1, 0, 0]);
    bring(&state, &run, 1, 1, Some(1)).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0], "it is back, and was there all the time");
    // What was not brought before it was lost is not brought any more.
    bring(&state, &run, 1, 1, Some(2)).await;
    let job = image_job(&state).await;
    job.bury(&state).await;
    bring(&state, &run, 1, 1, None).await;
    assert_eq!(job.claim(&state).await, ClaimedImage::Superseded);
    assert_eq!(image_counts(&state).await, [0, 1, 0, 0]);
    assert_eq!(state.dead_letters(&products(), 10).await.unwrap(), []);
}

pub(super) async fn back_to_the_image_in_the_sink_leaves_nothing_to_bring(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    image_job(&state).await.settle(&state, Outcome::Created).await;
    bring(&state, &run, 1, 1, Some(2)).await;
    let job = image_job(&state).await;
    assert_eq!(job.claim(&state).await, goes_on(0, Some(1)));
    job.bury(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
    assert_eq!(image_jobs(&state).await.len(), 0);
    assert_eq!(job.claim(&state).await, ClaimedImage::Superseded);
}

pub(super) async fn a_record_made_anew_in_the_sink_gets_its_image_again(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let before = image_job(&state).await;
    before.settle(&state, Outcome::Created).await;
    let job = enqueue_with(&state, &run, 1, 2, Some(1)).await;
    let anew = Settled { sink_id: Some("sink-9".to_owned()), ..job.settled(Outcome::Created) };
    for _ in 0..2 {
        state.settle(&products(), std::slice::from_ref(&anew)).await.unwrap();
    }
    let after = image_job(&state).await;
    assert_eq!(after.0.sink_id.as_deref(), Some("sink-9"));
    assert_eq!(after.claim(&state).await, goes_on(0, None), "what the lost record had is not compared with");
    after.settle(&state, Outcome::Created).await;
    state.settle(&products(), std::slice::from_ref(&anew)).await.unwrap();
    assert_eq!(image_counts(&state).await, [1, 1, 0, 0]);
    // Written to the record that is lost: says nothing of the one that is there.
    before.settle(&state, Outcome::Updated).await;
    assert_eq!(image_counts(&state).await, [1, 0, 1, 0]);
}

pub(super) async fn an_older_record_job_says_nothing_of_the_image(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    let older = enqueue_with(&state, &run, 1, 1, Some(1)).await;
    let newer = bring(&state, &run, 1, 2, Some(2)).await;
    older.settle(&state, Outcome::Unchanged).await;
    assert_eq!(image_job(&state).await.0.version, newer.version);
    let none = bring(&state, &run, 1, 2, None).await;
    newer.settle(&state, Outcome::Unchanged).await;
    assert!(none.version > newer.version);
    assert_eq!(image_jobs(&state).await.len(), 0);
    // Nor where no image of the record was ever wanted.
    let older = enqueue_with(&state, &run, 2, 1, Some(1)).await;
    bring(&state, &run, 2, 2, None).await;
    older.settle(&state, Outcome::Unchanged).await;
    assert_eq!(image_jobs(&state).await.len(), 0);
}

pub(super) async fn a_claimed_image_goes_on_with_the_hash_of_what_the_sink_has(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let first = image_job(&state).await;
    assert_eq!(first.claim(&state).await, goes_on(0, None));
    first.settle(&state, Outcome::Created).await;
    first.settle(&state, Outcome::Created).await;
    drop(state);
    let state = store.open().await;
    bring(&state, &run, 1, 1, Some(2)).await;
    assert_eq!(image_job(&state).await.claim(&state).await, goes_on(0, Some(1)));
    assert_eq!(image_counts(&state).await, [1, 1, 1, 0]);
}

pub(super) async fn a_hash_that_was_not_looked_at_is_kept(store: impl Fixture) {
    let state = store.open().await;
    let run = begin(&state).await;
    bring(&state, &run, 1, 1, Some(1)).await;
    let job = image_job(&state).await;
    job.settle(&state, Outcome::Created).await;
    let unseen = SettledImage {
        key: 1.into(),
        version: job.0.version,
        reference: image(1),
        hash: None,
        written: None,
        outcome: Outcome::Unchanged,
    };
    state.settle_images(&products(), &[unseen]).await.unwrap();
    bring(&state, &run, 1, 1, Some(2)).await;
    assert_eq!(image_job(&state).await.claim(&state).await, goes_on(0, Some(1)));
}
