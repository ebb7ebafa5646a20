//! How to reach one Zoho organisation, and how hard.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::data_center::DataCenter;

/// What a token is made with, from the API console of the account.
#[derive(Clone)]
pub struct ZohoSecret {
    /// Id of the client, `1000.` and letters.
    pub client_id: String,
    /// Secret of the client.
    pub client_secret: SecretString,
    /// The refresh token: good until it is revoked.
    pub refresh_token: SecretString,
}

impl fmt::Debug for ZohoSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ZohoSecret")
    }
}

/// A place where the image of an item can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageRoute {
    /// `GET /inventory/v1/items/{id}/image`, the documented one.
    Inventory,
    /// `GET /books/v3/items/{id}/image`, used by many and documented nowhere.
    Books,
    /// `GET /inventory/v1/documents/{document}`.
    InventoryDocument,
    /// `GET /books/v3/documents/{document}`.
    BooksDocument,
}

/// One organisation and how to talk to it.
#[derive(Debug, Clone)]
pub struct ZohoConfig {
    /// Where the account lives.
    pub data_center: DataCenter,
    /// Instead of the data centre's address for tokens.
    pub accounts_url: Option<String>,
    /// Instead of the data centre's API address; then a token never goes anywhere else, whatever Zoho answers.
    pub api_url: Option<String>,
    /// Id of the organisation.
    pub organization_id: String,
    /// What tokens are made with.
    pub secret: ZohoSecret,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for one whole call, answer included.
    pub timeout: Duration,
    /// Longest wait for one whole image, redirects included.
    pub image_timeout: Duration,
    /// Largest answer that is read, in bytes.
    pub max_answer_bytes: u64,
    /// Largest image that is read, in bytes. Zoho takes uploads up to 7 MB.
    pub max_image_bytes: u64,
    /// Calls of all processes in any 60 seconds; further ones wait. Zoho allows an organisation 100, and blocks it for an hour when it
    /// trips.
    pub calls_per_minute: usize,
    /// Calls of all processes under way at the same time; further ones wait. Zoho allows 5 on its free plan and 10 on the
    /// others.
    pub concurrent_calls: usize,
    /// Part of a day's calls, in percent, that is left to other users of the organisation. Less urgent calls leave a little
    /// more: see [`CallClass::floor`](super::CallClass::floor).
    pub reserve_percent: u8,
    /// Where images are asked for, in this order, until one has it.
    pub image_routes: Vec<ImageRoute>,
    /// Hosts (with the port where it is not the usual one) that an image may be redirected to. They never get a token.
    pub redirect_hosts: Vec<String>,
    /// Those of [`Self::redirect_hosts`] that may be plain http or have a private, link-local or loopback address.
    pub private_hosts: Vec<String>,
}

impl ZohoConfig {
    /// Usual calls in a minute.
    pub const CALLS_PER_MINUTE: usize = 80;

    /// Usual part of a day that is left to others, in percent.
    pub(crate) const RESERVE_PERCENT: u8 = 5;

    /// Usual limits: 10 s to connect, 60 s per call, 120 s per image, answers up to 64 MiB, images up to 10 MiB, 80 calls a
    /// minute, 5 at a time, 5 % of a day left to others, images from Inventory.
    pub fn new(data_center: DataCenter, organization_id: impl Into<String>, secret: ZohoSecret) -> Self {
        Self {
            data_center,
            accounts_url: None,
            api_url: None,
            organization_id: organization_id.into(),
            secret,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(1),
            image_timeout: Duration::from_mins(2),
            max_answer_bytes: 64 << 20,
            max_image_bytes: 10 << 20,
            calls_per_minute: Self::CALLS_PER_MINUTE,
            concurrent_calls: 5,
            reserve_percent: Self::RESERVE_PERCENT,
            image_routes: vec![ImageRoute::Inventory, ImageRoute::InventoryDocument],
            redirect_hosts: Vec::new(),
            private_hosts: Vec::new(),
        }
    }
}
