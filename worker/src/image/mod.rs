//! Images: fetched, looked at, kept for a while and written to the sink by their own jobs, apart from the fields of their
//! records. A bad image never keeps the fields from arriving, and many large ones never fill the memory.
//!
//! In the order in which an image passes: [`ImageWorker`] claims its job, [`ImageSource`] fetches it, [`inspect()`] tells
//! what its bytes are, [`ImageCache`] keeps them until they are written, [`Scaling`] makes them what the sink keeps, [`ImageSink`] takes them, and [`ImageWorker`]
//! records and settles how that ended.

mod bring;
mod budget;
mod cache;
mod consume;
mod desk;
mod fetch;
mod flaw;
mod format;
#[cfg(test)]
mod gate;
mod http;
mod inspect;
mod line;
mod private;
mod room;
#[cfg(test)]
mod samples;
mod scale;
mod settings;
mod settle;
#[cfg(test)]
mod shelf;
mod sink;
mod structure;

pub use cache::ImageCache;
pub use consume::ImageWorker;
pub use fetch::{Fetched, HttpImages, ImageSource};
pub use flaw::Flaw;
pub use format::Format;
pub use inspect::{ImageLimits, Inspected, inspect};
pub use scale::{Fitted, Scaling};
pub use settings::ImageSettings;
pub use sink::ImageSink;
