//! `plan` shows what a sync would do and touches nothing; `sync --plan` does exactly that, or nothing at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sandbox::{Edit, OdooVersion, WriteDate, ZohoChange, ZohoImage};
use serde_json::{Value, json};

use crate::place::Place;
use crate::shop::{Shop, fields};
use crate::truth::{assert_files_hold_the_source, records, sandbox_of};

/// Every row of the state, whatever of it stands in the file and what in its log; nothing where there is no state.
fn state(place: &Place) -> Vec<String> {
    let path = place.path("catalog-sync.db");
    if !path.exists() {
        return Vec::new();
    }
    let database = rusqlite::Connection::open(path).unwrap();
    let mut names =
        database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = Vec::new();
    for name in names {
        let mut rows = database.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = rows.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let cell = |at| row.get::<_, rusqlite::types::Value>(at).unwrap();
            Ok(format!("{name} {:?}", (0..columns).map(cell).collect::<Vec<_>>()))
        };
        let rows = rows.query_map([], row).unwrap().map(Result::unwrap);
        // A look costs calls of Zoho, and those are counted.
        all.extend(rows.filter(|row| !(row.starts_with("memo ") && row.contains("zoho-"))));
    }
    all
}

/// Every file of a place with its bytes, but for plans and the state.
fn files(place: &Place) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if !["plan.json", "catalog-sync.db"]
                .iter()
                .any(|name| path.to_string_lossy().contains(name))
            {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&place.path(""), &mut found);
    found
}

/// The plan of one pipeline, after `plan --json`.
fn planned(document: &Value, pipeline: &str) -> Value {
    let pipelines = document["pipelines"].as_array().unwrap();
    pipelines.iter().find(|planned| planned["pipeline"] == pipeline).unwrap().clone()
}

fn changes(planned: &Value) -> BTreeMap<String, Value> {
    let changes = planned["changes"].as_array().unwrap();
    changes.iter().map(|change| (change["record"].as_str().unwrap().to_owned(), change.clone())).collect()
}

/// A user of Odoo writes a product.
fn edit_product(shop: &Shop, id: i64, values: &Value) {
    let edit = Edit::Update {
        model: "product.product".to_owned(),
        id,
        values: fields(values),
        write_date: WriteDate::Transaction,
    };
    shop.odoo.control().edit(vec![edit]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_a_first_run_touches_nothing_and_is_what_the_sync_then_does() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let shop = Shop::of(version, 12).await;
        let before = files(&shop.place);
        shop.reset_counts();
        let ran = shop.place.run(&["plan", "--out", "plan.json"]).await;
        ran.expect(0, &["everything (first run)", "12 to create", "+ create", "sync --plan plan.json"]);
        shop.assert_nothing_done();
        assert_eq!(files(&shop.place), before);
        assert!(!shop.place.path("catalog-sync.db").exists());
        let text = std::fs::read_to_string(shop.place.path("plan.json")).unwrap();
        let plan = planned(&serde_json::from_str(&text).unwrap(), "items");
        let images = plan["totals"]["download"].as_u64().unwrap();
        assert_eq!(plan["totals"]["create"], 12);

        shop.reset_counts();
        let synced = shop.place.run(&["sync", "--plan", "plan.json", "--json"]).await;
        assert_eq!(synced.code(), 0, "{synced:?}");
        let counts = shop.odoo.control().counts();
        assert_eq!((counts.image_writes, shop.zoho.control().counts().image), (images, images));
        shop.assert_in_step();
        // The first run over everything is still due, and finds nothing to do.
        shop.reset_counts();
        let next = shop.place.sync().await;
        assert!(next.is_full("items"));
        shop.assert_nothing_done();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_old_and_new_of_each_field_and_touches_no_file() {
    let shop = Shop::new(10).await;
    shop.place.sync().await;
    let old = shop.product(&shop.id(1))["list_price"].clone();
    shop.edit(1, &json!({ "rate": 77.77 }));
    shop.edit(2, &json!({ "status": "inactive" }));
    shop.edit(4, &json!({ "unit": "no such unit" }));
    shop.upload(3, ZohoImage::Png);
    let new = fields(&json!({ "name": "New lamp", "sku": "N-1", "rate": 3, "unit": "pcs" }));
    let created = shop.change(ZohoChange::CreateItem { fields: new });
    let looked =
        || (files(&shop.place), state(&shop.place), shop.odoo.control().rows("product.product").unwrap());
    let before = looked();
    assert!(before.1.len() > 10, "{before:?}");
    shop.reset_counts();
    let ran = shop.place.run(&["plan", "--json"]).await;
    assert_eq!(ran.code(), 0, "{ran:?}");
    shop.assert_nothing_done();
    assert!(looked() == before, "{:?}\n{:?}", state(&shop.place), before.1);

    let plan = planned(&ran.json(), "items");
    let changes = changes(&plan);
    assert_eq!(changes.len(), 5, "{plan}");
    let of = |item: &str| &changes[item];
    let price = json!([{ "field": "list_price", "old": old, "new": 77.77 }]);
    assert_eq!((&of(&shop.id(1))["action"], &of(&shop.id(1))["fields"]), (&json!("update"), &price));
    let archived = json!([{ "field": "active", "old": true, "new": false }]);
    assert_eq!((&of(&shop.id(2))["action"], &of(&shop.id(2))["fields"]), (&json!("archive"), &archived));
    assert_eq!(of(&shop.id(3))["action"], "download");
    assert!(of(&shop.id(3))["image"]["old"] != of(&shop.id(3))["image"]["new"]);
    assert_eq!(of(&shop.id(4))["action"], "fail");
    assert!(of(&shop.id(4))["why"].as_str().unwrap().contains("no such unit"));
    assert_eq!(of(&created)["action"], "create");
    let totals = &plan["totals"];

    let synced = shop.place.run(&["sync", "--json"]).await;
    assert_eq!(synced.code(), 1, "one record fails: {synced:?}");
    let outcomes = &synced.json()["pipelines"][0]["outcomes"];
    assert_eq!(outcomes["created"], totals["create"]);
    let updated = totals["update"].as_u64().unwrap() + totals["archive"].as_u64().unwrap();
    assert_eq!((&outcomes["updated"], &outcomes["dead"]), (&json!(updated), &totals["fail"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_applied_exactly_and_what_came_after_it_is_the_next_syncs() {
    let shop = Shop::plain(30).await;
    shop.place.sync().await;
    for number in 0..5 {
        shop.edit(number, &json!({ "rate": 100 + number }));
    }
    shop.place.run(&["plan", "--out", "plan.json"]).await.expect(0, &["5 to update", "list_price", "-> 104"]);
    shop.edit(9, &json!({ "rate": 9.99 }));
    let later = shop.product(&shop.id(9));
    shop.reset_counts();
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(0, &["5 records of a plan"]);
    let counts = shop.odoo.control().counts();
    assert_eq!((counts.rows_written, counts.rows_created), (5, 0), "{counts:?}");
    assert_eq!(shop.product(&shop.id(9)), later);
    for number in 0..5 {
        assert_eq!(shop.product(&shop.id(number))["list_price"], 100.0 + f64::from(number));
    }
    // Applied, so that nothing of it is left to do: it is refused as a whole.
    let again = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    again.expect(2, &["the plan is stale", "5 of its 5 records", "is in step by now"]);
    let next = shop.place.sync().await;
    assert_eq!(next.count("items", "updated"), 1);
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_refused_where_source_or_sink_have_moved_since() {
    let shop = Shop::plain(8).await;
    shop.place.sync().await;
    let plan = async || {
        for number in 0..3 {
            shop.edit(number, &json!({ "rate": 300 + number }));
        }
        shop.place.run(&["plan", "--out", "plan.json"]).await.expect(0, &["to update"]);
        shop.reset_counts();
    };
    plan().await;
    shop.edit(1, &json!({ "rate": 7 }));
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(
        2,
        &["stale", "1 of its 3 records", &shop.id(1), "changed in the source", "nothing was changed"],
    );
    shop.assert_nothing_written();

    plan().await;
    edit_product(&shop, shop.products()[&shop.id(2)], &json!({ "list_price": 1.5 }));
    shop.reset_counts();
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(2, &["stale", &shop.id(2), "changed in the sink"]);
    shop.assert_nothing_written();

    plan().await;
    shop.change(ZohoChange::DeleteItem { item: shop.id(0) });
    let ran = shop.place.run(&["sync", "--plan", "plan.json"]).await;
    ran.expect(2, &["stale", &shop.id(0), "gone from the source"]);
    shop.assert_nothing_written();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_another_configuration_or_none_at_all_is_exit_2() {
    let shop = Shop::plain(4).await;
    shop.place.run(&["plan", "--out", "plan.json"]).await.expect(0, &["4 to create"]);
    shop.reset_counts();
    let refused = async |says: &[&str]| {
        shop.place.run(&["sync", "--plan", "plan.json"]).await.expect(2, says);
        shop.assert_nothing_written();
        assert!(!shop.place.path("catalog-sync.db").exists());
    };
    shop.place.reconfigure("sink = \"odoo.shop\"\n", "sink = \"odoo.shop\"\nprefix = \"other\"\n");
    refused(&["another configuration", "its sink is"]).await;
    shop.place.reconfigure("prefix = \"other\"\n", "images = false\n");
    refused(&["another configuration", "how the sink is written"]).await;
    shop.place.reconfigure("images = false\n", "");
    shop.place.reconfigure("[pipeline.items]", "[pipeline.goods]\nentity = \"items\"");
    refused(&["another configuration", "no pipeline 'items'"]).await;
    shop.place.reconfigure("[pipeline.goods]\nentity = \"items\"", "[pipeline.items]");

    let path = shop.place.path("plan.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    for (text, says) in [
        (whole.replacen("\"format\":1", "\"format\":2", 1), "format 2"),
        (whole.chars().take(200).collect(), "no plan that can be applied"),
        ("{}".to_owned(), "no format"),
        ("nonsense".to_owned(), "no plan that can be applied"),
    ] {
        std::fs::write(&path, text).unwrap();
        refused(&[says]).await;
    }
    std::fs::remove_file(&path).unwrap();
    refused(&["cannot read the plan"]).await;
    shop.place.run(&["sync", "--plan", "plan.json", "--full"]).await.expect(2, &["cannot be used with"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_into_files_creates_no_folder_and_shows_what_somebody_edited() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    let before = files(&place);
    place
        .run(&["plan"])
        .await
        .expect(0, &["customers: everything", "567 to create", "... and 557 more to create"]);
    assert_eq!(files(&place), before);
    assert!(!place.path("out").exists() && !place.path("catalog-sync.db").exists());

    place.run(&["plan", "customers", "--out", "plan.json"]).await.expect(0, &["567 to create"]);
    place.run(&["sync", "--plan", "plan.json"]).await.expect(0, &["567 records of a plan"]);
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
    place.run(&["plan"]).await.expect(0, &["Nothing to do", "all in step"]);

    let mut customers = records(&place.customers());
    customers[3]["name"] = json!("Edited by hand");
    customers[3]["note_to_self"] = json!("call back");
    let id = customers[3]["id"].to_string();
    customers.remove(5);
    std::fs::write(place.customers(), serde_json::to_string_pretty(&customers).unwrap()).unwrap();
    let before = (files(&place), state(&place));
    let ran = place.run(&["plan", "customers", "--json"]).await;
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert_eq!((files(&place), state(&place)), before);
    let plan = planned(&ran.json(), "customers");
    assert_eq!((&plan["totals"]["update"], &plan["totals"]["create"]), (&json!(1), &json!(1)), "{plan}");
    let shown = &changes(&plan)[&id]["fields"];
    assert_eq!(shown[0]["old"], "Edited by hand");
    assert_eq!(shown[1], json!({ "field": "note_to_self", "old": "call back" }));
}
