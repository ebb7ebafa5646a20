//! A change is followed through the logs of a fleet.

use sandbox::ZohoChange;
use serde_json::json;

use super::catalogue::Size;
use super::processes::Fleet;
use crate::traces::assert_followed;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_followed_by_one_id_from_process_to_process() {
    let size = Size { items: 12, customers: 3, ..Size::small() };
    let details = [("CATALOG_SYNC_LOG_FORMAT", "json"), ("CATALOG_SYNC_LOG", "debug,lapin=warn")];
    let fleet = Fleet::new(size).await.with(details);
    // A custom field names the unit of one item, and Odoo has no such unit.
    fleet.reconfigure(
        "default_code = \"sku?\"\n",
        "default_code = \"sku?\"\nuom_id = { from = \"cf_unit?\", default = \"Units\" }\n",
    );
    let shop = &fleet.catalogue.shop;
    let item = shop.store().items()[0]["item_id"].as_str().unwrap().to_owned();
    let fields = serde_json::from_value(json!({ "cf_unit": "box" })).unwrap();
    shop.store().apply(ZohoChange::EditItem { item, fields, touch: true }).unwrap();
    let (producer, worker) = (fleet.producer(), fleet.worker());
    fleet
        .until("all but one have arrived", || async {
            let records = fleet.status("items").await["records"].take();
            records["dead"] == 1 && records["applied"] == 11
        })
        .await;
    fleet.settled().await;
    assert_followed(&producer.log(), &worker.log(), 12);
}
