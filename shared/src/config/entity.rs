//! The entities that have a model, fields and a file by default, and the example file that shows them.

/// A model with its default fields. A field with `?` is left out where the server's version has none of that name.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) name: &'static str,
    pub(super) model: &'static str,
    pub(super) file: &'static str,
    pub(super) fields: &'static [&'static str],
}

static ENTITIES: [Entity; 2] = [
    Entity {
        name: "customers",
        model: "res.partner",
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
    },
    Entity {
        name: "products",
        model: "product.template",
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
    },
];

pub(super) fn find(name: &str) -> Option<&'static Entity> {
    ENTITIES.iter().find(|entity| entity.name == name)
}

pub(super) fn names() -> Vec<&'static str> {
    ENTITIES.iter().map(|entity| entity.name).collect()
}

/// A configuration with every key, commented: what `catalog-sync config example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");
