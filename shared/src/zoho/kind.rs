//! The two front ends of one organisation and what is read through them.

use serde::{Deserialize, Serialize};

/// A front end. Both show the same items under the same ids; Inventory's rows carry more and can be asked for by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Zoho Inventory v1.
    Inventory,
    /// Zoho Books v3: no filter and no order by time, so it is always read whole.
    Books,
}

impl Api {
    /// As messages name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "Inventory",
            Self::Books => "Books",
        }
    }

    /// The first segments of its paths.
    pub(super) fn segments(self) -> [&'static str; 2] {
        match self {
            Self::Inventory => ["inventory", "v1"],
            Self::Books => ["books", "v3"],
        }
    }
}

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Products and services.
    Items,
    /// Customers and vendors.
    Contacts,
}

impl Kind {
    /// The path segment of its list, and the key of the rows in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Contacts => "contacts",
        }
    }

    /// The key of one row in the answer of a detail call.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Items => "item",
            Self::Contacts => "contact",
        }
    }

    /// The field that holds the id.
    pub(crate) fn id_field(self) -> &'static str {
        match self {
            Self::Items => "item_id",
            Self::Contacts => "contact_id",
        }
    }

    /// The field that a whole list is ordered by.
    pub(super) fn name_field(self) -> &'static str {
        match self {
            Self::Items => "name",
            Self::Contacts => "contact_name",
        }
    }

    /// The OAuth scope that reading it needs.
    pub fn scope(self, api: Api) -> &'static str {
        match (api, self) {
            (Api::Inventory, Self::Items) => "ZohoInventory.items.READ",
            (Api::Inventory, Self::Contacts) => "ZohoInventory.contacts.READ",
            (Api::Books, Self::Items) => "ZohoBooks.settings.READ",
            (Api::Books, Self::Contacts) => "ZohoBooks.contacts.READ",
        }
    }
}
