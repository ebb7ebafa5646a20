//! End-to-end tests, one file per behaviour.

mod odoo_client;
#[cfg(test)]
mod recordings;
