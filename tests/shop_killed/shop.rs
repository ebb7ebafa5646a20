//! A Zoho organisation, the Odoo that its items go to, and a folder to run the program in.

use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox::{Control, OdooSandbox, OdooSettings, OdooVersion, ZohoControl, ZohoSandbox, ZohoSettings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::truth::Served;
use crate::dice::Dice;
use crate::place::Ran;

/// More calls a minute than anybody makes: the limits are another test's.
const CALLS: u32 = 1_000_000;

/// Zoho grants ten tokens in ten minutes; those that a test takes for itself are not to be among them.
pub(crate) const TOKEN_WINDOW: Duration = Duration::from_mins(11);

/// Everything that a sync from Zoho to Odoo needs; the folder is removed when dropped.
pub(crate) struct Shop {
    pub(crate) zoho: ZohoSandbox,
    pub(crate) odoo: OdooSandbox,
    pub(crate) served: Served,
    pub(crate) folder: TempDir,
    pub(crate) secrets: Vec<(&'static str, String)>,
}

impl Shop {
    /// An organisation with this many items, most of them with an image of about 3 kB, and an empty Odoo.
    pub(crate) async fn new(version: OdooVersion, items: usize) -> Self {
        let odoo = OdooSettings { version, customers: 0, products: 0, ..OdooSettings::default() };
        Self::with(odoo, items, true).await
    }

    /// The same with another Odoo, or without images.
    pub(crate) async fn with(odoo: OdooSettings, items: usize, with_images: bool) -> Self {
        let zoho = ZohoSettings {
            items,
            with_images,
            contacts: 0,
            image_bytes: 3_000,
            per_minute: CALLS,
            per_day: CALLS,
            ..ZohoSettings::default()
        };
        let version = odoo.version;
        let zoho = ZohoSandbox::start(zoho).await.unwrap();
        let odoo = OdooSandbox::start(odoo).await.unwrap();
        // Odoo 19 takes an API key through its newer protocol.
        let key = if version == OdooVersion::V19 {
            ("CATALOG_SYNC_ODOO_SHOP_API_KEY", odoo.api_key().to_owned())
        } else {
            ("CATALOG_SYNC_ODOO_SHOP_PASSWORD", odoo.password().to_owned())
        };
        let secrets = vec![
            key,
            ("CATALOG_SYNC_ZOHO_STORE_CLIENT_SECRET", zoho.client_secret().to_owned()),
            ("CATALOG_SYNC_ZOHO_STORE_REFRESH_TOKEN", zoho.refresh_token().to_owned()),
        ];
        let shop =
            Self { served: Served::default(), folder: tempfile::tempdir().unwrap(), zoho, odoo, secrets };
        let path = shop.folder.path().join("catalog-sync.toml");
        std::fs::write(path, shop.configuration()).unwrap();
        shop
    }

    pub(crate) fn configuration(&self) -> String {
        let zoho = self.zoho.accounts_url();
        format!(
            "[odoo.shop]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\ntimeout = \"20s\"\n\
             [zoho.store]\ndata_center = \"com\"\norganization_id = \"{}\"\nclient_id = \"{}\"\n\
             accounts_url = \"{zoho}\"\napi_url = \"{zoho}\"\ncalls_per_minute = {CALLS}\n\
             [pipeline.items]\nsource = \"zoho.store\"\nsink = \"odoo.shop\"\n\
             [pipeline.items.mapping]\nname = \"name\"\nlist_price = \"rate\"\n\
             standard_price = \"purchase_rate?\"\ndefault_code = \"sku?\"\n\
             active = {{ from = \"status\", values = {{ active = true, inactive = false }} }}\n",
            self.odoo.url(),
            self.odoo.database(),
            self.odoo.login(),
            self.zoho.organization_id(),
            self.zoho.client_id()
        )
    }

    pub(crate) fn store(&self) -> ZohoControl {
        self.zoho.control()
    }

    pub(crate) fn control(&self) -> Control {
        self.odoo.control()
    }

    /// The program with these arguments; killed when dropped.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_catalog-sync-under-test"));
        command
            .env_clear()
            .env("CATALOG_SYNC_PAGE_LISTEN", "")
            .envs(self.secrets.iter().map(|(name, secret)| (name, secret)))
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().await.unwrap();
        Ran {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A sync that must end well: its report on the pipeline, and how long it took.
    pub(crate) async fn sync(&self) -> (Value, Duration) {
        let began = Instant::now();
        let ran = self.run(&["sync", "--json"]).await;
        assert_eq!(ran.code(), 0, "{ran:?}");
        (ran.json()["pipelines"][0].take(), began.elapsed())
    }

    /// Kills a sync within this time; `false` if it had ended before.
    pub(crate) async fn kill_within(&self, span: Duration, dice: &mut Dice) -> bool {
        let mut child: Child = self.command(&["sync"]).stderr(Stdio::null()).spawn().unwrap();
        let span = u64::try_from(span.as_micros()).unwrap();
        let after = Duration::from_micros(dice.roll(span));
        let ended = tokio::time::timeout(after, child.wait()).await;
        child.kill().await.unwrap();
        ended.is_err()
    }

    /// Waits until Odoo has done what it was asked for on connections that have long ended.
    pub(crate) async fn late_calls_done(&self) {
        while self.control().late_calls() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
