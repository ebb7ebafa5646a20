//! Items as the API shows them: list rows, details and documents, keys and empties as live organisations gave them.

use serde_json::{Map, Value as Json, json};

use crate::zoho::clock::Clock;
use crate::zoho::id::{Space, id};
use crate::zoho::item::Item;
use crate::zoho::picture::{ZohoImage, sheet};

/// Which front end of the one item store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// Inventory v1.
    Inventory,
    /// Books v3: fewer keys, fewer parameters.
    Books,
}

/// How items are shown to one caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) product: Product,
    pub(crate) clock: &'a Clock,
    /// Size of a seeded image.
    pub(crate) image_bytes: usize,
}

impl View<'_> {
    /// A row of a list.
    pub(crate) fn row(&self, item: &Item) -> Json {
        let mut row = common(item, self.clock);
        if self.product == Product::Inventory {
            extend(&mut row, inventory_only(item));
            extend(&mut row, json!({"length": "", "width": "", "height": "", "weight": ""}));
            extend(&mut row, json!({"weight_unit": "kg", "dimension_unit": "cm"}));
            extend(&mut row, json!({"dimensions_with_unit": "", "weight_with_unit": ""}));
        } else {
            extend(&mut row, json!({"product_subtype": item.product_type}));
        }
        extend(&mut row, image_keys(item, true));
        extend(&mut row, custom_hash(item));
        Json::Object(row)
    }

    /// An item by itself.
    pub(crate) fn detail(&self, item: &Item) -> Json {
        let mut row = common(item, self.clock);
        if self.product == Product::Inventory {
            extend(&mut row, inventory_only(item));
            let has_options = item.variant.is_some();
            extend(&mut row, json!({"locations": locations(item), "has_attribute_options": has_options}));
        }
        extend(&mut row, image_keys(item, false));
        let unit_id = unit_number(&item.unit).map_or_else(String::new, |number| id(Space::Unit, number));
        let is_tracked = item.stock.is_some();
        let package = json!({
            "length": "", "width": "", "height": "", "weight": "", "weight_unit": "kg", "dimension_unit": "cm",
        });
        extend(
            &mut row,
            json!({
                "unit_id": unit_id, "category_id": "", "category_name": "", "pricebook_rate": item.rate,
                "sales_rate": item.rate, "sales_margin": "", "initial_stock": "", "initial_stock_rate": "",
                "minimum_order_quantity": "", "package_details": package,
                "inventory_account_id": if is_tracked { id(Space::Account, 3) } else { String::new() },
                "inventory_account_name": if is_tracked { "Inventory Asset" } else { "" },
                "integration_references": [], "image_sync_in_progress": false,
                "documents": self.documents(item), "custom_fields": custom_fields(item),
                "custom_field_hash": custom_hash(item),
            }),
        );
        Json::Object(row)
    }

    /// An item as `itemdetails` shows it: a detail without group and times, which its documentation leaves out.
    pub(crate) fn bulk_detail(&self, item: &Item) -> Json {
        let mut detail = self.detail(item);
        if let Json::Object(row) = &mut detail {
            for name in ["group_id", "group_name", "created_time", "last_modified_time", "locations"] {
                row.shift_remove(name);
            }
        }
        detail
    }

    fn documents(&self, item: &Item) -> Vec<Json> {
        let mut documents = Vec::new();
        let mut add = |document_id: String, file_name: &str, file_type: &str, size: usize| {
            documents.push(json!({
                "document_id": document_id, "file_name": file_name, "file_type": file_type,
                "file_size": size.to_string(), "file_size_formatted": format!("{}.0 KB", size.div_ceil(1024)),
                "attachment_order": documents.len() + 1, "source": "desktop",
                "uploaded_on": self.clock.print(item.created),
            }));
        };
        if let Some(picture) = &item.picture {
            let size = picture.kind.file_size(picture.seed, self.image_bytes);
            add(picture.document.clone(), &picture.file_name, picture.file_type(), size);
        }
        if item.has_sheet {
            add(id(Space::Sheet, item.number), "data sheet.pdf", "pdf", sheet().len());
        }
        if item.has_second_photo {
            let size = ZohoImage::Jpeg.file_size(0, self.image_bytes);
            add(id(Space::SecondPhoto, item.number), "side view.jpg", "jpg", size);
        }
        documents
    }
}

/// Names of the organisation's units; the first has number 1.
pub(crate) const UNITS: [&str; 3] = ["pcs", "box", "kg"];

/// Number of a unit, if the organisation has it.
fn unit_number(unit: &str) -> Option<u32> {
    (1..).zip(UNITS).find(|known| known.1 == unit).map(|known| known.0)
}

/// Adds the pairs of an object.
pub(crate) fn extend(row: &mut Map<String, Json>, more: Json) {
    if let Json::Object(more) = more {
        row.extend(more);
    }
}

fn common(item: &Item, clock: &Clock) -> Map<String, Json> {
    let sold = item.kind != "purchases";
    let bought = item.kind != "sales";
    let mut row = Map::new();
    extend(
        &mut row,
        json!({
            "item_id": item.id(), "name": item.name, "item_name": item.name, "unit": item.unit,
            "status": if item.is_active { "active" } else { "inactive" }, "source": "user",
            "is_linked_with_zohocrm": false, "zcrm_product_id": "", "description": item.description,
            "rate": item.rate, "tax_id": id(Space::Tax, 1), "tax_name": "VAT", "tax_percentage": 20,
            "purchase_account_id": if bought { id(Space::Account, 1) } else { String::new() },
            "purchase_account_name": if bought { "Cost of Goods Sold" } else { "" },
            "account_id": if sold { id(Space::Account, 2) } else { String::new() },
            "account_name": if sold { "Sales" } else { "" },
            "purchase_description": "", "purchase_rate": item.purchase_rate,
            "can_be_sold": sold, "can_be_purchased": bought, "track_inventory": item.stock.is_some(),
            "item_type": item.kind, "product_type": item.product_type,
            "has_attachment": item.picture.is_some() || item.has_sheet, "sku": item.sku,
            "created_time": clock.print(item.created), "last_modified_time": clock.print(item.modified),
            "purpose_of_use": "", "vendor_name": "", "tags": [],
        }),
    );
    row
}

fn inventory_only(item: &Item) -> Json {
    let (group_id, group_name) = match &item.variant {
        Some(variant) => (id(Space::Group, variant.group), variant.group_name.clone()),
        // Every item that stands alone is a group of its own name.
        None => (id(Space::Group, item.number), item.name.clone()),
    };
    let mut row = Map::new();
    extend(
        &mut row,
        json!({
            "group_id": group_id, "group_name": group_name, "is_combo_product": item.is_combo,
            "brand": item.brand, "manufacturer": "", "is_returnable": true, "upc": "", "ean": item.ean, "isbn": "",
            "part_number": "", "is_storage_location_enabled": false,
        }),
    );
    if let Some(stock) = item.stock {
        extend(
            &mut row,
            json!({
                "reorder_level": 4, "stock_on_hand": stock, "available_stock": stock,
                "actual_available_stock": stock,
            }),
        );
    }
    for attribute in 1..=3_u32 {
        let variant = item.variant.as_ref().filter(|_| attribute == 1);
        let text = |value: Option<String>| Json::String(value.unwrap_or_default());
        for (name, value) in [
            ("attribute_id", variant.map(|variant| id(Space::Attribute, variant.group))),
            ("attribute_name", variant.map(|_| "Finish".to_owned())),
            ("attribute_type", None),
            ("attribute_option_id", variant.map(|variant| id(Space::Option, variant.group + variant.option))),
            ("attribute_option_name", variant.map(|variant| variant.option_name.clone())),
            ("attribute_option_data", None),
        ] {
            row.insert(format!("{name}{attribute}"), text(value));
        }
    }
    Json::Object(row)
}

/// Lists show empty texts for an item without image; a detail then has no document id at all.
fn image_keys(item: &Item, in_list: bool) -> Json {
    match &item.picture {
        Some(picture) => json!({
            "image_name": picture.file_name, "image_type": picture.file_type(),
            "image_document_id": picture.document,
        }),
        None if in_list => json!({"image_name": "", "image_type": "", "image_document_id": ""}),
        None => json!({"image_name": "", "image_type": ""}),
    }
}

fn locations(item: &Item) -> Vec<Json> {
    let Some(stock) = item.stock else {
        return Vec::new();
    };
    vec![json!({
        "location_id": id(Space::Location, 1), "location_name": "Head Office", "status": "active",
        "is_primary": true, "location_stock_on_hand": stock, "location_available_stock": stock,
        "location_actual_available_stock": stock,
    })]
}

fn custom_hash(item: &Item) -> Json {
    let mut hash = Map::new();
    for (name, value) in &item.custom {
        hash.insert(name.clone(), Json::String(shown(value)));
        hash.insert(format!("{name}_unformatted"), value.clone());
    }
    Json::Object(hash)
}

fn custom_fields(item: &Item) -> Vec<Json> {
    let numbered = (1..).zip(&item.custom);
    numbered
        .map(|(number, (name, value))| {
            json!({
                "customfield_id": id(Space::CustomField, number), "api_name": name, "placeholder": name,
                "label": label(name), "value": value, "value_formatted": shown(value),
                "data_type": if value.is_number() { "number" } else { "string" }, "show_in_all_pdf": false,
            })
        })
        .collect()
}

fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn label(name: &str) -> String {
    let words = name.trim_start_matches("cf_").replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::zoho::item_seed::item;

    fn row(item: &Item, product: Product) -> Json {
        let clock = Clock::real(TimeZone::get("America/New_York").unwrap());
        View { product, clock: &clock, image_bytes: 60_000 }.row(item)
    }

    fn detail(item: &Item, product: Product) -> Json {
        let clock = Clock::real(TimeZone::get("America/New_York").unwrap());
        View { product, clock: &clock, image_bytes: 60_000 }.detail(item)
    }

    #[test]
    fn an_item_alone_is_a_group_of_its_own_name_and_variants_share_one() {
        let row = |number| row(&item(number, true), Product::Inventory);
        assert_eq!(row(10)["group_name"], row(10)["name"]);
        assert_eq!(row(10)["attribute_name1"], "");
        assert_eq!(row(20)["group_id"], row(21)["group_id"]);
        assert_eq!(
            (&row(21)["attribute_name1"], &row(21)["attribute_option_name1"]),
            (&json!("Finish"), &json!("Smoked"))
        );
    }

    #[test]
    fn absent_values_are_empty_texts_or_missing_keys_and_never_null() {
        for number in 0..60 {
            let item = item(number, true);
            for product in [Product::Inventory, Product::Books] {
                for shown in [row(&item, product), detail(&item, product)] {
                    assert!(shown.as_object().unwrap().values().all(|value| !value.is_null()), "{shown}");
                }
            }
            let row = row(&item, Product::Inventory);
            assert_eq!(row.get("stock_on_hand").is_some(), row["track_inventory"] == true);
            let detail = detail(&item, Product::Inventory);
            assert_eq!(detail.get("image_document_id").is_some(), row["image_document_id"] != "");
        }
    }

    #[test]
    fn books_rows_have_images_but_no_group_brand_or_ean() {
        let row = row(&item(10, true), Product::Books);
        assert_eq!(row["image_document_id"], id(Space::Photo, 10));
        for name in ["group_id", "brand", "ean", "stock_on_hand", "length"] {
            assert_eq!(row.get(name), None, "{name}");
        }
    }

    #[test]
    fn a_pdf_stands_between_the_images_of_a_detail() {
        let detail = detail(&item(3, true), Product::Inventory);
        let types: Vec<&Json> =
            detail["documents"].as_array().unwrap().iter().map(|row| &row["file_type"]).collect();
        assert_eq!(types, ["jpg", "pdf", "jpg"]);
    }

    #[test]
    fn custom_fields_are_flat_in_rows_and_listed_in_details() {
        let item = item(6, true);
        let row = row(&item, Product::Inventory);
        assert_eq!(
            (&row["cf_warranty_months"], &row["cf_warranty_months_unformatted"]),
            (&json!("24"), &json!(24))
        );
        let detail = detail(&item, Product::Inventory);
        assert_eq!(detail["custom_fields"][1]["label"], "Warranty months");
        assert_eq!(detail["custom_field_hash"]["cf_warranty_months"], "24");
        assert_eq!(detail.get("cf_warranty_months"), None);
    }
}
