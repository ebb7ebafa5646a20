//! Odoo as a sink: products, contacts and other flat records, found by external id, compared, and written only where they
//! differ.
//!
//! * One source record is one record of Odoo, whatever is repeated: it is made together with its external id in one
//!   transaction (`load`), and every attempt reads first what is there.
//! * What is equal is not written: Odoo moves `write_date` even for identical values.
//! * A row that Odoo refuses is split out of its batch and fails alone.

mod adopt;
mod bound;
mod cell;
mod change;
mod column;
mod external;
mod gone;
mod html;
mod image;
mod look;
mod making;
mod matching;
mod namesake;
mod opening;
mod plan;
mod record;
mod reference;
mod settings;
mod sink;
mod split;
#[cfg(test)]
mod tests;
mod translation;
mod upsert;
mod wanted;
mod writing;

pub use adopt::{Adopted, Adoption};
pub use bound::{Bound, BoundPage};
pub use image::OdooImages;
pub use settings::OdooSinkSettings;
pub use sink::OdooSink;
