//! The list of items: which columns, filters and texts each product takes.

use serde_json::Number;

use crate::zoho::item::Item;
use crate::zoho::list::{ListRules, TextTest};
use crate::zoho::params::Params;
use crate::zoho::table::SortKey;

/// Inventory: everything documented.
pub(crate) const INVENTORY: ListRules = ListRules {
    rows: "items",
    report_name: "Items",
    columns: &[
        "name",
        "sku",
        "rate",
        "purchase_rate",
        "created_time",
        "last_modified_time",
        "reorder_level",
        "stock_on_hand",
    ],
    filters: &[
        "Status.All",
        "Status.Active",
        "Status.Inactive",
        "Status.Lowstock",
        "Status.Unmapped",
        "Status.Uncategorized",
        "Status.Grouped",
        "ItemType.All",
        "ItemType.Sales",
        "ItemType.Purchases",
        "ItemType.SalesAndPurchases",
        "ItemType.Inventory",
        "ItemType.NonInventory",
        "ItemType.Service",
    ],
    refuses_columns: true,
    filters_by_time: true,
};

/// Books: no order by time and no filter by it, and no word when either is asked for.
pub(crate) const BOOKS: ListRules = ListRules {
    rows: "items",
    report_name: "Items",
    columns: &["name", "rate", "tax_name"],
    filters: &["Status.All", "Status.Active", "Status.Inactive"],
    refuses_columns: false,
    filters_by_time: false,
};

/// What an item is sorted by.
pub(crate) fn sort_key(item: &Item, column: &str) -> SortKey {
    // Amounts have few decimals, so millionths tell any two of them apart.
    #[expect(clippy::cast_possible_truncation, reason = "amounts are far below the limits of i64")]
    let millionths = |amount: &Number| (amount.as_f64().unwrap_or(0.0) * 1e6).round() as i64;
    match column {
        "sku" => (0, item.sku.to_lowercase()),
        "rate" => (millionths(&item.rate), String::new()),
        "purchase_rate" => (millionths(&item.purchase_rate), String::new()),
        "created_time" => (item.created, String::new()),
        "stock_on_hand" => (item.stock.unwrap_or(0), String::new()),
        // Every item has the same tax and the same reorder level.
        "tax_name" | "reorder_level" => (0, String::new()),
        _ => (0, item.name.to_lowercase()),
    }
}

/// Whether an item is in the list; `None` when every item is. `has_ids`: the list can be asked for an id.
pub(crate) fn test(
    params: &Params,
    filter: &'static str,
    has_ids: bool,
) -> Option<impl Fn(&Item) -> bool + use<>> {
    let names = TextTest::read(params, "name");
    let skus = TextTest::read(params, "sku");
    let search = TextTest::containing(params, "search_text");
    let id = params.filled("item_id").filter(|_| has_ids).map(str::to_owned);
    let status = params.filled("status").map(|status| status == "active");
    let texts_empty = names.is_empty() && skus.is_empty() && search.is_empty();
    if texts_empty && id.is_none() && status.is_none() && matches!(filter, "Status.All" | "ItemType.All") {
        return None;
    }
    Some(move |item: &Item| {
        passes(item, filter)
            && id.as_ref().is_none_or(|id| item.id() == *id)
            && status.is_none_or(|is_active| item.is_active == is_active)
            && names.accepts(&item.name)
            && skus.accepts(&item.sku)
            && (search.accepts(&item.name) || search.accepts(&item.sku))
    })
}

fn passes(item: &Item, filter: &str) -> bool {
    match filter {
        "Status.Active" => item.is_active,
        "Status.Inactive" => !item.is_active,
        "Status.Lowstock" => item.stock.is_some_and(|stock| stock <= 4),
        "Status.Grouped" => item.variant.is_some(),
        "ItemType.Sales" => item.kind == "sales",
        "ItemType.Purchases" => item.kind == "purchases",
        "ItemType.SalesAndPurchases" => item.kind == "sales_and_purchases",
        "ItemType.Inventory" => item.stock.is_some(),
        "ItemType.NonInventory" => item.stock.is_none() && item.product_type == "goods",
        "ItemType.Service" => item.product_type == "service",
        // No item here is mapped to another application or has a category.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoho::item_seed::item;

    #[test]
    fn filters_divide_the_items() {
        let count = |query: &str, filter| {
            let test = test(&Params::read(query), filter, true);
            (0..600).filter(|number| test.as_ref().is_none_or(|test| test(&item(*number, true)))).count()
        };
        assert_eq!(count("", "Status.All"), 600);
        assert_eq!(count("", "Status.Active") + count("", "Status.Inactive"), 600);
        assert_eq!(count("status=inactive", "Status.All"), count("", "Status.Inactive"));
        assert_eq!(count("", "ItemType.Service"), 50);
        assert_eq!(count("sku=sku-000011", "Status.All"), 2, "one SKU, two items");
        assert_eq!(count("name_contains=garden", "Status.All"), 12);
    }
}
