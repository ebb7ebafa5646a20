//! Images from Zoho to Odoo: peak memory of the program's own process with the largest images that Zoho takes, and the
//! calls that 10,000 small ones cost, while both stand-ins run in this process. `cargo bench -p tests --bench images`
//! prints the table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where anything is wrong"
)]

mod measured;

use std::path::Path;
use std::process::Command;

use sandbox::{OdooSandbox, OdooSettings, OdooVersion, ZohoChange, ZohoImage, ZohoSandbox, ZohoSettings};

use measured::Measured;

/// More calls a minute than anybody makes.
const CALLS: u32 = 1_000_000;
/// What the program may have in use.
const PEAK_MIB: f64 = 256.0;
/// Of 10,000 items at 200 a page, with a few pages for seconds that several pages share.
const LIST_CALLS: u64 = 55;

/// Both stand-ins.
struct Shop {
    zoho: ZohoSandbox,
    odoo: OdooSandbox,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("catalogue | run | seconds | peak MiB | list calls | image calls | image MB | image writes");
    println!("---|---|--:|--:|--:|--:|--:|--:");
    let large = runtime.block_on(start(16));
    for number in 0..16 {
        let change = ZohoChange::ReplaceImage {
            item: large.zoho.control().item_id(number),
            kind: Some(ZohoImage::Large),
            touch: false,
            keep_document: false,
        };
        large.zoho.control().apply(change).unwrap();
    }
    bench("16 items, images of 7 MB", &large, 16);
    drop(large);
    let small = runtime.block_on(start(10_000));
    let rows = small.zoho.control().items();
    let images = rows.iter().filter(|row| row["image_document_id"] != "").count();
    bench("10,000 items, images of 2 kB", &small, images as u64);
}

async fn start(items: usize) -> Shop {
    let zoho = ZohoSettings {
        items,
        contacts: 0,
        image_bytes: 2_000,
        per_minute: CALLS,
        per_day: CALLS,
        ..ZohoSettings::default()
    };
    let odoo =
        OdooSettings { version: OdooVersion::V19, customers: 0, products: 0, ..OdooSettings::default() };
    Shop { zoho: ZohoSandbox::start(zoho).await.unwrap(), odoo: OdooSandbox::start(odoo).await.unwrap() }
}

/// Two syncs: the first brings each image with one call, the second asks whether anything changed.
fn bench(title: &str, shop: &Shop, images: u64) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("catalog-sync.toml"), configuration(shop)).unwrap();
    for (run, expected) in [("first", images), ("nothing changed", 0)] {
        shop.zoho.control().reset_counts();
        shop.odoo.control().reset_counts();
        let measured = sync(folder.path(), shop);
        let zoho = shop.zoho.control().counts();
        let written = shop.odoo.control().counts().image_writes;
        println!(
            "{title} | {run} | {:.2} | {:.1} | {} | {} | {:.1} | {written}",
            measured.seconds,
            measured.peak_mib,
            zoho.list,
            zoho.image,
            zoho.image_bytes as f64 / 1e6,
        );
        assert!(measured.peak_mib < PEAK_MIB);
        assert_eq!((zoho.image, written), (expected, expected));
        assert!(zoho.images_served.values().all(|times| *times == 1));
        assert!(zoho.list <= if expected == 0 { 1 } else { LIST_CALLS });
        let report = &measured.report["pipelines"][0];
        assert_eq!(report["images"]["applied"].as_u64(), Some(images));
    }
}

fn sync(folder: &Path, shop: &Shop) -> Measured {
    measured::measure(
        Command::new(env!("CARGO_BIN_EXE_catalog-sync-under-test"))
            .args(["sync", "--json"])
            .current_dir(folder)
            .env("CATALOG_SYNC_ODOO_SHOP_PASSWORD", shop.odoo.password())
            .env("CATALOG_SYNC_ZOHO_STORE_CLIENT_SECRET", shop.zoho.client_secret())
            .env("CATALOG_SYNC_ZOHO_STORE_REFRESH_TOKEN", shop.zoho.refresh_token()),
    )
}

fn configuration(shop: &Shop) -> String {
    let zoho = shop.zoho.accounts_url();
    format!(
        "[odoo.shop]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n\
         [zoho.store]\ndata_center = \"com\"\norganization_id = \"{}\"\nclient_id = \"{}\"\n\
         accounts_url = \"{zoho}\"\napi_url = \"{zoho}\"\ncalls_per_minute = {CALLS}\n\
         [pipeline.items]\nsource = \"zoho.store\"\nsink = \"odoo.shop\"\n\
         [pipeline.items.mapping]\nname = \"name\"\nlist_price = \"rate\"\ndefault_code = \"sku?\"\n\
         active = {{ from = \"status\", values = {{ active = true, inactive = false }} }}\n",
        shop.odoo.url(),
        shop.odoo.database(),
        shop.odoo.login(),
        shop.zoho.organization_id(),
        shop.zoho.client_id()
    )
}
