//! Images: fetched, looked at, kept for a while and written to the sink by their own jobs, apart from the fields of their
//! records. A bad image never keeps the fields from arriving, and many large ones never fill the memory.
//!
//! In the order in which an image passes: [`inspect`](inspect::inspect) tells what its bytes are.

mod cache;
mod flaw;
mod format;
mod inspect;
#[cfg(test)]
mod samples;
mod structure;

pub use cache::ImageCache;
pub use flaw::Flaw;
pub use format::Format;
pub use inspect::{ImageLimits, Inspected, inspect};
