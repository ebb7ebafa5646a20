//! `verify` finds each kind of drift and nothing else, and `--repair` brings exactly what differs.

use std::collections::BTreeMap;

use sandbox::{Edit, OdooVersion, WriteDate, ZohoChange, ZohoImage};
use serde_json::{Value, json};

use crate::place::{Place, Ran};
use crate::shop::{Shop, fields};
use crate::truth::{assert_files_hold_the_source, records, sandbox_of};

const VERIFY: [&str; 2] = ["verify", "--json"];

/// The findings of one pipeline after `verify --json`, by record; the exit code tells whether there are any.
async fn verified(place: &Place, pipeline: &str) -> (BTreeMap<String, Value>, Value) {
    let ran = place.run(&VERIFY).await;
    let document = ran.json();
    let pipelines = document["pipelines"].as_array().unwrap();
    let found = pipelines.iter().find(|found| found["pipeline"] == pipeline).unwrap().clone();
    let findings = found["findings"].as_array().unwrap();
    let any = pipelines.iter().any(|found| !found["findings"].as_array().unwrap().is_empty());
    assert_eq!(ran.code(), i32::from(any), "{ran:?}");
    let by_record =
        findings.iter().map(|finding| (finding["record"].as_str().unwrap().to_owned(), finding.clone()));
    (by_record.collect(), found["totals"].clone())
}

/// A user of Odoo, or its database, does something behind our back.
fn behind_our_back(shop: &Shop, edits: Vec<Edit>) {
    shop.odoo.control().edit(edits).unwrap();
}

fn update(id: i64, values: &Value) -> Edit {
    Edit::Update {
        model: "product.product".to_owned(),
        id,
        values: fields(values),
        write_date: WriteDate::Transaction,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_step_is_exit_0_without_a_write_or_an_image_fetched() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let shop = Shop::of(version, 12).await;
        shop.place.sync().await;
        shop.reset_counts();
        let (findings, totals) = verified(&shop.place, "items").await;
        assert!(findings.is_empty(), "{findings:?}");
        shop.assert_nothing_done();
        assert_eq!(shop.zoho.control().counts().list, 1, "no details are asked for");
        let images = shop.served().await.len();
        assert_eq!((&totals["in_step"], &totals["images"]), (&json!(12), &json!(images)), "{totals}");
        assert_eq!((&totals["images_unknown"], &totals["state"]), (&json!(0), &json!(12)), "{totals}");
        shop.place.run(&["verify"]).await.expect(0, &["items: in step", "12 in step"]);
    }
}

/// What can come between the two: `product` finds the product of an item; of two items the picture is another, and lost.
fn drift_of_every_kind(shop: &Shop, product: impl Fn(u32) -> i64, (other, lost): (u32, u32)) {
    // Somebody edits a price, deletes a product, takes another picture, or the database loses one.
    let picture =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    behind_our_back(
        shop,
        vec![
            update(product(0), &json!({ "list_price": 1234.5 })),
            Edit::Delete { model: "product.product".to_owned(), id: product(1) },
            update(product(other), &json!({ "image_1920": picture })),
            update(product(lost), &json!({ "image_1920": false })),
        ],
    );
    // Another item's external id on the same product, and an item that vanished.
    let doubled = Edit::Create {
        model: "ir.model.data".to_owned(),
        values: fields(&json!({
            "module": "zoho", "name": "item_77", "model": "product.product", "res_id": product(2)
        })),
        write_date: WriteDate::Transaction,
    };
    behind_our_back(shop, vec![doubled]);
    shop.change(ZohoChange::DeleteItem { item: shop.id(3) });
    // And the source changed since.
    shop.edit(4, &json!({ "name": "Renamed lamp" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_drift_is_found_and_repair_brings_exactly_what_differs() {
    let shop = Shop::new(20).await;
    shop.place.sync().await;
    let (ids, with_image) = (shop.products(), shop.served().await);
    let pictured: Vec<u32> = (6..20).filter(|number| with_image.contains_key(&shop.id(*number))).collect();
    let (other, lost) = (pictured[0], pictured[1]);
    drift_of_every_kind(&shop, |number| ids[&shop.id(number)], (other, lost));
    shop.reset_counts();
    let (findings, totals) = verified(&shop.place, "items").await;
    shop.assert_nothing_done();
    let drift =
        |record: &str| findings.get(record).map(|finding| finding["drift"].as_str().unwrap().to_owned());
    let expected = [
        (shop.id(0), "different"),
        (shop.id(1), "missing"),
        (shop.id(3), "extra"),
        (shop.id(4), "different"),
        (shop.id(other), "wrong_image"),
        (shop.id(lost), "wrong_image"),
    ];
    for (record, kind) in &expected {
        assert_eq!(drift(record).as_deref(), Some(*kind), "{record}: {findings:?}");
    }
    // It is both: it names a product of another item, and no item of Zoho.
    assert!(["duplicate", "extra"].contains(&drift("77").unwrap().as_str()), "{findings:?}");
    assert_eq!((&totals["duplicate"], &totals["extra"]), (&json!(1), &json!(2)), "{totals}");
    assert_eq!(findings.len(), 7, "{findings:?}");
    let price = &findings[&shop.id(0)];
    assert_eq!(
        (&price["fields"][0]["field"], &price["fields"][0]["old"]),
        (&json!("list_price"), &json!(1234.5))
    );
    assert!(price["why"].as_str().unwrap().contains("changed it in the sink"), "{price}");
    let missing = findings[&shop.id(1)]["why"].as_str().unwrap();
    assert!(missing.contains("took it out of the sink"), "{missing}");
    assert!(findings[&shop.id(4)]["why"].as_str().unwrap().contains("changed in the source"));

    shop.reset_counts();
    let ran = shop.place.run(&["verify", "--repair"]).await;
    ran.expect(1, &["NOT in step", "1 missing", "2 different", "2 wrong image", "cannot be mended"]);
    let counts = shop.odoo.control().counts();
    let images = 2 + u64::from(with_image.contains_key(&shop.id(1)));
    assert_eq!((counts.rows_created, counts.image_writes), (1, images), "{counts:?}");
    assert_eq!(counts.rows_written, 2 + images, "{counts:?}");
    for number in [other, lost] {
        assert_eq!(shop.picture(&shop.id(number)), with_image.get(&shop.id(number)).cloned());
    }
    let (left, _) = verified(&shop.place, "items").await;
    let left: Vec<&String> = left.keys().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&&"77".to_owned()) && left.contains(&&shop.id(3)), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_change_while_they_are_looked_at_are_no_drift() {
    let shop = Shop::plain(30).await;
    shop.place.reconfigure("sink = \"odoo.shop\"\n", "sink = \"odoo.shop\"\npage_size = 10\n");
    shop.place.sync().await;
    // Before the second look, an item is edited again that had changed already, and one is deleted.
    shop.edit(5, &json!({ "rate": 5 }));
    shop.zoho.control().reset_counts();
    shop.zoho.control().after_list_call(4, crate::shop::edited(shop.id(5), &json!({ "rate": 6 })));
    let (findings, totals) = verified(&shop.place, "items").await;
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(totals["changing"], 1, "{totals}");
    let (findings, _) = verified(&shop.place, "items").await;
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_image_in_the_source_is_found_and_a_wiped_state_is_no_drift() {
    let shop = Shop::new(8).await;
    shop.place.sync().await;
    shop.upload(1, ZohoImage::Png);
    let (findings, _) = verified(&shop.place, "items").await;
    assert_eq!(findings[&shop.id(1)]["drift"], "wrong_image", "{findings:?}");
    assert_eq!(findings.len(), 1);
    shop.place.run(&["verify", "--repair"]).await.expect(0, &["1 wrong image"]);
    assert_eq!(shop.picture(&shop.id(1)), shop.served().await.get(&shop.id(1)).cloned());
    shop.place.run(&["verify"]).await.expect(0, &["in step"]);
    for file in ["catalog-sync.db", "catalog-sync.db-wal", "catalog-sync.db-shm"] {
        drop(std::fs::remove_file(shop.place.path(file)));
    }
    let (findings, totals) = verified(&shop.place, "items").await;
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((&totals["state"], &totals["in_step"]), (&json!(0), &json!(8)), "{totals}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_allowed_are_refused_beforehand_or_ended() {
    let shop = Shop::plain(30).await;
    shop.place.reconfigure("sink = \"odoo.shop\"\n", "sink = \"odoo.shop\"\npage_size = 5\n");
    // The state knows nothing yet, and Zoho tells no total: it is noticed under way.
    let ran = shop.place.run(&["verify", "--max-calls", "20"]).await;
    ran.expect(3, &["more than --max-calls 20"]);
    shop.place.sync().await;
    shop.reset_counts();
    let ran = shop.place.run(&["verify", "--max-calls", "20"]).await;
    ran.expect(2, &["takes about", "more than --max-calls 20"]);
    assert_eq!(shop.zoho.control().counts().list, 0);
    shop.place.run(&["verify", "--max-calls", "60"]).await.expect(0, &["in step"]);
}

/// What was estimated, and what it took.
fn calls_of(ran: &Ran) -> (u64, u64) {
    let report = &ran.json()["pipelines"][0];
    (report["calls_estimated"].as_u64().unwrap(), report["totals"]["calls"].as_u64().unwrap())
}

/// Where all is in step, with the state and without one.
async fn as_many_calls_are_made_as_estimated(version: OdooVersion, items: usize) {
    let shop = Shop::of(version, items).await;
    shop.place.sync().await;
    let (estimated, made) = calls_of(&shop.place.run(&["verify", "--json"]).await);
    assert_eq!(estimated, made, "{items} items with images");
    std::fs::remove_file(shop.place.path("catalog-sync.db")).unwrap();
    // Then nobody knows of images, and Zoho tells no total: Odoo tells how many there are of ours.
    let (estimated, made) = calls_of(&shop.place.run(&["verify", "--json"]).await);
    assert_eq!(estimated, made, "{items} items, and no state");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_calls_are_made_as_estimated_for_a_handful() {
    as_many_calls_are_made_as_estimated(OdooVersion::V17, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_calls_are_made_as_estimated_for_a_page_to_the_full() {
    as_many_calls_are_made_as_estimated(OdooVersion::V19, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_calls_are_made_as_estimated_for_several_pages() {
    as_many_calls_are_made_as_estimated(OdooVersion::V18, 430).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_calls_are_made_as_estimated_for_files() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    for pipeline in ["customers", "products"] {
        let (estimated, made) = calls_of(&place.run(&["verify", pipeline, "--json"]).await);
        assert_eq!(estimated, made, "{pipeline} into a file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_edited_is_found_out_and_repaired() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    place.run(&["verify"]).await.expect(0, &["customers: in step", "products: in step"]);
    let mut customers = records(&place.customers());
    customers[3]["name"] = json!("Edited by hand");
    let (edited, removed) = (customers[3]["id"].to_string(), customers[5]["id"].to_string());
    customers.remove(5);
    customers.push(json!({ "id": 900_001, "name": "Stranger" }));
    customers.push(customers[7].clone());
    let double = customers[7]["id"].to_string();
    std::fs::write(place.customers(), serde_json::to_string(&customers).unwrap()).unwrap();
    let (findings, totals) = verified(&place, "customers").await;
    let drift = |record: &str| findings[record]["drift"].as_str().unwrap().to_owned();
    assert_eq!((drift(&edited), drift(&removed)), ("different".to_owned(), "missing".to_owned()));
    assert_eq!((drift("900001"), drift(&double)), ("extra".to_owned(), "duplicate".to_owned()));
    assert_eq!(findings[&edited]["fields"][0]["old"], "Edited by hand");
    assert_eq!((findings.len(), &totals["different"]), (4, &json!(1)), "{findings:?}");

    let ran = place.run(&["verify", "customers", "--repair"]).await;
    ran.expect(1, &["2 records that verify found", "cannot be mended"]);
    let (findings, _) = verified(&place, "customers").await;
    assert_eq!(findings.keys().collect::<Vec<_>>(), ["900001"], "the file was written anew, each id once");
    place.sync().await;
    let mut kept = records(&place.customers());
    kept.retain(|record| record["id"] != 900_001);
    std::fs::write(place.customers(), serde_json::to_string(&kept).unwrap()).unwrap();
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
}
