//! What a fleet gave up, redriven from the store.

use sandbox::{Edit, WriteDate, ZohoChange};
use serde_json::json;

use super::catalogue::Size;
use super::processes::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_redriven_through_the_broker_also_where_that_is_killed() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    // A custom field names the unit of some items, and Odoo has no such unit.
    fleet.reconfigure(
        "default_code = \"sku?\"\n",
        "default_code = \"sku?\"\nuom_id = { from = \"cf_unit?\", default = \"Units\" }\n",
    );
    let shop = &fleet.catalogue.shop;
    let boxes = 4_u64;
    for item in shop.store().items().iter().take(4) {
        let item = item["item_id"].as_str().unwrap().to_owned();
        let fields = serde_json::from_value(json!({ "cf_unit": "box" })).unwrap();
        shop.store().apply(ZohoChange::EditItem { item, fields, touch: true }).unwrap();
    }
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    let kept = async || {
        let listed = fleet.run(&["dead", "list", "--pipeline", "items", "--json"]).await.json();
        listed["pipelines"][0]["kept"].as_u64().unwrap()
    };
    fleet.until("a letter for each box", || async { kept().await == boxes }).await;
    let first = fleet.run(&["dead", "list", "--pipeline", "items", "--json"]).await.json();
    let one = first["pipelines"][0]["letters"][0]["key"].as_str().unwrap().to_owned();

    let units = Edit::Create {
        model: "uom.uom".to_owned(),
        values: serde_json::from_value(
            json!({ "name": "box", "category_id": 1, "uom_type": "bigger", "factor": 0.1, "rounding": 0.01 }),
        )
        .unwrap(),
        write_date: WriteDate::Transaction,
    };
    shop.control().edit(vec![units]).unwrap();
    fleet.run(&["dead", "redrive", &one]).await.expect(0, &["items: 1 is tried again, 0 were"]);
    fleet.until("the one that was named", || async { kept().await == boxes - 1 }).await;
    // Dies when all of them are outstanding and no job is enqueued.
    let died = fleet.run_with(&["dead", "redrive", "--all"], &[("CATALOG_SYNC_CRASH", "redriven:1")]).await;
    assert!(!died.status.success(), "{died:?}");
    fleet.run(&["dead", "redrive", "--all"]).await.expect(0, &["items: 0 are tried again"]);
    fleet.in_step().await;
    fleet.until("no letter", || async { kept().await == 0 }).await;
    fleet.run(&["dead", "redrive", "--all"]).await.expect(0, &["nothing was changed"]);
}
