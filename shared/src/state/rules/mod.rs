//! The rules by which records, images, dead letters and ledgers change: the same for every store, and without any I/O.
//!
//! A store does three things for a call of [`State`](super::State): it loads what [`Needs`] names into a [`Work`], has
//! the rule change it, and writes what changed, all of it or nothing. Where something that was loaded has changed in the
//! meantime, nothing is written and the call begins anew.

mod dead_letter;
mod image;
mod image_job;
mod mark;
mod needs;
mod record;
mod settle;
mod want;
mod work;

/// Doubts that one call of [`State::mature`](super::State::mature) looks at.
pub(super) const DOUBTS_AT_ONCE: usize = 1_000;

/// Strays that are kept.
pub(super) const STRAYS_MAX: u64 = 10_000;

pub(super) use dead_letter::{bury, by_pipeline, discard, redrive};
pub(super) use image::{AppliedImage, Image, WantedImage};
pub(super) use image_job::{
    claim_images, forget_images, hold_images, release_images, retry_image, settle_images,
};
pub(super) use mark::{Mark, presence_of};
pub(super) use needs::Needs;
pub use record::Stage;
pub(super) use record::{Applied, Doubt, Noted, Record};
pub(super) use settle::{claim, mature, release, settle};
pub(super) use want::{want, weigh, withdraw};
pub(super) use work::{Change, Counted, Head, Work, taken_over};
