//! Columns in a language of their own, through the whole program: written to Odoo, read from it, shown and compared.

use sandbox::{Edit, OdooSandbox, OdooVersion, WriteDate};
use serde_json::{Value, json};

use crate::place::Place;
use crate::shop::{Shop, fields};
use crate::truth::{records, sandbox_of};

/// Installs French.
fn install(odoo: &OdooSandbox) {
    let rows = odoo.control().rows("res.lang").unwrap();
    let french = rows.iter().find(|row| row["code"] == "fr_FR").unwrap();
    let edit = Edit::Update {
        model: "res.lang".to_owned(),
        id: french["id"].as_i64().unwrap(),
        values: fields(&json!({ "active": true })),
        write_date: WriteDate::Transaction,
    };
    odoo.control().edit(vec![edit]).unwrap();
}

fn map(shop: &Shop, mapping: &str) {
    let table = format!("sink = \"odoo.shop\"\n[pipeline.items.mapping]\nname = \"name\"\n{mapping}\n");
    shop.place.reconfigure("sink = \"odoo.shop\"\n", &table);
}

/// The names of an item's product in French and in English.
fn names(shop: &Shop, number: u32) -> [String; 2] {
    let id = shop.products()[&shop.id(number)];
    ["fr_FR", "en_US"]
        .map(|lang| shop.odoo.control().text_in(lang, "product.product", id, "name").unwrap().unwrap())
}

fn translate(odoo: &OdooSandbox, model: &str, id: i64, values: &Value) {
    let edit =
        Edit::Translate { model: model.to_owned(), id, lang: "fr_FR".to_owned(), values: fields(values) };
    odoo.control().edit(vec![edit]).unwrap();
}

/// A shop of six items, the first three with a French name; Odoo 17 is asked by JSON-RPC, 19 by JSON-2.
async fn french(version: OdooVersion) -> Shop {
    let shop = Shop::of(version, 6).await;
    if version == OdooVersion::V17 {
        shop.place.reconfigure("transport = \"session\"", "transport = \"execute_kw\"");
    }
    install(&shop.odoo);
    for number in 0..3 {
        shop.edit(
            number,
            &json!({ "name": format!("Chair {number}"), "cf_name_fr": format!("Chaise {number}") }),
        );
    }
    map(&shop, "\"name@fr_FR\" = \"cf_name_fr?\"");
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_translated_name_is_planned_written_compared_and_explained() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let shop = french(version).await;
        let synced = shop.place.sync().await;
        assert_eq!(synced.count("items", "created"), 6);
        assert_eq!(names(&shop, 1), ["Chaise 1", "Chair 1"]);
        let untranslated = names(&shop, 4);
        assert_eq!(untranslated[0], untranslated[1]);
        // Nothing more is done, whatever is read.
        shop.reset_counts();
        shop.place.run(&["sync", "--full"]).await.expect(0, &[]);
        shop.assert_nothing_written();

        shop.edit(1, &json!({ "cf_name_fr": "Siège 1" }));
        let plan = shop.place.run(&["plan", "--json"]).await;
        let change = plan.json()["pipelines"][0]["changes"][0].clone();
        assert_eq!(
            change["fields"],
            json!([{ "field": "name@fr_FR", "old": "Chaise 1", "new": "Siège 1" }]),
            "{plan:?}"
        );
        shop.place.run(&["plan"]).await.expect(0, &["name@fr_FR", "Chaise 1", "Siège 1"]);
        let why = shop.place.run(&["why", "items", &shop.id(1)]).await;
        why.expect(0, &["has something else than is wanted", "name@fr_FR = \"Siège 1\""]);
        let synced = shop.place.sync().await;
        assert_eq!(
            (synced.count("items", "updated"), names(&shop, 1)),
            (1, ["Siège 1", "Chair 1"].map(str::to_owned))
        );

        // Somebody else's translation is drift, and repaired.
        let id = shop.products()[&shop.id(2)];
        translate(&shop.odoo, "product.product", id, &json!({ "name": "Tabouret" }));
        let verified = shop.place.run(&["verify", "--json"]).await;
        let findings = verified.json()["pipelines"][0]["findings"].clone();
        assert_eq!((verified.code(), findings.as_array().map(Vec::len)), (1, Some(1)), "{findings}");
        let shown = findings[0].to_string();
        assert!(
            shown.contains("name@fr_FR") && shown.contains("Tabouret") && shown.contains("Chaise 2"),
            "{shown}"
        );
        shop.place.run(&["verify", "--repair"]).await;
        assert_eq!(names(&shop, 2), ["Chaise 2", "Chair 2"]);
        shop.place.run(&["verify"]).await.expect(0, &["items: in step"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_that_is_not_there_is_one_sentence_and_no_dead_letter() {
    let shop = Shop::plain(5).await;
    install(&shop.odoo);
    map(&shop, "\"name@fr_FX\" = \"cf_name_fr?\"");
    let says =
        &["column 'name@fr_FX' is in the language 'fr_FX', which is not installed", "did you mean 'fr_FR'?"];
    let ran = shop.place.run(&["sync"]).await;
    ran.expect(2, &["Items NOT synced"]);
    ran.expect(2, says);
    shop.place.run(&["check"]).await.expect(2, says);
    shop.place.run(&["status"]).await.expect(0, &["0 failed"]);
    assert!(shop.products().is_empty());
    shop.place.reconfigure("fr_FX", "fr_FR");
    assert_eq!(shop.place.sync().await.count("items", "created"), 5);
}

/// Odoo's products, with their names in two languages, in a file.
fn two_names(odoo: &OdooSandbox, line: &str) -> Place {
    let place = Place::new(odoo);
    let table = format!("entity = \"products\"\n[pipeline.products.mapping]\nname = \"name\"\n{line}\n");
    place.reconfigure("entity = \"products\"\n", &table);
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_read_in_a_language_into_a_file() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let odoo = sandbox_of(version).await;
        install(&odoo);
        let ids = odoo.control().ids("product.template").unwrap();
        translate(&odoo, "product.template", ids[3], &json!({ "name": "Lampe" }));
        let place = two_names(&odoo, "name_fr = \"name@fr_FR\"");
        place.run(&["sync", "products"]).await.expect(0, &[]);
        let of = |id: i64| records(&place.products()).into_iter().find(|record| record["id"] == id).unwrap();
        assert_eq!(of(ids[3])["name_fr"], "Lampe");
        assert_ne!(of(ids[3])["name"], "Lampe");
        assert_eq!(of(ids[4])["name_fr"], of(ids[4])["name"], "what is not translated falls back");
        // A translation is a change like any other, and nothing else is.
        odoo.control().advance_clock(std::time::Duration::from_hours(1));
        translate(&odoo, "product.template", ids[4], &json!({ "name": "Tapis" }));
        place.run(&["sync", "products"]).await.expect(0, &["Products synced: 1"]);
        assert_eq!(of(ids[4])["name_fr"], "Tapis");
        place.run(&["sync", "products"]).await.expect(0, &["Products synced: 0"]);
        place.run(&["verify", "products"]).await.expect(0, &["in step"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_cannot_be_read_in_a_language_names_what_was_meant() {
    let odoo = sandbox_of(OdooVersion::V18).await;
    install(&odoo);
    for (line, says) in [
        ("name_fr = \"name@fr_F\"", &["'fr_F', which is not installed", "did you mean 'fr_FR'?"][..]),
        ("name_fr = \"nam@fr_FR\"", &["no field 'nam'", "did you mean 'name'?"]),
        (
            "code_fr = \"default_code@fr_FR\"",
            &["'default_code' of product.template has the same value in every"],
        ),
    ] {
        let place = two_names(&odoo, line);
        place.run(&["sync", "products"]).await.expect(2, says);
        place.run(&["check"]).await.expect(2, says);
    }
    // With a question mark it is left out where the language is not there.
    let place = two_names(&odoo, "name_de = \"name@de_DE?\"");
    place.run(&["sync", "products"]).await.expect(0, &[]);
    assert!(records(&place.products())[0].get("name_de").is_none());
}
