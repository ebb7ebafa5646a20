//! The Odoo client against recordings of real servers: what it would ask equals what was asked, and what was answered has the
//! class that was agreed on.

mod answers;
mod asked;
mod requests;
