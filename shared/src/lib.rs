//! What producer and worker both use: records, jobs, mapping, checksums, the clients of remote systems,
//! the queue, the state and the failures that all of them report.

pub mod checksum;
pub mod config;
pub mod crash;
pub mod decimal;
pub mod failure;
pub mod file_lock;
pub mod fleet;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod http;
pub mod job;
pub mod mapping;
pub mod odoo;
pub mod platform;
pub mod process;
pub mod progress;
pub mod queue;
pub mod record;
pub mod state;
pub mod systems;
pub mod telemetry;
pub mod trace;
pub mod utc;
pub mod zoho;
