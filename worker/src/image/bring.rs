//! One image on its way: fetch, inspect, compare, write. What becomes of its job is not decided here.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use shared::checksum::Checksum;
use shared::failure::{Class, Failure, Reason};
use shared::job::Job;
use shared::odoo::Base64;
use shared::record::{ImageHash, ImageReference, Outcome, RecordKey};
use shared::telemetry::{Meter, Stage};
use tokio::task::spawn_blocking;

use super::budget::Budget;
use super::cache::ImageCache;
use super::desk::Desk;
use super::fetch::{Fetched, ImageSource};
use super::flaw::Flaw;
use super::inspect::{ImageLimits, Inspected};
use super::scale::{Fitted, Scaling};
use super::sink::ImageSink;

/// Images that are remembered as fetched and not written. Beyond that, the oldest have surely been evicted.
const UNWRITTEN_MAX: usize = 1_000;

/// So many bytes are hashed or encoded in a tenth of a millisecond.
const AT_HAND: usize = 1 << 16;

/// How bytes are looked at; tests put something that crashes in its place.
pub(super) type Inspect = fn(&[u8], &ImageLimits) -> Result<Inspected, Flaw>;

/// Brings images from a source to a sink.
#[derive(Debug)]
pub(super) struct Bringer<S> {
    pub(super) source: ImageSource,
    /// Bytes are encoded while it is held: whatever the number of images under way, one at a time is in the memory in base64.
    pub(super) sink: Desk<S>,
    pub(super) cache: Option<Arc<ImageCache>>,
    pub(super) limits: ImageLimits,
    pub(super) budget: Budget,
    /// For pixels. Whoever holds some of it waits for nothing else.
    pub(super) pixels: Budget,
    pub(super) scaling: Scaling,
    pub(super) inspect: Inspect,
    /// Fetched, in the cache, and not in the sink yet. A source counts every call, so the next attempt asks here first.
    pub(super) unwritten: Mutex<HashMap<(RecordKey, ImageReference), Checksum>>,
    pub(super) meter: Meter,
}

/// How an image ended in the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brought {
    /// Created, updated or unchanged.
    pub(super) outcome: Outcome,
    /// sha256 of its bytes; `None` where it was taken away.
    pub(super) hash: Option<Checksum>,
    /// SHA-1 of what the sink keeps, where it was written or looked at there.
    pub(super) written: Option<ImageHash>,
}

impl<S: ImageSink> Bringer<S> {
    /// Brings the image of a job, unless the sink has the same bytes: `applied` is their sha256, as far as is remembered.
    pub(super) async fn bring(&self, job: &Job, applied: Option<Checksum>) -> Result<Brought, Failure> {
        let (Some(reference), Some(sink_id)) = (&job.image, &job.sink_id) else {
            return Err(Failure::permanent(
                Reason::Undecodable,
                "the job names no image, or no record of the sink",
            )
            .advise("run `catalog-sync dead redrive`; where it comes back, report it"));
        };
        if reference.is_removed() {
            let outcome = self.clear(sink_id).await?;
            return Ok(Brought { outcome, hash: None, written: None });
        }
        let mut reserved = self.budget.reserve(self.limits.bytes).await;
        let place = (job.key.clone(), reference.clone());
        let fetched = match self.remembered(&place).await? {
            Some(bytes) => Fetched { bytes, framed: true },
            None => self.fetch(&job.key, reference, applied.is_some()).await?,
        };
        reserved.shrink(fetched.bytes.len());
        let (inspected, bytes) = self.inspected(fetched).await?;
        let bytes = Arc::new(bytes);
        let hash = inspected.sha256;
        if applied == Some(hash) {
            return Ok(Brought { outcome: Outcome::Unchanged, hash: Some(hash), written: None });
        }
        let (fitted, stays) = self.fitted(&job.key, inspected, &bytes).await?;
        let written = {
            let _step = self.meter.stage(Stage::ImageWrite);
            self.write(sink_id, fitted, stays).await
        };
        if written.is_err() {
            self.keep(place, hash, bytes).await;
        } else {
            self.unwritten().remove(&place);
        }
        let (outcome, written) = written?;
        Ok(Brought { outcome, hash: Some(hash), written })
    }

    async fn fetch(
        &self,
        key: &RecordKey,
        reference: &ImageReference,
        is_changed: bool,
    ) -> Result<Fetched, Failure> {
        let ImageLimits { bytes, time, .. } = self.limits;
        let _step = self.meter.stage(Stage::ImageFetch);
        let fetched = self.source.fetch(key, reference, bytes, time, is_changed).await?;
        self.meter.image_fetched(fetched.bytes.len());
        Ok(fetched)
    }

    /// Looks at bytes, away from the threads that wait for the network.
    async fn inspected(&self, fetched: Fetched) -> Result<(Inspected, Vec<u8>), Failure> {
        let Fetched { bytes, framed } = fetched;
        let (inspect, limits) = (self.inspect, self.limits);
        let looked = aside(bytes.len(), move || {
            let inspected = inspect(&bytes, &limits)?;
            Ok((inspected, bytes))
        });
        looked.await?.map_err(|flaw| match flaw {
            Flaw::Cut { .. } if !framed => Failure::transient(
                Reason::Unreachable,
                format!("{flaw}, and the source did not say how long it is"),
            ),
            _ => flaw.into(),
        })
    }

    /// The bytes as the sink keeps them, and whether it does. What cannot be decoded here is sent as it is: the sink may
    /// know more, and encodes it anew.
    async fn fitted(
        &self,
        key: &RecordKey,
        image: Inspected,
        bytes: &Arc<Vec<u8>>,
    ) -> Result<(Fitted, bool), Failure> {
        if !self.scaling.applies_to(&image) {
            return Ok((Fitted { bytes: Arc::clone(bytes), sha1: image.sha1 }, true));
        }
        let held = self.pixels.reserve(self.scaling.memory(&image, bytes)).await;
        let (scaling, seen, whole) = (self.scaling, image.clone(), Arc::clone(bytes));
        let fitted = spawn_blocking(move || scaling.fit(&seen, &whole)).await;
        drop(held);
        let why = match fitted {
            Ok(Ok(fitted)) => return Ok((fitted, true)),
            Ok(Err(error)) => error.to_string(),
            Err(error) if error.is_cancelled() => return Err(crashed(&error)),
            Err(_) => "the decoder crashed".to_owned(),
        };
        tracing::warn!(record = %key, "the image is sent as it is, it cannot be scaled: {why}");
        Ok((Fitted { bytes: Arc::clone(bytes), sha1: image.sha1 }, false))
    }

    /// Writes what differs, and tells what the sink keeps then.
    async fn write(
        &self,
        sink_id: &str,
        image: Fitted,
        stays: bool,
    ) -> Result<(Outcome, Option<ImageHash>), Failure> {
        let ours = image.sha1.parse().ok();
        let (kept, mut sink) = self.sink.turn(sink_id).await?;
        let outcome = match kept {
            Some(sha1) if sha1.eq_ignore_ascii_case(&image.sha1) => return Ok((Outcome::Unchanged, ours)),
            Some(_) => Outcome::Updated,
            None => Outcome::Created,
        };
        let length = image.bytes.len();
        let encoded = aside(length, move || Base64::of(&image.bytes)).await?;
        sink.write_image(sink_id, Some(encoded)).await?;
        self.meter.image_written(length);
        if stays {
            return Ok((outcome, ours));
        }
        // It stands in the sink: that nobody knows as what is no reason to write it again.
        let kept = sink.image_hashes(&[sink_id.to_owned()]).await.unwrap_or_default().remove(sink_id);
        Ok((outcome, kept.and_then(|sha1| sha1.parse().ok())))
    }

    /// The source has no image of this record any more.
    async fn clear(&self, sink_id: &str) -> Result<Outcome, Failure> {
        let _step = self.meter.stage(Stage::ImageWrite);
        let (kept, mut sink) = self.sink.turn(sink_id).await?;
        if kept.is_none() {
            return Ok(Outcome::Unchanged);
        }
        sink.write_image(sink_id, None).await?;
        Ok(Outcome::Updated)
    }

    /// The bytes of an image that was fetched before and could not be written then.
    async fn remembered(&self, place: &(RecordKey, ImageReference)) -> Result<Option<Vec<u8>>, Failure> {
        let Some(cache) = self.cache.clone() else {
            return Ok(None);
        };
        let Some(hash) = self.unwritten().get(place).copied() else {
            return Ok(None);
        };
        spawn_blocking(move || cache.get(hash)).await.map_err(|error| crashed(&error))
    }

    /// Puts an image that could not be written into the cache. Those that can, nearly all, cost no file.
    async fn keep(&self, place: (RecordKey, ImageReference), hash: Checksum, bytes: Arc<Vec<u8>>) {
        let Some(cache) = self.cache.clone() else { return };
        let kept = spawn_blocking(move || cache.put(hash, &bytes)).await;
        if let Err(failure) = kept.unwrap_or_else(|error| Err(crashed(&error))) {
            tracing::warn!("an image is not cached: {failure:#}");
            return;
        }
        let mut unwritten = self.unwritten();
        if unwritten.len() >= UNWRITTEN_MAX {
            unwritten.clear();
        }
        unwritten.insert(place, hash);
    }

    fn unwritten(&self) -> std::sync::MutexGuard<'_, HashMap<(RecordKey, ImageReference), Checksum>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works on so many bytes, away from the threads that wait for the network where that takes longer than going there.
async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    if bytes <= AT_HAND {
        return catch_unwind(AssertUnwindSafe(work)).map_err(|_| crash());
    }
    spawn_blocking(work).await.map_err(|error| crashed(&error))
}

fn crashed(error: &tokio::task::JoinError) -> Failure {
    if error.is_cancelled() { Failure::interrupted("the process is ending") } else { crash() }
}

/// Looking at the same bytes would crash again, so the image is given up; the message is in the log and may hold bytes,
/// so it is not repeated.
fn crash() -> Failure {
    Failure::new(Class::Poison, Reason::Crashed, "looking at the image crashed")
        .advise("report this with the image, it is a mistake of ours")
}
