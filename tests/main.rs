//! End-to-end tests, one file per behaviour.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "all of this crate is tests"
)]

mod bad_input;
mod dead_letters;
mod decoders;
mod deleted_and_broken_files;
mod demo;
mod deployment;
mod dice;
mod docs;
mod duplicates;
mod errors;
mod faults;
mod first_run;
mod fleet;
mod import;
mod incremental;
mod killed;
mod late_writes;
mod odoo_client;
mod page;
mod place;
mod plan;
mod recordings;
mod scheduled;
mod secrets;
mod shop;
mod shop_killed;
mod stopped;
mod sweep;
mod traces;
mod translations;
mod truth;
mod verify;
mod zoho_bad_image;
mod zoho_bad_input;
mod zoho_client;
mod zoho_contacts;
mod zoho_mapping;
mod zoho_quota;
mod zoho_source;
mod zoho_to_odoo;
