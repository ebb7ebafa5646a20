//! Moving from the scripts that the program replaces: their files are read as they are, and nothing that did not change is
//! written or fetched again.

mod old;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::{Edit, OdooVersion, WriteDate};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::dice::{Dice, kills};
use crate::place::{PASSWORD, Place, Ran};
use crate::secrets::{contains, files_below};
use crate::shop::{Shop, fields};
use crate::truth::sandbox_of;
use old::Old;

const MAPPING: &str = r#"{"products": {"zoho_books": {"name": "name", "description": "description", "rate": "list_price",
  "purchase_rate": "standard_price", "unit": "uom_id"},
  "default_values": {"sale_ok": true, "purchase_ok": true, "type": "product"}}}"#;

const SCHEDULE: &str = "\u{feff}{\"enabled\": false, \"sync_interval_hours\": 4, \"force_full_sync_days\": 7,\r\n \
  \"max_consecutive_errors\": 5, \"notifications\": {\"log_file\": \"sync_notifications.log\"}}\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn products_of_the_old_script_are_bound_and_nothing_of_them_is_written_or_fetched_again() {
    for version in [OdooVersion::V17, OdooVersion::V18] {
        let mut old = Old::new(version, 24).await;
        old.shop.reset_counts();
        let dry = old.import(&["--dry-run"]).await;
        assert_eq!(dry.code(), 0, "{dry:?}");
        assert_eq!(dry.json()["products"]["bound"], 24, "{dry:?}");
        assert!(!old.has_configuration() && !old.place.path("catalog-sync.db").exists());
        old.shop.assert_nothing_done();
        assert!(old.shop.products().is_empty());

        let imported = old.import(&[]).await;
        assert_eq!(imported.code(), 0, "{imported:?}");
        let told = imported.json();
        assert_eq!((&told["products"]["bound"], &told["products"]["bound_before"]), (&json!(24), &json!(0)));
        assert_eq!(told["products"]["images_other"], 0, "{told}");
        let set = told["set"].to_string();
        assert!(set.contains("CATALOG_SYNC_ZOHO_SHOP_CLIENT_SECRET") && !set.contains("ODOO"), "{set}");
        assert_eq!(old.shop.products(), old.products);

        // A killed import is run again.
        let again = old.import(&[]).await;
        assert_eq!(again.code(), 0, "{again:?}");
        assert_eq!(again.json()["products"]["bound_before"], 24);
        assert_eq!(old.shop.products(), old.products);

        old.set_zoho_secrets();
        old.shop.reset_counts();
        let synced = old.place.sync().await;
        assert_eq!(synced.count("items", "unchanged"), 24);
        old.shop.assert_nothing_done();
        assert_eq!(old.shop.products(), old.products);
        let schedule = old.place.run(&["schedule", "status"]).await;
        schedule.expect(0, &["every 4h", "full: 7d", "the old schedule was switched off"]);

        // What changes afterwards arrives as ever.
        old.shop.edit(3, &json!({ "rate": 77.77 }));
        assert_eq!(old.place.sync().await.count("items", "updated"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_is_run_again_and_binds_each_product_once() {
    imports_are_killed(OdooVersion::V17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_over_json_2_is_run_again_and_binds_each_product_once() {
    imports_are_killed(OdooVersion::V19).await;
}

async fn imports_are_killed(version: OdooVersion) {
    let mut dice = Dice::new();
    let mut killed = 0;
    for _ in 0..kills(2).div_ceil(2) {
        let mut old = Old::new(version, 30).await;
        let began = Instant::now();
        assert_eq!(old.import(&["--dry-run"]).await.code(), 0);
        let span = u64::try_from(began.elapsed().as_micros()).unwrap();
        for attempt in 0..3 {
            let mut importing = old.start_import();
            if attempt == 0 {
                // In the middle of it: the first are bound, and nothing of that is in the state yet.
                while old.shop.products().is_empty() && importing.try_wait().unwrap().is_none() {
                    tokio::task::yield_now().await;
                }
            } else {
                let after = Duration::from_micros(dice.roll(span));
                drop(tokio::time::timeout(after, importing.wait()).await);
            }
            killed += u32::from(importing.try_wait().unwrap().is_none());
            importing.kill().await.unwrap();
        }
        let last = old.import(&[]).await;
        assert_eq!(last.code(), 0, "{last:?}");
        let told = &last.json()["products"];
        let bound = told["bound"].as_u64().unwrap() + told["bound_before"].as_u64().unwrap();
        assert_eq!((bound, &told["refused"]), (30, &json!([])), "{told}");
        assert_eq!(old.shop.products(), old.products);
        old.set_zoho_secrets();
        old.shop.reset_counts();
        assert_eq!(old.place.sync().await.count("items", "unchanged"), 30);
        old.shop.assert_nothing_done();
        assert_eq!(old.shop.products(), old.products);
    }
    assert!(killed > 0, "none was killed before its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_the_old_script_is_written_and_what_does_not_agree_is_bound_to_nothing() {
    let mut old = Old::new(OdooVersion::V18, 8).await;
    let (mistaken, gone) = (old.shop.id(2), "4600000009999999".to_owned());
    let mut told = old.told();
    // Of another item, and of nothing at all.
    told[&mistaken]["odoo_id"] = told[&old.shop.id(6)]["odoo_id"].clone();
    told.insert(gone.clone(), json!({"odoo_id": 1, "last_modified": null, "checksum": null}));
    old.write_products(&told);
    old.shop.edit(1, &json!({ "rate": 77.77 }));

    let imported = old.import(&[]).await;
    assert_eq!(imported.code(), 1, "{imported:?}");
    let products = imported.json()["products"].clone();
    assert_eq!(products["bound"], 7, "{products}");
    let refused: BTreeMap<&str, &str> = products["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refused| (refused["record"].as_str().unwrap(), refused["why"].as_str().unwrap()))
        .collect();
    assert_eq!(refused.keys().copied().collect::<Vec<_>>().len(), 2, "{refused:?}");
    assert!(refused[mistaken.as_str()].contains("the source has"), "{refused:?}");
    assert!(refused[gone.as_str()].contains("no such item"), "{refused:?}");
    assert!(!old.shop.products().contains_key(&mistaken));

    old.set_zoho_secrets();
    old.shop.reset_counts();
    let synced = old.place.sync().await;
    // The changed one, and the one that is bound now.
    assert_eq!((synced.count("items", "updated"), synced.count("items", "created")), (2, 0));
    let counts = old.shop.odoo.control().counts();
    assert_eq!((counts.rows_written, counts.image_writes, counts.rows_deleted), (1, 0, 0), "{counts:?}");
    // Its time moved, and nobody can say whether its image did: fetched, compared and left.
    assert!(old.shop.zoho.control().counts().image <= 2);
    // Found by its name, as the old script would have, and it is the right one.
    assert_eq!(old.shop.products(), old.products);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_old_script_stay_as_they_are_where_nothing_changed() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let sandbox = sandbox_of(version).await;
        let before = Place::new(&sandbox);
        before.sync().await;
        let place = Place::configured("", vec![(PASSWORD, sandbox.password().to_owned())]);
        std::fs::remove_file(place.path("catalog-sync.toml")).unwrap();
        let folder = place.path("odoo_database");
        std::fs::create_dir_all(&folder).unwrap();
        let legacy = |path: &Path, fields: &[&str]| -> Vec<Value> {
            let all: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let mut all: Vec<Value> = all
                .into_iter()
                .map(|record| {
                    fields.iter().map(|field| ((*field).to_owned(), record[*field].clone())).collect()
                })
                .collect();
            // In the order in which they were fetched.
            all.reverse();
            all
        };
        let customers =
            legacy(&before.customers(), &["id", "name", "email", "country_id", "is_company", "write_date"]);
        let products =
            legacy(&before.products(), &["id", "name", "default_code", "list_price", "uom_id", "write_date"]);
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.join(name), serde_json::to_string_pretty(value).unwrap()).unwrap();
        };
        write("odoo_customers.json", &json!(customers));
        write("odoo_products.json", &json!({ "products": products }));
        write("last_sync.json", &json!("2025-10-11 09:12:05"));

        let (url, login) = (sandbox.url(), sandbox.login());
        let arguments = [
            "import",
            "odoo_database",
            "--odoo-url",
            &url,
            "--odoo-database",
            sandbox.database(),
            "--odoo-user",
            login,
        ];
        let imported = place.run(&arguments).await;
        imported.expect(0, &["catalog-sync.toml was written", "taken over by the first sync"]);
        let synced = place.sync().await;
        for (pipeline, records) in [("customers", &customers), ("products", &products)] {
            assert!(synced.is_full(pipeline));
            assert_eq!(
                (synced.count(pipeline, "created"), synced.count(pipeline, "updated")),
                (0, 0),
                "{pipeline}"
            );
            assert_eq!(synced.count(pipeline, "unchanged"), records.len() as u64);
        }
        let mut now: Vec<Value> =
            serde_json::from_slice(&std::fs::read(folder.join("odoo_customers.json")).unwrap()).unwrap();
        now.reverse();
        assert_eq!(now, customers);

        let id = customers[0]["id"].as_i64().unwrap();
        let edit = Edit::Update {
            model: "res.partner".to_owned(),
            id,
            values: fields(&json!({ "email": "new@example.com" })),
            write_date: WriteDate::Transaction,
        };
        sandbox.control().edit(vec![edit]).unwrap();
        assert_eq!(place.sync().await.count("customers", "updated"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_there_is_never_written_over_unasked() {
    let old = Old::new(OdooVersion::V18, 3).await;
    old.place.configure("# mine\n");
    let refused = old.import(&[]).await;
    refused.expect(2, &["is there already", "--force"]);
    assert!(old.shop.products().is_empty());
    assert_eq!(std::fs::read_to_string(old.place.path("catalog-sync.toml")).unwrap(), "# mine\n");
    old.import(&["--keep"]).await.expect(2, &["it has no pipeline"]);
    assert_eq!(old.import(&["--force"]).await.code(), 0);
    assert_eq!(old.shop.products(), old.products);
    // Edited by a person, and kept.
    old.place.reconfigure("every = \"4h\"", "every = \"5h\"");
    assert_eq!(old.import(&[]).await.code(), 2);
    let kept = old.import(&["--keep"]).await;
    assert_eq!(kept.code(), 0, "{kept:?}");
    assert_eq!(kept.json()["products"]["bound_before"], 3);
    // Neither what was said nor what was written has a secret in it, but for the old file itself.
    for secret in [old.shop.zoho.client_secret(), old.shop.zoho.refresh_token(), old.shop.odoo.password()] {
        assert!(!format!("{refused:?}{kept:?}").contains(secret));
        for (path, bytes) in files_below(&old.place.path("")) {
            assert!(path.ends_with("zoho_config.json") || !contains(&bytes, secret), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_ends_the_import_with_nothing_changed() {
    let old = Old::new(OdooVersion::V18, 3).await;
    old.shop.reset_counts();
    let good = std::fs::read_to_string(old.place.path("old/data/product_sync_data.json")).unwrap();
    for (name, text, says) in [
        ("old/data/product_sync_data.json", good.get(..good.len() / 2).unwrap(), "cut off"),
        ("old/data/product_sync_data.json", "{\n  \"products\": {]\n}", "line 2, column 16"),
        ("old/data/product_sync_data.json", "{\"products\": {}, \"extra\": 1}", "unknown field `extra`"),
        ("old/config/sync_schedule.json", "{\"sync_interval_hours\": 0}", "sync_interval_hours"),
        ("old/config/field_mapping.json", "", "is empty"),
        ("old/config/zoho_config.json", "{\"zoho_books\": {\"client_secret\": 5}}", "another kind"),
        ("old/zoho_config.json", "{}", "two files of one kind"),
    ] {
        let before = std::fs::read_to_string(old.place.path(name)).ok();
        old.write(name, text);
        let ran = old.import(&[]).await;
        ran.expect(2, &[says]);
        match before {
            Some(before) => old.write(name, &before),
            None => std::fs::remove_file(old.place.path(name)).unwrap(),
        }
        assert!(!old.has_configuration() && !old.place.path("catalog-sync.db").exists(), "{text}");
    }
    let missing = old.place.run(&["import", "old"]).await;
    missing.expect(2, &["do not say which Odoo", "--odoo-url"]);
    old.place.run(&["import", "elsewhere"]).await.expect(2, &["cannot read elsewhere"]);
    let asked = old.shop.odoo.control().counts();
    assert_eq!((asked.rows_created, asked.rows_written), (0, 0), "{asked:?}");
    assert_eq!(old.shop.zoho.control().counts().list, 0);
}
