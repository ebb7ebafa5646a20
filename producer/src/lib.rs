//! The producer: reads what changed in a source and enqueues one job per record.
//!
//! In the order in which a record passes: [`source`] reads pages, [`start`] decides what a run enumerates,
//! `walk` leads a window's pages through and moves the cursor, [`mapped`] maps, [`enumerate`] compares with what is wanted and
//! enqueues; [`lost`] finds outstanding work
//! whose jobs are lost, [`sweep`] what the source no longer has.

pub mod enumerate;
mod feed;
pub mod history;
mod keep;
pub mod keys;
pub mod lost;
pub mod mapped;
pub mod notify;
pub mod only;
pub mod open;
pub mod operate;
pub mod page;
pub mod role;
pub mod run;
pub mod schedule;
pub mod source;
pub mod start;
pub mod sweep;
mod tend;
mod walk;
