//! The worker: takes jobs in batches, writes them to a sink and settles them.
//!
//! In the order in which a job passes: [`batch`] gathers deliveries, [`consume`] claims them, [`sink`] writes them,
//! [`consume`] records and settles how they ended; [`retry`] says when a failed attempt is due again, `breaker` when so
//! many records fail alike that it is not the records. Images have their own jobs and their own worker: [`image`].

pub mod batch;
mod breaker;
pub mod consume;
mod file_keeper;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod image;
mod lane;
pub mod open;
pub mod retry;
pub mod role;
mod settle;
pub mod sink;
mod spending;
mod unpack;
