//! Stand-in servers for the demo, the end-to-end tests and the benches.
//!
//! They speak the wire protocols of the real systems and are wrong in the same ways, computing every answer
//! from their own state. A server listens on the loopback interface alone and stops when it is dropped.

mod http;
mod odoo;

pub use odoo::control::{Control, TransactionId};
pub use odoo::counters::{CallCount, Counts};
pub use odoo::edit::{Edit, EditError, WriteDate};
pub use odoo::fault::{Fault, FaultRule};
pub use odoo::settings::{OdooSettings, OdooVersion};
pub use odoo::{Account, OdooSandbox};
