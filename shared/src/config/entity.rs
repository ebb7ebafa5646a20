//! The entities that have fields, a mapping and a file by default, and the example file that shows them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::mapping::{Origin, SourceColumn};

/// What a source calls a kind of record. A field with `?` is left out where the source has none of that name.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) name: &'static str,
    /// The Odoo model that it is read from; nothing for Zoho.
    pub(super) model: &'static str,
    /// The source field that is the record's key.
    pub(super) id_field: &'static str,
    /// Its JSON file.
    pub(super) file: &'static str,
    /// What goes into the file.
    pub(super) fields: &'static [&'static str],
    /// The Odoo model that it is written to.
    pub(super) target: Option<&'static str>,
    /// One record of it, in external ids.
    pub(super) record: &'static str,
    /// Column and source field in Odoo.
    mapping: &'static [(&'static str, &'static str)],
}

impl Entity {
    /// The usual columns: those of the file, or those of Odoo.
    pub(super) fn columns(&self, to_odoo: bool) -> Vec<SourceColumn> {
        if !to_odoo {
            return self.fields.iter().map(|field| SourceColumn::kept(field)).collect();
        }
        let mut columns: Vec<SourceColumn> =
            self.mapping.iter().map(|(column, field)| SourceColumn::renamed(column, field)).collect();
        if self.name == "items" {
            columns.push(unit_of_measure());
            columns.push(status_as_active());
            let yes = |name| SourceColumn::new(name, Origin::Constant(true.into()), false);
            columns.extend(["sale_ok", "purchase_ok"].map(yes));
        }
        if self.name == "contacts" {
            columns.push(status_as_active());
            columns.push(business_as_company());
        }
        columns
    }
}

/// A business is a company, and everybody else a person.
fn business_as_company() -> SourceColumn {
    let values = [("business".to_owned(), true.into())].into();
    let origin = Origin::Field { name: "customer_sub_type".to_owned(), default: Some(false.into()), values };
    SourceColumn::new("is_company", origin, true)
}

/// Odoo's own units by their external ids, which stay when a unit is renamed or shown in another language, and the ways in
/// which people write them elsewhere.
const UNITS: [(&str, &[&str]); 12] = [
    (
        "uom.product_uom_unit",
        &["pcs", "pc", "piece", "pieces", "nos", "no", "ea", "each", "unit", "units", "qty"],
    ),
    ("uom.product_uom_dozen", &["dozen", "dz", "doz"]),
    ("uom.product_uom_kgm", &["kgs", "kilo", "kilogram", "kilograms"]),
    ("uom.product_uom_gram", &["gm", "gms", "gram", "grams"]),
    ("uom.product_uom_lb", &["lbs", "pound", "pounds"]),
    ("uom.product_uom_oz", &["ounce", "ounces"]),
    ("uom.product_uom_meter", &["mtr", "meter", "meters", "metre", "metres"]),
    ("uom.product_uom_cm", &["cms", "centimeter", "centimeters"]),
    ("uom.product_uom_foot", &["feet", "foot"]),
    ("uom.product_uom_inch", &["inch", "inches"]),
    ("uom.product_uom_litre", &["l", "ltr", "liter", "liters", "litre", "litres"]),
    ("uom.product_uom_hour", &["hr", "hrs", "hour"]),
];

/// Odoo requires a unit: an item without one is counted in pieces. Units that are not listed are to exist in Odoo under
/// the name that Zoho has for them.
fn unit_of_measure() -> SourceColumn {
    let mut values: BTreeMap<String, Value> = UNITS
        .iter()
        .flat_map(|(unit, names)| names.iter().map(|name| ((*name).to_owned(), (*unit).into())))
        .collect();
    values.insert("*".to_owned(), "*".into());
    let origin = Origin::Field { name: "unit".to_owned(), default: Some(UNITS[0].0.into()), values };
    SourceColumn::new("uom_id", origin, true)
}

/// An inactive item is an archived product.
fn status_as_active() -> SourceColumn {
    let values = [("active".to_owned(), true.into()), ("inactive".to_owned(), false.into())].into();
    let origin = Origin::Field { name: "status".to_owned(), default: Some(true.into()), values };
    SourceColumn::new("active", origin, false)
}

pub(super) static ODOO: &[Entity] = &[
    Entity {
        name: "customers",
        model: "res.partner",
        id_field: "id",
        file: "odoo_customers.json",
        // Odoo 19 has neither mobile nor title.
        fields: &[
            "name",
            "email",
            "phone",
            "mobile?",
            "title?",
            "street",
            "street2",
            "city",
            "zip",
            "state_id",
            "country_id",
            "is_company",
            "parent_id",
            "vat",
            "website",
            "lang",
            "category_id",
            "comment",
            "active",
            "create_date",
            "write_date",
        ],
        target: None,
        record: "customer",
        mapping: &[],
    },
    Entity {
        name: "products",
        model: "product.template",
        id_field: "id",
        file: "odoo_products.json",
        // Odoo 17 has no is_storable: there a storable product has the type 'product'.
        fields: &[
            "name",
            "default_code",
            "barcode",
            "list_price",
            "standard_price",
            "type",
            "is_storable?",
            "uom_id",
            "categ_id",
            "sale_ok",
            "purchase_ok",
            "description",
            "description_sale",
            "weight",
            "volume",
            "taxes_id",
            "active",
            "create_date",
            "write_date",
        ],
        target: None,
        record: "product",
        mapping: &[],
    },
];

pub(super) static ZOHO: &[Entity] = &[
    Entity {
        name: "items",
        model: "",
        id_field: "item_id",
        file: "zoho_items.json",
        fields: &[
            "name",
            "sku?",
            "status",
            "description?",
            "rate",
            "purchase_rate?",
            "unit?",
            "item_type?",
            "product_type?",
            "brand?",
            "manufacturer?",
            "upc?",
            "ean?",
            "tax_name?",
            "tax_percentage?",
            "group_name?",
            "stock_on_hand?",
            "image_document_id?",
            "image_name?",
            "created_time?",
            "last_modified_time?",
        ],
        target: Some("product.product"),
        record: "item",
        mapping: &[
            ("name", "name"),
            ("description", "description?"),
            ("list_price", "rate"),
            ("standard_price", "purchase_rate?"),
            ("default_code", "sku?"),
        ],
    },
    Entity {
        name: "contacts",
        model: "",
        id_field: "contact_id",
        file: "zoho_contacts.json",
        fields: &[
            "contact_name",
            "company_name?",
            "contact_type?",
            "status?",
            "first_name?",
            "last_name?",
            "email?",
            "phone?",
            "mobile?",
            "website?",
            "currency_code?",
            "created_time?",
            "last_modified_time?",
        ],
        target: Some("res.partner"),
        record: "contact",
        mapping: &[
            ("name", "contact_name"),
            ("email", "email?"),
            ("phone", "phone?"),
            ("website", "website?"),
        ],
    },
];

/// A configuration with every key, commented: what `catalog-sync config example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");
