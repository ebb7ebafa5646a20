//! Instances of one's own, what becomes of them, and the proxy's faults.
#![expect(clippy::unwrap_used, reason = "all of this crate is tests")]

mod broker;
mod process;
mod proxy;
mod redis;
