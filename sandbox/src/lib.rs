//! Stand-in servers for the demo, the end-to-end tests and the benches.
//!
//! They speak the wire protocols of the real systems and are wrong in the same ways, computing every answer
//! from their own state. A server listens on the loopback interface alone and stops when it is dropped.

mod http;
mod odoo;
mod zoho;

pub use odoo::control::{Control, TransactionId};
pub use odoo::cost::OdooCost;
pub use odoo::counters::{CallCount, Counts};
pub use odoo::edit::{Edit, EditError, WriteDate};
pub use odoo::fault::{Fault, FaultRule};
pub use odoo::settings::{OdooSettings, OdooVersion};
pub use odoo::{Account, OdooSandbox};
pub use zoho::change::ZohoChange;
pub use zoho::control::ZohoControl;
pub use zoho::counters::ZohoCounts;
pub use zoho::fault::{ZohoFault, ZohoFaultRule};
pub use zoho::picture::ZohoImage;
pub use zoho::route::ZohoEndpoint;
pub use zoho::settings::ZohoSettings;
pub use zoho::world::ZohoSnapshot;
pub use zoho::{ZohoSandbox, serve as serve_zoho};
