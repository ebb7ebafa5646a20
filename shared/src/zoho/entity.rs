//! What a pipeline reads from Zoho.

use std::time::Duration;

use super::kind::{Api, Kind};
use crate::mapping::Column;

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
    pub columns: Vec<ZohoColumn>,
    /// How far a window reaches back behind the cursor.
    pub overlap: Duration,
    /// Rows in one call, 200 at most.
    pub page_size: usize,
}

/// A sink column and whether its source field may be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct ZohoColumn {
    /// The column.
    pub column: Column,
    /// Null where a row has no such field: Zoho leaves some out, such as `stock_on_hand` of an item that is not tracked.
    pub optional: bool,
}
