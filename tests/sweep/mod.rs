//! What a source no longer has is archived in Odoo, or marked or removed in a file: after everything was read, each record
//! confirmed, and never many at once.

mod files;
mod items;
mod plan;
