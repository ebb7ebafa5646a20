//! What a fleet gave up, redriven from the store.

use sandbox::{Edit, WriteDate, ZohoChange};
use serde_json::{Value, json};

use super::catalogue::Size;
use super::port_in;
use super::processes::Fleet;

/// A catalogue in which so many items have a unit that Odoo lacks.
async fn with_boxes(boxes: usize) -> Fleet {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    // A custom field names the unit of some items.
    fleet.reconfigure(
        "default_code = \"sku?\"\n",
        "default_code = \"sku?\"\nuom_id = { from = \"cf_unit?\", default = \"Units\" }\n",
    );
    let shop = &fleet.catalogue.shop;
    for item in shop.store().items().iter().take(boxes) {
        let item = item["item_id"].as_str().unwrap().to_owned();
        let fields = serde_json::from_value(json!({ "cf_unit": "box" })).unwrap();
        shop.store().apply(ZohoChange::EditItem { item, fields, touch: true }).unwrap();
    }
    fleet
}

/// Somebody makes the unit in Odoo.
fn make_unit(fleet: &Fleet) {
    let units = Edit::Create {
        model: "uom.uom".to_owned(),
        values: serde_json::from_value(
            json!({ "name": "box", "category_id": 1, "uom_type": "bigger", "factor": 0.1, "rounding": 0.01 }),
        )
        .unwrap(),
        write_date: WriteDate::Transaction,
    };
    fleet.catalogue.shop.control().edit(vec![units]).unwrap();
}

/// The letters of the items, as the command line lists them.
async fn listed(fleet: &Fleet) -> Value {
    fleet.run(&["dead", "list", "--pipeline", "items", "--json"]).await.json()["pipelines"][0].take()
}

async fn kept(fleet: &Fleet) -> u64 {
    listed(fleet).await["kept"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_redriven_through_the_broker_and_discarded_from_the_page() {
    let fleet = with_boxes(2)
        .await
        .with([("CATALOG_SYNC_PAGE_LISTEN", "127.0.0.1:0"), ("CATALOG_SYNC_LOG_FORMAT", "json")]);
    let (producer, _worker) = (fleet.producer(), fleet.worker());
    fleet.until("a letter for each box", || async { kept(&fleet).await == 2 }).await;
    let letters = listed(&fleet).await["letters"].take();
    let [one, other] = [0, 1].map(|at| letters[at]["key"].as_str().unwrap().to_owned());
    let page = format!("http://127.0.0.1:{}", port_in(&producer.log(), "the operator's page is served"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let shown =
        client.get(format!("{page}/records?pipeline=items&key={one}&ask=source")).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("The source has what is wanted"), "{shown}");
    let (_, rest) = shown.split_once("name=\"form_token\" value=\"").unwrap();
    let (token, _) = rest.split_once('"').unwrap();
    make_unit(&fleet);
    let form = format!("form_token={token}&key={one}&back=record");
    let redriven = client
        .post(format!("{page}/pipelines/items/redrive"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    assert!(redriven.text().await.unwrap().contains("Redriven"));
    // Nothing but the broker brings it: what is outstanding in the state alone waits until it counts as lost.
    fleet.until("the one has arrived", || async { kept(&fleet).await == 1 }).await;
    let discarded: Value = client
        .post(format!("{page}/api/v1/pipelines/items/discard"))
        .json(&json!({ "keys": [other] }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(discarded["done"], 1, "{discarded}");
    assert_eq!(kept(&fleet).await, 0);
    let records = fleet.status("items").await["records"].take();
    assert_eq!((&records["dead"], &records["outstanding"]), (&json!(0), &json!(0)), "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_redriven_through_the_broker_also_where_that_is_killed() {
    let boxes = 4_u64;
    let fleet = with_boxes(4).await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.until("a letter for each box", || async { kept(&fleet).await == boxes }).await;
    let one = listed(&fleet).await["letters"][0]["key"].as_str().unwrap().to_owned();
    make_unit(&fleet);
    fleet.run(&["dead", "redrive", &one]).await.expect(0, &["items: 1 is tried again, 0 were"]);
    fleet.until("the one that was named", || async { kept(&fleet).await == boxes - 1 }).await;
    // Dies when all of them are outstanding and no job is enqueued.
    let died = fleet.run_with(&["dead", "redrive", "--all"], &[("CATALOG_SYNC_CRASH", "redriven:1")]).await;
    assert!(!died.status.success(), "{died:?}");
    fleet.run(&["dead", "redrive", "--all"]).await.expect(0, &["items: 0 are tried again"]);
    fleet.in_step().await;
    fleet.until("no letter", || async { kept(&fleet).await == 0 }).await;
    fleet.run(&["dead", "redrive", "--all"]).await.expect(0, &["nothing was changed"]);
}
