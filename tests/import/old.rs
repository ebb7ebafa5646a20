//! The place that the old script leaves: a shop, its products in Odoo, its files.

use super::*;

/// An Odoo with the products of a Zoho as the old script left them: no external id, and its files.
pub(super) struct Old {
    pub(super) shop: Shop,
    pub(super) place: Place,
    /// Variant by item.
    pub(super) products: BTreeMap<String, i64>,
}

impl Old {
    pub(super) async fn new(version: OdooVersion, items: usize) -> Self {
        let shop = Shop::of(version, items).await;
        // From here on the id of a variant is not that of its template.
        let first = shop.create_product(&json!({"name": "Gift card"}));
        let template = shop.odoo_row("product.product", first)["product_tmpl_id"][0].clone();
        for colour in ["red", "blue"] {
            shop.create_product(
                &json!({"name": "Gift card", "default_code": colour, "product_tmpl_id": template}),
            );
        }
        shop.place.sync().await;
        let products = shop.products();
        let keys: Vec<&str> = products.keys().map(String::as_str).collect();
        let unbound = shop.place.run(&[&["unbind", "items"][..], &keys].concat()).await;
        assert_eq!(unbound.code(), 0, "{unbound:?}");
        assert!(shop.products().is_empty());
        let place = Place::configured("", vec![(PASSWORD, shop.odoo.password().to_owned())]);
        std::fs::remove_file(place.path("catalog-sync.toml")).unwrap();
        let old = Self { shop, place, products };
        old.write("old/config/field_mapping.json", MAPPING);
        old.write("old/config/sync_schedule.json", SCHEDULE);
        let zoho = &old.shop.zoho;
        let config = json!({"zoho_books": {
            "base_url": zoho.inventory_url().replace("/inventory/v1", "/books/v3"),
            "inventory_base_url": zoho.inventory_url(),
            "client_id": zoho.client_id(), "client_secret": zoho.client_secret(),
            "refresh_token": zoho.refresh_token(), "organization_id": zoho.organization_id()}});
        old.write("old/config/zoho_config.json", &config.to_string());
        old.write_products(&old.told());
        for (item, bytes) in old.shop.images().await {
            let path = old.place.path(&format!("old/data/product_images/{item}.jpg"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        old
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.place.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// What the old script says of each item: every other one by its template's id.
    pub(super) fn told(&self) -> serde_json::Map<String, Value> {
        let mut told = serde_json::Map::new();
        let mut differ = 0;
        for (number, item) in self.shop.zoho.control().items().iter().enumerate() {
            let id = item["item_id"].as_str().unwrap();
            let variant = self.products[id];
            let template =
                self.shop.odoo_row("product.product", variant)["product_tmpl_id"][0].as_i64().unwrap();
            differ += usize::from(variant != template);
            let odoo_id = if number % 2 == 0 { variant } else { template };
            let modified = item["last_modified_time"].as_str().unwrap().get(..19).unwrap();
            told.insert(
                id.to_owned(),
                json!({"odoo_id": odoo_id, "last_modified": modified, "checksum": "abc123"}),
            );
        }
        assert_eq!(differ, told.len(), "ids of variants are not those of templates");
        told
    }

    pub(super) fn write_products(&self, products: &serde_json::Map<String, Value>) {
        let file = json!({"last_sync": "2025-05-23T17:30:00", "products": products,
            "sync_stats": {"total_synced": 1250, "last_run_added": 5, "last_run_updated": 12}});
        self.write("old/data/product_sync_data.json", &serde_json::to_string_pretty(&file).unwrap());
    }

    pub(super) async fn import(&self, more: &[&str]) -> Ran {
        let usual = self.usual();
        let usual: Vec<&str> = usual.iter().map(String::as_str).collect();
        self.place.run(&[&usual[..], more].concat()).await
    }

    pub(super) fn start_import(&self) -> Child {
        let usual = self.usual();
        self.place.start(&usual.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(super) fn usual(&self) -> Vec<String> {
        let (url, accounts) = (self.shop.odoo.url(), self.shop.zoho.accounts_url());
        let odoo = ["--odoo-url", &url, "--odoo-database", self.shop.odoo.database()];
        let more = ["--odoo-user", self.shop.odoo.login(), "--accounts-url", &accounts, "--json"];
        ["import", "old"].iter().chain(&odoo).chain(&more).map(ToString::to_string).collect()
    }

    pub(super) fn set_zoho_secrets(&mut self) {
        let zoho = &self.shop.zoho;
        self.place.add_secret("CATALOG_SYNC_ZOHO_SHOP_CLIENT_SECRET", zoho.client_secret());
        self.place.add_secret("CATALOG_SYNC_ZOHO_SHOP_REFRESH_TOKEN", zoho.refresh_token());
    }

    pub(super) fn has_configuration(&self) -> bool {
        self.place.path("catalog-sync.toml").exists()
    }
}
