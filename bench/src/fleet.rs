//! A shop with stand-ins of Zoho and Odoo in this process, and the roles of a fleet that keep it in step.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use sandbox::{OdooSandbox, OdooSettings, OdooVersion, ZohoSandbox, ZohoSettings};
use services::{Broker, RedisServer};
use tempfile::TempDir;

use crate::process::{Role, program};

/// More calls a minute than anybody makes.
pub(crate) const CALLS: u32 = 1_000_000;

/// What is not done by then never will be.
const PATIENCE: Duration = Duration::from_mins(5);

/// Both stand-ins, and a folder with their configuration.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) zoho: ZohoSandbox,
    pub(crate) odoo: OdooSandbox,
    pub(crate) folder: TempDir,
}

impl Shop {
    /// `image_bytes`: of each image; 0: there are none. `call`: what Odoo takes for each.
    pub(crate) async fn new(items: usize, image_bytes: usize, call: Duration) -> Self {
        Self::start(items, image_bytes, OdooSettings { call_delay: call, ..OdooSettings::default() }).await
    }

    /// With an Odoo that does as little as it can: it keeps connections, as a proxy in front of one does, and makes no smaller
    /// copies of pictures.
    pub(crate) async fn with_plain_odoo(items: usize, image_bytes: usize) -> Self {
        let odoo = OdooSettings { behind_proxy: true, smaller_images: false, ..OdooSettings::default() };
        Self::start(items, image_bytes, odoo).await
    }

    async fn start(items: usize, image_bytes: usize, odoo: OdooSettings) -> Self {
        let zoho = ZohoSettings {
            items,
            contacts: 0,
            with_images: image_bytes > 0,
            image_bytes: image_bytes.max(1_000),
            per_minute: CALLS,
            per_day: CALLS,
            ..ZohoSettings::default()
        };
        let odoo = OdooSettings { version: OdooVersion::V19, customers: 0, products: 0, ..odoo };
        let (zoho, odoo) = (ZohoSandbox::start(zoho).await.unwrap(), OdooSandbox::start(odoo).await.unwrap());
        let shop = Self { zoho, odoo, folder: tempfile::tempdir().unwrap() };
        shop.configure("");
        shop
    }

    /// `before`: what stands in the file before the shop's own tables.
    pub(crate) fn configure(&self, before: &str) {
        let Self { zoho, odoo, folder } = self;
        let accounts = zoho.accounts_url();
        let text = format!(
            "{before}[odoo.shop]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n\
             [zoho.store]\ndata_center = \"com\"\norganization_id = \"{}\"\nclient_id = \"{}\"\n\
             accounts_url = \"{accounts}\"\napi_url = \"{accounts}\"\ncalls_per_minute = {CALLS}\n\
             [pipeline.items]\nsource = \"zoho.store\"\nsink = \"odoo.shop\"\nevery = \"1s\"\n\
             [pipeline.items.mapping]\nname = \"name\"\nlist_price = \"rate\"\ndefault_code = \"sku?\"\n\
             active = {{ from = \"status\", values = {{ active = true, inactive = false }} }}\n",
            odoo.url(),
            odoo.database(),
            odoo.login(),
            zoho.organization_id(),
            zoho.client_id()
        );
        std::fs::write(folder.path().join("catalog-sync.toml"), text).unwrap();
    }

    /// The program in the shop's folder, with its secrets.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command
            .current_dir(self.folder.path())
            .env("CATALOG_SYNC_ODOO_SHOP_PASSWORD", self.odoo.password())
            .env("CATALOG_SYNC_ZOHO_STORE_CLIENT_SECRET", self.zoho.client_secret())
            .env("CATALOG_SYNC_ZOHO_STORE_REFRESH_TOKEN", self.zoho.refresh_token())
            .env("CATALOG_SYNC_BROKER_PASSWORD", services::PASSWORD)
            .env("CATALOG_SYNC_REDIS_PASSWORD", services::PASSWORD)
            .env("CATALOG_SYNC_PAGE_LISTEN", "");
        command
    }

    /// Items that have an image.
    pub(crate) fn images(&self) -> u64 {
        let rows = self.zoho.control().items();
        rows.iter().filter(|row| row["image_document_id"] != "").count() as u64
    }
}

/// What roles meet at.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) broker: Broker,
    pub(crate) redis: RedisServer,
}

impl Services {
    pub(crate) fn start() -> Self {
        Self { broker: Broker::start(), redis: RedisServer::start() }
    }

    /// From now on this shop is kept in step by a fleet that meets here, or where these say (a proxy). The answer begins the
    /// names of its queues.
    pub(crate) fn join(&self, shop: &Shop, settings: &str, ways: Option<(SocketAddr, SocketAddr)>) -> String {
        let (user, prefix) = (services::USER, services::prefix());
        let (broker, redis) = match ways {
            Some((broker, redis)) => (format!("amqp://{broker}"), format!("redis://{redis}/0")),
            None => (self.broker.url(), self.redis.url()),
        };
        shop.configure(&format!(
            "[fleet]\nbroker = \"{broker}\"\nbroker_user = \"{user}\"\nredis = \"{redis}\"\n\
             redis_user = \"{user}\"\nprefix = \"{prefix}\"\n{settings}"
        ));
        prefix
    }

    /// A producer enumerates all items: their jobs wait, and it goes on.
    pub(crate) async fn enqueue(&self, shop: &Shop, items: usize) -> Role {
        let prefix = self.join(shop, "", None);
        let producer = role(shop, "producer");
        let queue = format!("{prefix}.items.record");
        until(|| {
            let listed = self.broker.rabbitmqctl(&["list_queues", "name", "messages"]);
            listed.lines().any(|line| line.split_whitespace().eq([queue.as_str(), &items.to_string()]))
        })
        .await;
        producer
    }
}

/// A role of this fleet.
pub(crate) fn role(shop: &Shop, name: &str) -> Role {
    let log = File::options().create(true).append(true).open(shop.folder.path().join("log")).unwrap();
    Role::start(shop.command(&[name]).stderr(log))
}

/// Waits for a condition: how long that took.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it does not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}
