//! What a fleet keeps in step in these tests, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sandbox::{
    Control, Edit, OdooSandbox, OdooSettings, OdooVersion, WriteDate, ZohoChange, ZohoControl, ZohoImage,
};
use serde_json::{Value, json};

use crate::shop_killed::shop::Shop;
use crate::shop_killed::truth::{Wrong, wrong};

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Zoho's items.
    pub(crate) items: usize,
    /// With images of about 3 kB.
    pub(crate) images: bool,
    /// Odoo's customers, for the file.
    pub(crate) customers: usize,
    /// Each call of the shop's Odoo takes so long.
    pub(crate) call: Duration,
}

impl Size {
    pub(crate) fn small() -> Self {
        Self { items: 60, images: true, customers: 300, call: Duration::ZERO }
    }
}

/// A Zoho, the Odoo that its items go to (pipeline `items`), another Odoo, and the file that its customers go to
/// (pipeline `customers`).
pub(crate) struct Catalogue {
    pub(crate) shop: Shop,
    pub(crate) erp: OdooSandbox,
}

/// What is wrong in the file.
#[derive(Debug, Default)]
pub(crate) struct FileWrong {
    /// Customers that are there again.
    pub(crate) doubled: usize,
    /// Customers that are not there.
    pub(crate) missing: usize,
    /// Rows that stand for no customer.
    pub(crate) extra: usize,
    /// Customers with other values than in their source, in words.
    pub(crate) stale: Vec<String>,
}

impl Catalogue {
    pub(crate) async fn new(size: Size) -> Self {
        let odoo = OdooSettings {
            version: OdooVersion::V18,
            customers: 0,
            products: 0,
            call_delay: size.call,
            ..OdooSettings::default()
        };
        let shop = Shop::with(odoo, size.items, size.images).await;
        let erp = OdooSettings {
            version: OdooVersion::V19,
            customers: size.customers,
            products: 0,
            ..OdooSettings::default()
        };
        Self { shop, erp: OdooSandbox::start(erp).await.unwrap() }
    }

    /// Both pipelines; runs are due every second.
    pub(crate) fn configuration(&self) -> String {
        let shop =
            self.shop.configuration().replace("[pipeline.items]\n", "[pipeline.items]\nevery = \"1s\"\n");
        format!(
            "{shop}[odoo.erp]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\ntimeout = \"20s\"\n\
             [json.files]\nfolder = \"out\"\n\
             [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\nevery = \"1s\"\n",
            self.erp.url(),
            self.erp.database(),
            self.erp.login(),
        )
    }

    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = self.shop.secrets.clone();
        secrets.push(("CATALOG_SYNC_ODOO_ERP_PASSWORD", self.erp.password().to_owned()));
        secrets
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.shop.folder.path().join("out/odoo_customers.json")
    }

    /// What is not as it should be, in words; nothing: both sinks hold exactly their source.
    pub(crate) async fn faults(&self) -> Vec<String> {
        let mut faults = self.faults_of_file();
        faults.extend(self.faults_of_items().await);
        faults
    }

    pub(crate) async fn faults_of_items(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let found = wrong(&self.shop).await;
        if found != Wrong::default() {
            let Wrong { duplicates, missing, values, images } = found;
            faults.push(format!(
                "items: {duplicates} doubled, {missing} missing, {} with wrong values ({:?}), {} with wrong images ({:?})",
                values.len(),
                values.first(),
                images.len(),
                images.first()
            ));
        }
        faults
    }

    pub(crate) fn faults_of_file(&self) -> Vec<String> {
        let FileWrong { doubled, missing, extra, stale } = match self.wrong_in_file() {
            Ok(wrong) => wrong,
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        if doubled > 0 {
            faults.push(format!("customers: {doubled} doubled"));
        }
        if missing + extra > 0 {
            faults.push(format!("customers: {missing} missing, {extra} that are none"));
        }
        if let Some(first) = stale.first() {
            faults.push(format!("customers: {} stale, {first}", stale.len()));
        }
        faults
    }

    /// The file beside its source; an error where there is no file to compare.
    pub(crate) fn wrong_in_file(&self) -> Result<FileWrong, String> {
        let text = std::fs::read_to_string(self.file()).map_err(|_| "there is no file".to_owned())?;
        let ours: Vec<Value> =
            serde_json::from_str(&text).map_err(|error| format!("the file is broken: {error}"))?;
        let truth = self.erp.control().rows("res.partner").unwrap();
        let by_id = |rows: &[Value]| -> BTreeMap<i64, Value> {
            rows.iter().map(|row| (row["id"].as_i64().unwrap(), row.clone())).collect()
        };
        let (held, wanted) = (by_id(&ours), by_id(&truth));
        let stale = |(id, held): (&i64, &Value)| {
            let wanted = wanted.get(id)?;
            let differs = |column: &&str| held[*column] != wanted[*column];
            let column = ["name", "comment", "active", "email"].iter().find(|column| differs(column))?;
            Some(format!("customer {id}: {column} is {}, not {}", held[*column], wanted[*column]))
        };
        Ok(FileWrong {
            doubled: ours.len() - held.len(),
            missing: wanted.keys().filter(|id| !held.contains_key(id)).count(),
            extra: held.keys().filter(|id| !wanted.contains_key(id)).count(),
            stale: held.iter().filter_map(stale).collect(),
        })
    }

    /// Whether Odoo has as many products as Zoho has items: cheaper to know than whether they are right.
    pub(crate) fn all_items_arrived(&self) -> bool {
        self.shop.control().external_ids("product.product").len() >= self.shop.store().item_count()
    }

    /// Whoever edits in the two sources.
    pub(crate) fn users(&self) -> Users {
        Users { store: self.shop.store(), customers: self.erp.control() }
    }

    /// Users upload other images.
    pub(crate) fn replace_images(&self, numbers: std::ops::Range<u32>) {
        self.later();
        for number in numbers {
            self.users().replace_image(number);
        }
    }

    /// A user changes an item and a customer.
    pub(crate) fn edit(&self, number: u32, mark: &str) {
        self.edit_item(number, mark);
        self.edit_customer(number, mark);
    }

    pub(crate) fn edit_item(&self, number: u32, mark: &str) {
        self.later();
        self.users().edit_item(number, mark);
    }

    pub(crate) fn edit_customer(&self, number: u32, mark: &str) {
        self.users().edit_customer(number, mark);
        self.erp.control().advance_clock(Duration::from_secs(2));
    }

    fn later(&self) {
        self.shop.store().advance_clock(Duration::from_secs(2));
    }
}

/// People at work in Zoho and in the other Odoo, at the times that their clocks show.
#[derive(Clone)]
pub(crate) struct Users {
    store: ZohoControl,
    customers: Control,
}

impl Users {
    pub(crate) fn edit_item(&self, number: u32, mark: &str) {
        let fields = json!({ "name": format!("item {number} {mark}") });
        let edit = ZohoChange::EditItem {
            item: self.store.item_id(number),
            fields: fields.as_object().unwrap().clone(),
            touch: true,
        };
        self.store.apply(edit).unwrap();
    }

    pub(crate) fn replace_image(&self, number: u32) {
        let item = self.store.item_id(number);
        let kind = Some(ZohoImage::Jpeg);
        let change = ZohoChange::ReplaceImage { item, kind, touch: true, keep_document: false };
        self.store.apply(change).unwrap();
    }

    pub(crate) fn edit_customer(&self, number: u32, mark: &str) {
        let ids = self.customers.ids("res.partner").unwrap();
        let id = ids[number as usize % ids.len()];
        let values = json!({ "comment": mark }).as_object().unwrap().clone();
        let edit =
            Edit::Update { model: "res.partner".to_owned(), id, values, write_date: WriteDate::Transaction };
        self.customers.edit(vec![edit]).unwrap();
    }
}
