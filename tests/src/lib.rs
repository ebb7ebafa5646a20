//! What several end-to-end tests use.

pub mod recordings;
