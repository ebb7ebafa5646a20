//! What a pipeline reads from Zoho.

use std::time::Duration;

use super::kind::{Api, Kind};
use crate::mapping::SourceColumn;

/// Items or contacts of one organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct ZohoEntity {
    /// Name of the account in the configuration.
    pub server: String,
    /// The front end that they are read through.
    pub api: Api,
    /// What is read.
    pub kind: Kind,
    /// What it becomes.
    pub columns: Vec<SourceColumn>,
    /// How far a window reaches back behind the cursor.
    pub overlap: Duration,
    /// Rows in one call, 200 at most.
    pub page_size: usize,
}
