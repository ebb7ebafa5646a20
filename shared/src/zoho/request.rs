//! What is asked, spelt without I/O.

use reqwest::Url;

use super::class::CallClass;
use super::kind::{Api, Kind};
use super::place::below;

/// What a call is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// A page of a list.
    List,
    /// One record, or a hundred at once.
    Detail,
    /// An image.
    Image,
    /// A new access token.
    Token,
    /// Anything else.
    Other,
}

/// The order and the restriction of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order<'a> {
    /// By name, everything.
    Name,
    /// By the time of the last change, ascending, from this time on (inclusive). Inventory only.
    Changed {
        /// As [`super::time`] writes it; `None` for everything.
        since: Option<&'a str>,
    },
}

/// One GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The front end.
    pub api: Api,
    /// What it is counted as.
    pub kind: CallKind,
    /// How urgent it is.
    pub class: CallClass,
    /// The OAuth scope that it needs.
    pub scope: &'static str,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
}

impl Request {
    /// A page of a list, from page 1; inactive ones are always in it.
    pub fn list(api: Api, kind: Kind, order: Order<'_>, page: u32, per_page: usize) -> Self {
        let mut request = Self::new(api, CallKind::List, kind.scope(api), &[kind.as_str()])
            .with("filter_by", "Status.All")
            .with("page", page.to_string())
            .with("per_page", per_page.to_string());
        request = match order {
            Order::Name => request.with("sort_column", kind.name_field()),
            Order::Changed { .. } => request.with("sort_column", "last_modified_time"),
        };
        request = request.with("sort_order", "A");
        match order {
            Order::Changed { since: Some(since) } => request.with("last_modified_time", since),
            _ => request,
        }
    }

    /// Items with a SKU, inactive ones too. Books documents no such filter, and is searched for the text: look at what comes.
    pub fn items_by_sku(api: Api, sku: &str) -> Self {
        let filter = match api {
            Api::Inventory => "sku",
            Api::Books => "search_text",
        };
        Self::new(api, CallKind::List, Kind::Items.scope(api), &[Kind::Items.as_str()])
            .with("filter_by", "Status.All")
            .with("per_page", "200")
            .with(filter, sku)
    }

    /// The row of one item in the list. Documented for Inventory alone: look at what comes.
    pub fn listed_item(api: Api, id: &str) -> Self {
        Self::new(api, CallKind::List, Kind::Items.scope(api), &[Kind::Items.as_str()])
            .with("filter_by", "Status.All")
            .with("item_id", id)
    }

    /// One record with everything that the list leaves out.
    pub fn detail(api: Api, kind: Kind, id: &str) -> Self {
        Self::new(api, CallKind::Detail, kind.scope(api), &[kind.as_str(), id])
    }

    /// Up to a hundred items at once.
    pub fn item_details(api: Api, ids: &[String]) -> Self {
        Self::new(api, CallKind::Detail, Kind::Items.scope(api), &["itemdetails"])
            .with("item_ids", ids.join(","))
    }

    /// The image of an item.
    pub(crate) fn item_image(api: Api, id: &str) -> Self {
        Self::new(api, CallKind::Image, Kind::Items.scope(api), &[Kind::Items.as_str(), id, "image"])
    }

    /// A document, such as an image. Which scope it needs is documented nowhere.
    pub fn document(api: Api, id: &str) -> Self {
        Self::new(api, CallKind::Image, Kind::Items.scope(api), &["documents", id])
    }

    /// The same, more or less urgent than usual.
    #[must_use]
    pub(crate) fn of_class(self, class: CallClass) -> Self {
        Self { class, ..self }
    }

    /// Its address: parameters are form-encoded, so that the `+` of a time zone stays one.
    pub fn url(&self, base: &Url, organization: &str) -> Url {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let mut url = below(base, &path);
        url.query_pairs_mut().append_pair("organization_id", organization).extend_pairs(&self.query);
        url
    }

    /// Its path without ids and parameters, as messages name it.
    pub(super) fn what(&self) -> String {
        let subject = self.path.get(2).map_or("", String::as_str);
        format!("{} {subject}", self.api.as_str())
    }

    /// Whether it asks for one record by id.
    pub(super) fn is_for_one(&self) -> bool {
        self.path.len() > 3
    }

    fn new(api: Api, kind: CallKind, scope: &'static str, path: &[&str]) -> Self {
        let path = api.segments().iter().chain(path).map(|segment| (*segment).to_owned()).collect();
        let class = match kind {
            CallKind::List => CallClass::List,
            CallKind::Image => CallClass::Backfill,
            CallKind::Detail | CallKind::Token | CallKind::Other => CallClass::Detail,
        };
        Self { api, kind, class, scope, path, query: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(request: &Request) -> String {
        let base = Url::parse("https://www.zohoapis.eu").unwrap();
        request.url(&base, "2006").to_string()
    }

    #[test]
    fn change_list_of_inventory_is_inclusive_and_encodes_its_offset() {
        let since = Some("2026-10-09T13:20:00+0530");
        let request = Request::list(Api::Inventory, Kind::Items, Order::Changed { since }, 2, 200);
        assert_eq!(
            url(&request),
            "https://www.zohoapis.eu/inventory/v1/items?organization_id=2006&filter_by=Status.All&page=2&per_page=200\
             &sort_column=last_modified_time&sort_order=A&last_modified_time=2026-10-09T13%3A20%3A00%2B0530"
        );
        assert_eq!(request.scope, "ZohoInventory.items.READ");
    }

    #[test]
    fn a_sku_is_asked_for_by_what_each_front_end_documents() {
        let inventory = url(&Request::items_by_sku(Api::Inventory, "A&B 1"));
        assert!(inventory.ends_with("filter_by=Status.All&per_page=200&sku=A%26B+1"), "{inventory}");
        let books = url(&Request::items_by_sku(Api::Books, "A&B 1"));
        assert!(books.ends_with("filter_by=Status.All&per_page=200&search_text=A%26B+1"), "{books}");
    }

    #[test]
    fn books_is_listed_by_name() {
        let request = Request::list(Api::Books, Kind::Contacts, Order::Name, 1, 200);
        assert_eq!(
            url(&request),
            "https://www.zohoapis.eu/books/v3/contacts?organization_id=2006&filter_by=Status.All&page=1&per_page=200\
             &sort_column=contact_name&sort_order=A"
        );
        assert_eq!(request.scope, "ZohoBooks.contacts.READ");
    }

    #[test]
    fn ids_stay_inside_their_segment() {
        assert_eq!(
            url(&Request::item_image(Api::Inventory, "1/../../evil?x")),
            "https://www.zohoapis.eu/inventory/v1/items/1%2F..%2F..%2Fevil%3Fx/image?organization_id=2006"
        );
        let ids = ["1".to_owned(), "2".to_owned()];
        assert_eq!(
            url(&Request::item_details(Api::Books, &ids)),
            "https://www.zohoapis.eu/books/v3/itemdetails?organization_id=2006&item_ids=1%2C2"
        );
        assert_eq!(
            url(&Request::document(Api::Inventory, "9")),
            "https://www.zohoapis.eu/inventory/v1/documents/9?organization_id=2006"
        );
    }
}
