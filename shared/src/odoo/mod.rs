//! The client of Odoo's external API, one for every version: JSON-RPC up to 18 and JSON-2 from 19 on. It knows how to log
//! in, how each operation is spelt in each dialect and what an answer means; it knows nothing of pipelines.
//!
//! Building a request ([`Dialect::build`]) and judging an answer ([`Expected::classify`]) do no I/O, so recordings of
//! real servers are replayed against them.

mod answer;
mod base64;
mod call;
mod client;
#[cfg(test)]
mod client_tests;
mod config;
mod dialect;
mod exception;
#[cfg(test)]
mod exception_tests;
mod http;
mod language;
mod load;
mod login;
mod mistake;
mod operations;
mod place;
mod refusal;
mod sentence;
mod session;
mod trouble;
mod version;

pub use answer::{Answer, Envelope, Expected, Purpose};
pub use base64::Base64;
pub use call::{Access, Call, Operation, Row, SearchRead};
pub use client::OdooClient;
pub use config::{OdooConfig, OdooSecret, Transport};
pub use dialect::{Dialect, Request};
pub use http::CallCounts;
pub use language::{in_language, language_context};
pub use load::{LoadAnswer, LoadMessage};
pub use place::Place;
pub use version::ServerVersion;
