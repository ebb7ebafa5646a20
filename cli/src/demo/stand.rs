//! The stand-ins of the demo: an Odoo that is read, a Zoho that is read, an Odoo that is written.

use std::path::Path;
use std::time::Duration;

use sandbox::{
    Edit, OdooSandbox, OdooSettings, OdooVersion, WriteDate, ZohoChange, ZohoImage, ZohoSandbox, ZohoSettings,
};
use serde_json::{Map, Value, json};
use shared::config::Config;
use shared::failure::{DEFECT, Failure, Reason};

use crate::arguments::{Demo, DemoVersion};

/// Of the usual 2,880 records, 805 are customers.
const CUSTOMERS_OF: (usize, usize) = (805, 2_880);

/// Calls a minute: a stand-in may be asked as fast as it answers. Zoho itself takes 100.
const CALLS_PER_MINUTE: u32 = 1_000_000;

/// Three servers on this machine.
pub(super) struct Stand {
    /// Its customers and products go into files.
    pub(super) odoo: OdooSandbox,
    /// Its items go into `shop`.
    pub(super) zoho: ZohoSandbox,
    /// Its products come from Zoho.
    pub(super) shop: OdooSandbox,
}

impl Stand {
    pub(super) async fn start(demo: &Demo) -> Result<Self, Failure> {
        let version = match demo.odoo {
            DemoVersion::V17 => OdooVersion::V17,
            DemoVersion::V18 => OdooVersion::V18,
            DemoVersion::V19 => OdooVersion::V19,
        };
        let (part, of) = CUSTOMERS_OF;
        let records = demo.records as usize;
        let customers = records * part / of;
        let odoo = OdooSettings {
            version,
            customers: customers.saturating_sub(version.built_in_customers()),
            products: records - customers,
            port: 0,
            call_delay: Duration::ZERO,
            ..OdooSettings::default()
        };
        let shop = OdooSettings { customers: 0, products: 0, ..odoo.clone() };
        let zoho = ZohoSettings {
            items: demo.items as usize,
            per_minute: CALLS_PER_MINUTE,
            per_day: u32::MAX,
            ..ZohoSettings::default()
        };
        let no_listening = |error| {
            Failure::systemic(Reason::Unreachable, "the stand-ins cannot listen on this machine")
                .advise("see whether 127.0.0.1 is there and a port is free")
                .because(error)
        };
        Ok(Self {
            odoo: OdooSandbox::start(odoo).await.map_err(no_listening)?,
            zoho: ZohoSandbox::start(zoho).await.map_err(no_listening)?,
            shop: OdooSandbox::start(shop).await.map_err(no_listening)?,
        })
    }

    /// Writes the configuration of the demo, as a user would, and loads it with the stand-ins' secrets.
    pub(super) fn configure(&self, folder: &Path) -> Result<Config, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))?;
        let path = folder.join("catalog-sync.toml");
        std::fs::write(&path, self.configuration()).map_err(|error| cannot_write(folder, error))?;
        let secrets = [
            ("CATALOG_SYNC_ODOO_DEMO_PASSWORD", self.odoo.password().to_owned()),
            ("CATALOG_SYNC_ODOO_SHOP_PASSWORD", self.shop.password().to_owned()),
            ("CATALOG_SYNC_ZOHO_DEMO_CLIENT_SECRET", self.zoho.client_secret().to_owned()),
            ("CATALOG_SYNC_ZOHO_DEMO_REFRESH_TOKEN", self.zoho.refresh_token().to_owned()),
        ];
        Config::load_with(&path, &|name| {
            secrets.iter().find(|(variable, _)| *variable == name).map(|(_, secret)| secret.clone())
        })
    }

    fn configuration(&self) -> String {
        let server = |name: &str, odoo: &OdooSandbox| {
            format!(
                "[odoo.{name}]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n\n",
                odoo.url(),
                odoo.database(),
                odoo.login()
            )
        };
        let file = |name: &str| {
            format!(
                "[pipeline.{name}]\nsource = \"odoo.demo\"\nsink = \"json.files\"\nentity = \"{name}\"\n\n"
            )
        };
        let zoho = self.zoho.accounts_url();
        [
            server("demo", &self.odoo),
            server("shop", &self.shop),
            format!(
                "[zoho.demo]\ndata_center = \"com\"\norganization_id = \"{}\"\nclient_id = \"{}\"\n\
                 accounts_url = \"{zoho}\"\napi_url = \"{zoho}\"\ncalls_per_minute = {CALLS_PER_MINUTE}\n\n",
                self.zoho.organization_id(),
                self.zoho.client_id()
            ),
            "[json.files]\nfolder = \"odoo_database\"\n\n".to_owned(),
            file("customers"),
            file("products"),
            // The stand-in's items are counted in pieces and boxes, which an Odoo has no unit for.
            "[pipeline.items]\nsource = \"zoho.demo\"\nsink = \"odoo.shop\"\n\n[pipeline.items.mapping]\nname = \"name\"\n\
             description = \"description\"\nlist_price = \"rate\"\nstandard_price = \"purchase_rate?\"\n\
             default_code = \"sku?\"\n\
             uom_id = { from = \"unit\", default = \"Units\", values = { pcs = \"Units\", box = \"Units\", \"*\" = \"*\" } }\n\
             active = { from = \"status\", values = { active = true, inactive = false } }\n\
             sale_ok = { constant = true }\npurchase_ok = { constant = true }\n"
                .to_owned(),
        ]
        .concat()
    }

    /// Somebody renames three customers, moves the price of a product and of two items, and uploads a new image.
    pub(super) fn change_few(&self) -> Result<(), Failure> {
        let control = self.odoo.control();
        let refused = |error| {
            Failure::systemic(Reason::BadRecord, "the stand-in refused an edit").advise(DEFECT).because(error)
        };
        let newest = |model: &str, count: usize| -> Result<Vec<i64>, Failure> {
            Ok(control.ids(model).map_err(refused)?.into_iter().rev().take(count).collect())
        };
        let update = |model: &str, id, values: &Value| Edit::Update {
            model: model.to_owned(),
            id,
            values: fields(values),
            write_date: WriteDate::Transaction,
        };
        let mut edits = Vec::new();
        for id in newest("res.partner", 3)? {
            edits.push(update("res.partner", id, &json!({ "name": format!("Renamed customer {id}") })));
        }
        for id in newest("product.template", 1)? {
            edits.push(update("product.template", id, &json!({ "list_price": 19.99 })));
        }
        control.edit(edits).map_err(refused)?;
        let zoho = self.zoho.control();
        let item = |number| zoho.item_id(number);
        let price =
            |item| ZohoChange::EditItem { item, fields: fields(&json!({ "rate": 19.99 })), touch: true };
        let image = ZohoChange::ReplaceImage {
            item: item(0),
            kind: Some(ZohoImage::Jpeg),
            touch: true,
            keep_document: false,
        };
        for change in [price(item(1)), price(item(2)), image] {
            zoho.apply(change).map_err(|why| Failure::systemic(Reason::BadRecord, why).advise(DEFECT))?;
        }
        Ok(())
    }
}

fn fields(values: &Value) -> Map<String, Value> {
    values.as_object().cloned().unwrap_or_default()
}

pub(super) fn cannot_write(folder: &Path, error: std::io::Error) -> Failure {
    Failure::configuration(format!("cannot write in {}", folder.display()))
        .advise("choose another folder with --dir")
        .because(error)
}
