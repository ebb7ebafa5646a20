//! A shop: a Zoho with items, an Odoo without products, and a place whose only pipeline goes from one to the other.

use std::collections::BTreeMap;

use sandbox::{
    Edit, OdooSandbox, OdooSettings, OdooVersion, WriteDate, ZohoChange, ZohoImage, ZohoSandbox, ZohoSettings,
};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use crate::place::Place;

/// Two stand-ins and the program between them.
pub(crate) struct Shop {
    pub(crate) zoho: ZohoSandbox,
    pub(crate) odoo: OdooSandbox,
    pub(crate) place: Place,
}

impl Shop {
    /// An Odoo 18 and the first items of the usual Zoho, with images of 9 kB.
    pub(crate) async fn new(items: usize) -> Self {
        Self::of(OdooVersion::V18, items).await
    }

    pub(crate) async fn of(version: OdooVersion, items: usize) -> Self {
        Self::with(version, items, true).await
    }

    /// Items without any image.
    pub(crate) async fn plain(items: usize) -> Self {
        Self::with(OdooVersion::V18, items, false).await
    }

    /// Contacts and no items.
    pub(crate) async fn of_contacts(contacts: usize) -> Self {
        let contacts = ZohoSettings { items: 0, contacts, ..ZohoSettings::default() };
        Self::between(OdooVersion::V18, contacts).await
    }

    async fn with(version: OdooVersion, items: usize, with_images: bool) -> Self {
        Self::between(version, ZohoSettings { items, with_images, ..ZohoSettings::default() }).await
    }

    async fn between(version: OdooVersion, zoho: ZohoSettings) -> Self {
        let zoho = ZohoSettings { image_bytes: 9_000, per_minute: 1_000_000, per_day: 1_000_000, ..zoho };
        let odoo = OdooSettings { version, customers: 0, products: 0, ..OdooSettings::default() };
        let zoho = ZohoSandbox::start(zoho).await.unwrap();
        let odoo = OdooSandbox::start(odoo).await.unwrap();
        let place = Place::configured(&configuration(version, &zoho, &odoo), secrets(version, &zoho, &odoo));
        let shop = Self { zoho, odoo, place };
        // Odoo has no unit of the name "box".
        for item in shop.zoho.control().items() {
            if item["unit"] == "box" {
                shop.change(ZohoChange::EditItem {
                    item: item["item_id"].as_str().unwrap().to_owned(),
                    fields: fields(&json!({ "unit": "pcs" })),
                    touch: false,
                });
            }
        }
        shop
    }

    pub(crate) fn change(&self, change: ZohoChange) -> String {
        self.zoho.control().apply(change).unwrap()
    }

    /// Id of a seeded item.
    pub(crate) fn id(&self, number: u32) -> String {
        self.zoho.control().item_id(number)
    }

    /// A user of Zoho edits an item.
    pub(crate) fn edit(&self, number: u32, values: &Value) {
        self.change(edited(self.id(number), values));
    }

    /// A user of Zoho uploads an image, or what there is in its place.
    pub(crate) fn upload(&self, number: u32, kind: ZohoImage) {
        self.change(ZohoChange::ReplaceImage {
            item: self.id(number),
            kind: Some(kind),
            touch: true,
            keep_document: false,
        });
    }

    /// The products by the id of the item that they carry in their external ids.
    pub(crate) fn products(&self) -> BTreeMap<String, i64> {
        let named = self.odoo.control().external_ids("product.product");
        named
            .into_iter()
            .filter_map(|(name, id)| Some((name.strip_prefix("zoho.item_")?.to_owned(), id)))
            .collect()
    }

    /// The product of an item, which must be there.
    pub(crate) fn product(&self, item: &str) -> Value {
        let id = self.products()[item];
        self.odoo_row("product.product", id)
    }

    pub(crate) fn odoo_row(&self, model: &str, id: i64) -> Value {
        let rows = self.odoo.control().rows(model).unwrap();
        rows.into_iter().find(|row| row["id"] == id).unwrap()
    }

    /// A user of Odoo makes a product.
    pub(crate) fn create_product(&self, values: &Value) -> i64 {
        let create = Edit::Create {
            model: "product.product".to_owned(),
            values: fields(values),
            write_date: WriteDate::Transaction,
        };
        self.odoo.control().edit(vec![create]).unwrap()[0]
    }

    /// sha1 of the picture that a product's template keeps.
    pub(crate) fn picture(&self, item: &str) -> Option<String> {
        let template = self.product(item)["product_tmpl_id"][0].clone();
        let attachments = self.odoo.control().rows("ir.attachment").unwrap();
        let kept = attachments.into_iter().find(|row| {
            row["res_model"] == "product.template"
                && row["res_id"] == template
                && row["res_field"] == "image_1920"
        })?;
        Some(kept["checksum"].as_str().unwrap().to_owned())
    }

    /// sha1 of the bytes that Zoho serves as image, by item.
    pub(crate) async fn served(&self) -> BTreeMap<String, String> {
        let images = self.images().await;
        images.into_iter().map(|(item, bytes)| (item, hex(&Sha1::digest(bytes)))).collect()
    }

    /// The bytes that Zoho serves as image, by item, asked for as anybody with a token does.
    pub(crate) async fn images(&self) -> BTreeMap<String, Vec<u8>> {
        let client = reqwest::Client::new();
        let grant = format!(
            "{}/oauth/v2/token?grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
            self.zoho.accounts_url(),
            self.zoho.client_id(),
            self.zoho.client_secret(),
            self.zoho.refresh_token()
        );
        let granted: Value = client.post(grant).send().await.unwrap().json().await.unwrap();
        let token = format!("Zoho-oauthtoken {}", text(&granted["access_token"]));
        let mut served = BTreeMap::new();
        for item in self.zoho.control().items() {
            if item["image_document_id"].as_str().is_none_or(str::is_empty) {
                continue;
            }
            let (id, organization) = (text(&item["item_id"]), self.zoho.organization_id());
            let address =
                format!("{}/items/{id}/image?organization_id={organization}", self.zoho.inventory_url());
            let request = client.get(address).header("Authorization", &token);
            let mut answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await.unwrap() {
                bytes.extend_from_slice(&chunk);
            }
            served.insert(id.to_owned(), bytes);
        }
        served
    }

    /// Forgets what was asked of both.
    pub(crate) fn reset_counts(&self) {
        self.zoho.control().reset_counts();
        self.odoo.control().reset_counts();
    }

    /// Nothing was written in Odoo and no image was asked for since the counters were reset.
    pub(crate) fn assert_nothing_done(&self) {
        self.assert_nothing_written();
        let asked = self.zoho.control().counts();
        assert_eq!((asked.image, asked.image_bytes), (0, 0), "{asked:?}");
    }

    pub(crate) fn assert_nothing_written(&self) {
        let counts = self.odoo.control().counts();
        assert_eq!(
            (counts.rows_created, counts.rows_written, counts.image_writes, counts.rows_deleted),
            (0, 0, 0, 0),
            "{counts:?}"
        );
    }

    /// Every item is one product with the item's values, and there are no others.
    pub(crate) fn assert_in_step(&self) {
        let items = self.zoho.control().items();
        let products = self.products();
        let rows: BTreeMap<i64, Value> = self
            .odoo
            .control()
            .rows("product.product")
            .unwrap()
            .into_iter()
            .map(|row| (row["id"].as_i64().unwrap(), row))
            .collect();
        assert_eq!((products.len(), rows.len()), (items.len(), items.len()));
        for item in &items {
            let product = &rows[&products[item["item_id"].as_str().unwrap()]];
            assert_same(item, product);
        }
    }
}

/// A product has the values of an item, under the usual mapping.
fn assert_same(item: &Value, product: &Value) {
    let shown = format!("{item}\n{product}");
    assert_eq!(text(&product["name"]).trim(), text(&item["name"]).trim(), "{shown}");
    assert_eq!(product["default_code"].as_str().unwrap_or(""), text(&item["sku"]), "{shown}");
    assert_eq!(product["list_price"].as_f64(), item["rate"].as_f64(), "{shown}");
    assert_eq!(product["standard_price"].as_f64(), item["purchase_rate"].as_f64(), "{shown}");
    assert_eq!(product["active"], item["status"] == "active", "{shown}");
    assert_eq!((&product["sale_ok"], &product["purchase_ok"]), (&json!(true), &json!(true)), "{shown}");
    let unit = match text(&item["unit"]) {
        "pcs" | "" => "Units",
        other => other,
    };
    assert_eq!(product["uom_id"][1], unit, "{shown}");
    match product.get("is_storable") {
        Some(is_storable) => {
            assert_eq!((is_storable, &product["type"]), (&json!(true), &json!("consu")), "{shown}");
        }
        None => assert_eq!(product["type"], "product", "{shown}"),
    }
    // Odoo keeps a note as HTML.
    let note = text(&item["description"]);
    let kept = product["description"].as_str().unwrap_or("");
    assert_eq!(kept.is_empty(), note.is_empty(), "{shown}");
    let first = note.lines().next().unwrap_or("").trim();
    assert!(kept.contains(first), "{shown}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub(crate) fn fields(values: &Value) -> Map<String, Value> {
    values.as_object().unwrap().clone()
}

/// An edit that moves the item's time.
pub(crate) fn edited(item: String, values: &Value) -> ZohoChange {
    ZohoChange::EditItem { item, fields: fields(values), touch: true }
}

fn configuration(version: OdooVersion, zoho: &ZohoSandbox, odoo: &OdooSandbox) -> String {
    let transport = if version == OdooVersion::V19 { "json2" } else { "session" };
    let api = zoho.accounts_url();
    format!(
        "[odoo.shop]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\ntimeout = \"20s\"\ntransport = \"{transport}\"\n\
         [zoho.shop]\ndata_center = \"com\"\norganization_id = \"{}\"\nclient_id = \"{}\"\n\
         accounts_url = \"{api}\"\napi_url = \"{api}\"\ncalls_per_minute = 1000000\n\
         [json.files]\nfolder = \"out\"\n\
         [pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n",
        odoo.url(),
        odoo.database(),
        odoo.login(),
        zoho.organization_id(),
        zoho.client_id()
    )
}

/// Odoo 19 is asked with a key, the others with a password.
fn secrets(version: OdooVersion, zoho: &ZohoSandbox, odoo: &OdooSandbox) -> Vec<(&'static str, String)> {
    let (variable, secret) = match version {
        OdooVersion::V19 => ("CATALOG_SYNC_ODOO_SHOP_API_KEY", odoo.api_key()),
        _ => ("CATALOG_SYNC_ODOO_SHOP_PASSWORD", odoo.password()),
    };
    vec![
        (variable, secret.to_owned()),
        ("CATALOG_SYNC_ZOHO_SHOP_CLIENT_SECRET", zoho.client_secret().to_owned()),
        ("CATALOG_SYNC_ZOHO_SHOP_REFRESH_TOKEN", zoho.refresh_token().to_owned()),
    ]
}
