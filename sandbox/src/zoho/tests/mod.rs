//! Every behaviour through HTTP, as a client meets it.

mod change;
mod client;
mod command;
mod detail;
mod fault;
mod image;
mod limit;
mod list;
mod token;
