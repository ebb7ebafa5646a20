//! End-to-end tests, one file per behaviour.

mod bad_input;
mod deleted_and_broken_files;
mod faults;
mod first_run;
mod incremental;
mod killed;
mod odoo_client;
mod place;
mod stopped;
mod truth;
