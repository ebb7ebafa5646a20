//! What was asked of the server.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::zoho::route::ZohoEndpoint;

/// The counters since the start or the last reset. Calls are counted whatever was answered, refusals included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ZohoCounts {
    /// Pages of items.
    pub list: u64,
    /// Single items.
    pub detail: u64,
    /// Bulk reads of items by id.
    pub itemdetails: u64,
    /// Images and documents.
    pub image: u64,
    /// Pages of contacts.
    pub contacts: u64,
    /// Single contacts.
    pub contact: u64,
    /// Token requests.
    pub token: u64,
    /// Organisations, units and unknown paths.
    pub other: u64,
    /// Bytes of images and documents that were put into answers.
    pub image_bytes: u64,
    /// Times each document was served with its bytes, by document id.
    pub images_served: BTreeMap<String, u64>,
    /// Answers with HTTP 429, and the token endpoint's own throttle.
    pub throttled: u64,
    /// Answers with HTTP 401.
    pub unauthorized: u64,
    /// Faults that were played.
    pub faults: u64,
    /// Requests at the host of redirected images that carried an `Authorization` header: leaked tokens.
    pub leaked_tokens: u64,
    /// Changes that were due between two list calls and could not be made, in words.
    pub failed_changes: Vec<String>,
}

impl ZohoCounts {
    /// Calls of the API: everything but token requests.
    pub fn api_calls(&self) -> u64 {
        self.list + self.detail + self.itemdetails + self.image + self.contacts + self.contact + self.other
    }

    pub(crate) fn call(&mut self, endpoint: ZohoEndpoint) {
        let counter = match endpoint {
            ZohoEndpoint::List => &mut self.list,
            ZohoEndpoint::Detail => &mut self.detail,
            ZohoEndpoint::ItemDetails => &mut self.itemdetails,
            ZohoEndpoint::Image => &mut self.image,
            ZohoEndpoint::Contacts => &mut self.contacts,
            ZohoEndpoint::Contact => &mut self.contact,
            ZohoEndpoint::Token => &mut self.token,
            ZohoEndpoint::Other => &mut self.other,
        };
        *counter += 1;
    }

    pub(crate) fn served(&mut self, document: &str, bytes: usize) {
        *self.images_served.entry(document.to_owned()).or_default() += 1;
        self.image_bytes += u64::try_from(bytes).unwrap_or(0);
    }
}
