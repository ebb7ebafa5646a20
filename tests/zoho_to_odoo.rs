//! Items of Zoho become products of Odoo, with their images, and stay in step.

use std::path::Path;
use std::time::Duration;

use sandbox::{Edit, OdooVersion, WriteDate, ZohoChange, ZohoImage};
use serde_json::{Value, json};

use crate::shop::{Shop, edited, fields};

async fn every_item_and_image_arrives_and_a_second_run_does_nothing(version: OdooVersion) {
    let shop = Shop::of(version, 24).await;
    let first = shop.place.sync().await;
    assert_eq!(first.count("items", "created"), 24);
    shop.assert_in_step();
    let served = shop.served().await;
    assert!(served.len() > 10 && served.len() < 24, "some have no image");
    for item in shop.zoho.control().items() {
        let id = item["item_id"].as_str().unwrap();
        assert_eq!(shop.picture(id).as_ref(), served.get(id), "{item}");
    }
    assert_eq!(first.of("items")["images"]["applied"], served.len());

    shop.reset_counts();
    let second = shop.place.sync().await;
    assert_eq!((second.count("items", "created"), second.count("items", "updated")), (0, 0));
    shop.assert_nothing_done();
    assert_eq!(shop.zoho.control().counts().list, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_and_image_arrives_in_odoo_17() {
    every_item_and_image_arrives_and_a_second_run_does_nothing(OdooVersion::V17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_and_image_arrives_in_odoo_18() {
    every_item_and_image_arrives_and_a_second_run_does_nothing(OdooVersion::V18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_and_image_arrives_in_odoo_19_with_a_key() {
    every_item_and_image_arrives_and_a_second_run_does_nothing(OdooVersion::V19).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_price_is_one_write_of_one_column() {
    let shop = Shop::new(12).await;
    shop.place.sync().await;
    let item = shop.id(3);
    let before = shop.product(&item);
    shop.reset_counts();
    shop.edit(3, &json!({ "rate": 77.77 }));
    let synced = shop.place.sync().await;
    assert_eq!((synced.count("items", "updated"), synced.count("items", "created")), (1, 0));
    let counts = shop.odoo.control().counts();
    assert_eq!((counts.rows_written, counts.rows_changed, counts.image_writes), (1, 1, 0), "{counts:?}");
    assert_eq!(shop.zoho.control().counts().image, 0);
    let after = shop.product(&item);
    let changed: Vec<&str> = before
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, value)| after[*name] != **value)
        .map(|(name, _)| name.as_str())
        .filter(|name| !["write_date", "lst_price"].contains(name))
        .collect();
    assert_eq!(changed, ["list_price"]);
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_image_alone_is_brought_alone() {
    let shop = Shop::new(6).await;
    shop.place.sync().await;
    let item = shop.id(1);
    let before = shop.picture(&item).unwrap();
    shop.reset_counts();
    shop.upload(1, ZohoImage::Png);
    let synced = shop.place.sync().await;
    assert_eq!(synced.count("items", "created"), 0);
    assert_eq!(shop.zoho.control().counts().image, 1);
    let counts = shop.odoo.control().counts();
    assert_eq!((counts.image_writes, counts.rows_created), (1, 0), "{counts:?}");
    let after = shop.picture(&item).unwrap();
    assert_ne!(after, before);
    assert_eq!(after, shop.served().await[&item]);
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_item_is_archived_and_comes_back_as_itself() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let shop = Shop::of(version, 4).await;
        shop.place.sync().await;
        let item = shop.id(1);
        let product = shop.products()[&item];
        for (status, is_active) in [("inactive", false), ("active", true)] {
            shop.edit(1, &json!({ "status": status }));
            let synced = shop.place.sync().await;
            assert_eq!(synced.count("items", "updated"), 1, "{status}");
            let row = shop.product(&item);
            assert_eq!((&row["id"], &row["active"]), (&json!(product), &json!(is_active)));
            let template = row["product_tmpl_id"][0].as_i64().unwrap();
            assert_eq!(shop.odoo_row("product.template", template)["active"], is_active);
            shop.assert_in_step();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_items_than_a_page_in_one_second_all_arrive() {
    let shop = Shop::plain(230).await;
    shop.change(ZohoChange::StampItems { first: 0, count: 220, at: None });
    assert_eq!(shop.place.sync().await.count("items", "created"), 230);
    shop.assert_in_step();
    for number in 0..210 {
        shop.change(ZohoChange::EditItem {
            item: shop.id(number),
            fields: fields(&json!({ "rate": 5 })),
            touch: false,
        });
    }
    shop.change(ZohoChange::StampItems { first: 0, count: 210, at: None });
    shop.place.sync().await;
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn items_edited_between_two_pages_are_not_lost() {
    let shop = Shop::plain(30).await;
    shop.place.reconfigure("sink = \"odoo.shop\"\n", "sink = \"odoo.shop\"\npage_size = 10\n");
    let zoho = shop.zoho.control();
    // Every item moves to the end of the list while it is read; one is new and one is gone.
    for number in 0..30 {
        let call = 1 + u64::from(number) / 10;
        zoho.after_list_call(call, edited(shop.id(number), &json!({ "rate": 40 + number })));
    }
    let new = json!({ "name": "Late lamp", "sku": "LATE-1", "rate": 3, "unit": "pcs" });
    zoho.after_list_call(2, ZohoChange::CreateItem { fields: fields(&new) });
    shop.place.sync().await;
    shop.place.sync().await;
    assert_eq!(zoho.counts().failed_changes, Vec::<String>::new());
    assert_eq!(zoho.items().len(), 31);
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn zoho_items_become_a_file_with_their_ids_as_text() {
    let shop = Shop::new(40).await;
    shop.place.reconfigure("sink = \"odoo.shop\"", "sink = \"json.files\"");
    let first = shop.place.sync().await;
    assert_eq!(first.count("items", "created"), 40);
    let read = || -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(shop.place.path("out/zoho_items.json")).unwrap()).unwrap()
    };
    let same_as_zoho = || {
        let mut items = shop.zoho.control().items();
        items.sort_by_key(|item| item["item_id"].as_str().unwrap().parse::<u64>().unwrap());
        let records = read();
        assert_eq!(records.len(), items.len());
        for (record, item) in records.iter().zip(&items) {
            assert_eq!(record["id"], item["item_id"], "an id is text");
            for name in ["name", "sku", "status", "rate", "unit", "description", "last_modified_time"] {
                assert_eq!(record[name], item[name], "{record}");
            }
        }
    };
    same_as_zoho();
    assert_eq!(shop.zoho.control().counts().image, 0, "a file has no images");
    shop.edit(7, &json!({ "name": "Renamed" }));
    let second = shop.place.sync().await;
    assert_eq!((second.count("items", "updated"), second.count("items", "created")), (1, 0));
    same_as_zoho();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_repairs_what_somebody_changed_in_odoo_and_writes_nothing_else() {
    let shop = Shop::new(8).await;
    shop.place.sync().await;
    let product = shop.products()[&shop.id(2)];
    let update = Edit::Update {
        model: "product.product".to_owned(),
        id: product,
        values: fields(&json!({ "name": "Somebody was here", "list_price": 1 })),
        write_date: WriteDate::Transaction,
    };
    shop.odoo.control().edit(vec![update]).unwrap();
    shop.reset_counts();
    shop.place.sync().await;
    shop.assert_nothing_done();
    shop.place.run(&["sync", "--full"]).await.expect(0, &[]);
    let counts = shop.odoo.control().counts();
    assert_eq!((counts.rows_written, counts.rows_created, counts.image_writes), (1, 0, 0), "{counts:?}");
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_state_file_costs_time_and_makes_no_duplicates() {
    let shop = Shop::new(16).await;
    shop.place.sync().await;
    for name in ["catalog-sync.db", "catalog-sync.db-wal", "catalog-sync.db-shm"] {
        let path = shop.place.path(name);
        assert!(name != "catalog-sync.db" || Path::exists(&path));
        std::fs::remove_file(path).ok();
    }
    shop.reset_counts();
    let again = shop.place.sync().await;
    assert!(again.is_full("items"));
    assert_eq!(again.count("items", "unchanged"), 16);
    shop.assert_nothing_written();
    let asked = shop.zoho.control().counts();
    assert!(asked.images_served.values().all(|times| *times == 1), "{asked:?}");
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_was_there_is_found_by_its_code_archived_or_not() {
    let shop = Shop::plain(4).await;
    shop.place.reconfigure("sink = \"odoo.shop\"\n", "sink = \"odoo.shop\"\nmatch_by = [\"default_code\"]\n");
    for number in [1, 2] {
        shop.edit(number, &json!({ "sku": format!("OLD-{number}"), "status": "active" }));
    }
    let here = shop.create_product(&json!({ "name": "Typed in by hand", "default_code": "OLD-1" }));
    let archived = shop.create_product(&json!({ "name": "Sleeping", "default_code": "OLD-2" }));
    let archive = Edit::Archive { model: "product.product".to_owned(), id: archived, active: false };
    shop.odoo.control().edit(vec![archive]).unwrap();
    let synced = shop.place.sync().await;
    assert_eq!(synced.count("items", "created"), 2);
    let products = shop.products();
    assert_eq!((products[&shop.id(1)], products[&shop.id(2)]), (here, archived));
    shop.assert_in_step();
    shop.reset_counts();
    shop.place.sync().await;
    shop.assert_nothing_done();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_products_that_could_be_the_one_are_named_and_left_alone() {
    let shop = Shop::plain(4).await;
    shop.place.reconfigure("sink = \"odoo.shop\"\n", "sink = \"odoo.shop\"\nmatch_by = [\"default_code\"]\n");
    shop.edit(1, &json!({ "sku": "TWICE" }));
    let ids =
        ["One", "Other"].map(|name| shop.create_product(&json!({ "name": name, "default_code": "TWICE" })));
    let ran = shop.place.run(&["sync"]).await;
    ran.expect(1, &["Items failed: 1"]);
    let told = shop.place.run(&["status"]).await;
    let both = ids.map(|id| format!("id {id}"));
    told.expect(0, &["TWICE", "One", "Other", &both[0], &both[1]]);
    assert_eq!(shop.products().len(), 3, "the others arrive");
    assert_eq!(shop.odoo.control().ids("product.product").unwrap().len(), 5);
    // A person says which one it is, and the next change of the item brings it there.
    let delete = Edit::Delete { model: "product.product".to_owned(), id: ids[1] };
    shop.odoo.control().edit(vec![delete]).unwrap();
    shop.zoho.control().advance_clock(Duration::from_secs(2));
    shop.edit(1, &json!({ "rate": 5 }));
    shop.place.run(&["sync"]).await.expect(0, &[]);
    assert_eq!(shop.products()[&shop.id(1)], ids[0]);
    shop.assert_in_step();
}
