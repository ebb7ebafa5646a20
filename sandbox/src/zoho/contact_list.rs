//! The list of contacts: which columns, filters and texts each product takes.

use crate::zoho::contact::Contact;
use crate::zoho::list::{ListRules, TextTest};
use crate::zoho::params::Params;
use crate::zoho::table::SortKey;

const COLUMNS: &[&str] = &[
    "contact_name",
    "first_name",
    "last_name",
    "email",
    "outstanding_receivable_amount",
    "created_time",
    "last_modified_time",
];
const FILTERS: &[&str] =
    &["Status.All", "Status.Active", "Status.Inactive", "Status.Duplicate", "Status.Crm"];

/// Inventory: the filter by change time is undocumented and works on live organisations.
pub(crate) const INVENTORY: ListRules = ListRules {
    rows: "contacts",
    report_name: "Contacts",
    columns: COLUMNS,
    filters: FILTERS,
    refuses_columns: true,
    filters_by_time: true,
};

/// Books: reports about the filter by change time disagree, so it is ignored here.
pub(crate) const BOOKS: ListRules = ListRules { filters_by_time: false, ..INVENTORY };

/// What a contact is sorted by.
pub(crate) fn sort_key(contact: &Contact, column: &str) -> SortKey {
    match column {
        "first_name" => (0, contact.first_name.to_lowercase()),
        "last_name" => (0, contact.last_name.to_lowercase()),
        "email" => (0, contact.email.to_lowercase()),
        "created_time" => (contact.created, String::new()),
        // Nobody owes anything.
        "outstanding_receivable_amount" => (0, String::new()),
        _ => (0, contact.name.to_lowercase()),
    }
}

/// Whether a contact is in the list; `None` when every contact is.
pub(crate) fn test(params: &Params, filter: &'static str) -> Option<impl Fn(&Contact) -> bool + use<>> {
    let names = TextTest::read(params, "contact_name");
    let emails = TextTest::read(params, "email");
    let kind = params.filled("contact_type").map(str::to_owned);
    if names.is_empty() && emails.is_empty() && kind.is_none() && filter == "Status.All" {
        return None;
    }
    Some(move |contact: &Contact| {
        let fits = match filter {
            "Status.Active" => contact.is_active,
            "Status.Inactive" => !contact.is_active,
            // No contact is a duplicate or comes from the CRM.
            "Status.Duplicate" | "Status.Crm" => false,
            _ => true,
        };
        fits && kind.as_ref().is_none_or(|kind| contact.kind() == kind)
            && names.accepts(&contact.name)
            && emails.accepts(&contact.email)
    })
}
