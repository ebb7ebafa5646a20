//! What a pipeline reads from Zoho.

use std::time::Duration;

use super::kind::{Api, Kind};
use crate::mapping::SourceColumn;

/// The contacts that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContactType {
    /// Who buys.
    Customer,
    /// Who sells to us.
    Vendor,
}

impl ContactType {
    /// Zoho's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Vendor => "vendor",
        }
    }
}

/// Items or contacts of one organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct ZohoEntity {
    /// Name of the account in the configuration.
    pub server: String,
    /// The front end that they are read through.
    pub api: Api,
    /// What is read.
    pub kind: Kind,
    /// Contacts of this type alone; `None`: all.
    pub contact_type: Option<ContactType>,
    /// What it becomes.
    pub columns: Vec<SourceColumn>,
    /// How far a window reaches back behind the cursor.
    pub overlap: Duration,
    /// Rows in one call, 200 at most.
    pub page_size: usize,
}
