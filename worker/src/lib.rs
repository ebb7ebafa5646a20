//! Consuming jobs, writing them into sinks, settling them.

pub mod sink;
