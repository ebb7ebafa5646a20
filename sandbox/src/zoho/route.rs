//! From a path to what is asked for.

use serde::{Deserialize, Serialize};

use crate::zoho::item_row::Product;

/// Kinds of calls, as counted and as faults name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZohoEndpoint {
    /// A page of items.
    List,
    /// One item.
    Detail,
    /// Several items by id.
    ItemDetails,
    /// An item's image or a document.
    Image,
    /// A page of contacts.
    Contacts,
    /// One contact.
    Contact,
    /// The token endpoint.
    Token,
    /// Organisations, units and unknown paths.
    Other,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Items,
    Item(String),
    ItemDetails,
    ItemImage(String),
    Document(String),
    Contacts,
    Contact(String),
    Units,
    Organizations,
}

/// What is asked of which product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) product: Product,
    pub(crate) target: Target,
}

impl Route {
    /// The route of a path; `None` is an invalid URL.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let (product, rest) = match path.strip_prefix("/inventory/v1/") {
            Some(rest) => (Product::Inventory, rest),
            None => (Product::Books, path.strip_prefix("/books/v3/")?),
        };
        let parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        let target = match parts.as_slice() {
            ["items"] => Target::Items,
            ["itemdetails"] => Target::ItemDetails,
            ["contacts"] => Target::Contacts,
            ["units"] => Target::Units,
            ["organizations"] => Target::Organizations,
            ["items", id] if is_id(id) => Target::Item((*id).to_owned()),
            ["items", id, "image"] if is_id(id) => Target::ItemImage((*id).to_owned()),
            ["documents", id] if is_id(id) => Target::Document((*id).to_owned()),
            ["contacts", id] if is_id(id) => Target::Contact((*id).to_owned()),
            _ => return None,
        };
        Some(Self { product, target })
    }

    pub(crate) fn endpoint(&self) -> ZohoEndpoint {
        match self.target {
            Target::Items => ZohoEndpoint::List,
            Target::Item(_) => ZohoEndpoint::Detail,
            Target::ItemDetails => ZohoEndpoint::ItemDetails,
            Target::ItemImage(_) | Target::Document(_) => ZohoEndpoint::Image,
            Target::Contacts => ZohoEndpoint::Contacts,
            Target::Contact(_) => ZohoEndpoint::Contact,
            Target::Units | Target::Organizations => ZohoEndpoint::Other,
        }
    }

    /// The scope a token needs.
    pub(crate) fn scope(&self) -> &'static str {
        let is_contact = matches!(self.target, Target::Contacts | Target::Contact(_));
        match (self.product, &self.target) {
            (Product::Inventory, _) if is_contact => "ZohoInventory.contacts.READ",
            (Product::Inventory, Target::Organizations) => "ZohoInventory.settings.READ",
            (Product::Inventory, _) => "ZohoInventory.items.READ",
            (Product::Books, _) if is_contact => "ZohoBooks.contacts.READ",
            (Product::Books, _) => "ZohoBooks.settings.READ",
        }
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_targets_and_scopes() {
        let route = Route::of("/inventory/v1/items/12/image").unwrap();
        assert_eq!(route.target, Target::ItemImage("12".to_owned()));
        assert_eq!((route.endpoint(), route.scope()), (ZohoEndpoint::Image, "ZohoInventory.items.READ"));
        assert_eq!(Route::of("/books/v3/contacts").unwrap().scope(), "ZohoBooks.contacts.READ");
        for unknown in ["/books/v4/items", "/inventory/v1/items/abc", "/inventory/v1/", "/items", "/"] {
            assert_eq!(Route::of(unknown), None, "{unknown}");
        }
    }
}
