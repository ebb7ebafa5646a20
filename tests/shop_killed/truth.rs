//! What is true: Zoho's items and images as it serves them, compared with Odoo's own rows. Nothing of ours is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::Value;
use sha1::{Digest, Sha1};

use super::shop::{Shop, TOKEN_WINDOW};

/// What was counted over all comparisons; each must be 0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Products that stand for an item that another one stands for, or for none.
    pub(crate) duplicates: usize,
    /// Items without product.
    pub(crate) missing: usize,
    /// Products with a value that is not the item's.
    pub(crate) values: Vec<String>,
    /// Products whose image is not the one that Zoho serves.
    pub(crate) images: Vec<String>,
}

/// Compares everything.
pub(crate) async fn wrong(shop: &Shop) -> Wrong {
    let items: BTreeMap<String, Value> =
        shop.store().items().into_iter().map(|item| (text(&item, "item_id").to_owned(), item)).collect();
    let named = shop.control().external_ids("product.product");
    let products = shop.control().ids("product.product").unwrap();
    let mut of_items: BTreeMap<&str, i64> = BTreeMap::new();
    for (name, id) in &named {
        if let Some((_, item)) = name.rsplit_once('_').filter(|(item, _)| *item == "zoho.item") {
            of_items.insert(item, *id);
        }
    }
    let distinct: BTreeSet<i64> = of_items.values().copied().collect();
    let attached = attached(shop);
    let mut wrong = Wrong {
        duplicates: products.iter().filter(|id| !distinct.contains(id)).count() + of_items.len()
            - distinct.len(),
        missing: items.keys().filter(|item| !of_items.contains_key(item.as_str())).count(),
        ..Wrong::default()
    };
    let templates = shop.control().ids("product.template").unwrap().len();
    wrong.duplicates += templates.abs_diff(products.len());
    for (item, id) in of_items {
        let Some(source) = items.get(item) else {
            wrong.duplicates += 1;
            continue;
        };
        wrong.values.extend(differing(shop, id, source));
        let expected = match text(source, "image_document_id") {
            "" => None,
            document => Some(shop.served.hash(shop, item, document).await),
        };
        let template = template_of(shop, id);
        if attached.get(&template) != expected.as_ref() {
            wrong.images.push(item.to_owned());
        }
    }
    wrong
}

/// The columns of a product that are not as in Zoho.
fn differing(shop: &Shop, id: i64, item: &Value) -> Vec<String> {
    let fields = ["name", "list_price", "standard_price", "default_code", "active"];
    let row = shop.control().row("product.product", id, &fields).unwrap().unwrap();
    let mut expected = vec![
        ("name", item["name"].clone()),
        ("list_price", item["rate"].clone()),
        ("active", (text(item, "status") == "active").into()),
    ];
    if let Some(cost) = item.get("purchase_rate") {
        expected.push(("standard_price", cost.clone()));
    }
    match text(item, "sku") {
        "" => expected.push(("default_code", false.into())),
        sku => expected.push(("default_code", sku.into())),
    }
    let differs = |(field, expected): (&str, Value)| {
        let is_same = match (&row[field], &expected) {
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
            (a, b) => a == b,
        };
        (!is_same).then(|| format!("{}: {field} is {}, not {expected}", item["item_id"], row[field]))
    };
    expected.into_iter().filter_map(differs).collect()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn template_of(shop: &Shop, product: i64) -> i64 {
    let row = shop.control().row("product.product", product, &["product_tmpl_id"]).unwrap().unwrap();
    row["product_tmpl_id"][0].as_i64().unwrap()
}

/// SHA-1 of the image of each template that has one. One of them twice is told here.
fn attached(shop: &Shop) -> BTreeMap<i64, String> {
    let mut attached = BTreeMap::new();
    for row in shop.control().rows("ir.attachment").unwrap() {
        if row["res_field"] == "image_1920" {
            assert_eq!(row["res_model"], "product.template");
            let hash = text(&row, "checksum").to_owned();
            let before = attached.insert(row["res_id"].as_i64().unwrap(), hash);
            assert_eq!(before, None, "a template has two images");
        }
    }
    attached
}

/// Images as Zoho serves them, asked for with a token of the test's own; each once, as long as its document is the same.
#[derive(Default)]
pub(crate) struct Served {
    token: Mutex<Option<String>>,
    hashes: Mutex<BTreeMap<(String, String), String>>,
}

impl Served {
    async fn hash(&self, shop: &Shop, item: &str, document: &str) -> String {
        let key = (item.to_owned(), document.to_owned());
        if let Some(known) = self.hashes.lock().unwrap().get(&key) {
            return known.clone();
        }
        let hash = loop {
            let known = self.token.lock().unwrap().clone();
            let token = match known {
                Some(token) => token,
                None => token_of(shop).await,
            };
            if let Some(hash) = fetch(shop, &token, item).await {
                *self.token.lock().unwrap() = Some(token);
                break hash;
            }
            // It ran out: the tests turn Zoho's clock.
            *self.token.lock().unwrap() = None;
        };
        self.hashes.lock().unwrap().insert(key, hash.clone());
        hash
    }
}

async fn token_of(shop: &Shop) -> String {
    shop.store().advance_clock(TOKEN_WINDOW);
    let zoho = &shop.zoho;
    let address = format!(
        "{}/oauth/v2/token?grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        zoho.accounts_url(),
        zoho.client_id(),
        zoho.client_secret(),
        zoho.refresh_token()
    );
    let answer = reqwest::Client::new().post(address).send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    text(&answer, "access_token").to_owned()
}

/// `None`: the token is not taken.
async fn fetch(shop: &Shop, token: &str, item: &str) -> Option<String> {
    let (zoho, organization) = (shop.zoho.inventory_url(), shop.zoho.organization_id());
    let address = format!("{zoho}/items/{item}/image?organization_id={organization}");
    let client = reqwest::Client::new();
    let authorization = format!("Zoho-oauthtoken {token}");
    let mut answer = client.get(address).header("Authorization", authorization).send().await.unwrap();
    if answer.status() == 401 {
        return None;
    }
    assert_eq!(answer.status(), 200);
    let mut digest = Sha1::new();
    while let Some(part) = answer.chunk().await.unwrap() {
        digest.update(&part);
    }
    Some(digest.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}
