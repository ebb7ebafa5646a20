//! Items that Zoho no longer has, and products of Odoo.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sandbox::{Edit, OdooVersion, ZohoChange, ZohoEndpoint, ZohoFault, ZohoFaultRule};
use serde_json::{Value, json};

use crate::place::Ran;
use crate::shop::{Shop, fields};
use crate::shop_killed::shop::TOKEN_WINDOW;

async fn sweep(shop: &Shop, more: &[&str]) -> Ran {
    shop.place.run(&[&["sync", "--sweep", "--json"], more].concat()).await
}

/// What the pipeline's sweep found.
fn swept(ran: &Ran) -> Value {
    ran.json()["pipelines"][0]["sweep"].clone()
}

fn outcome(ran: &Ran, name: &str) -> u64 {
    ran.json()["pipelines"][0]["outcomes"][name].as_u64().unwrap()
}

pub(super) fn delete(shop: &Shop, number: u32) -> String {
    let item = shop.id(number);
    shop.change(ZohoChange::DeleteItem { item: item.clone() });
    item
}

pub(super) fn is_archived(shop: &Shop, item: &str) -> bool {
    archived(shop).iter().any(|archived| archived == item)
}

/// Items whose products are archived, and their templates with them.
pub(super) fn archived(shop: &Shop) -> Vec<String> {
    let rows = |model| -> BTreeMap<i64, Value> {
        let rows = shop.odoo.control().rows(model).unwrap().into_iter();
        rows.map(|row| (row["id"].as_i64().unwrap(), row)).collect()
    };
    let (products, templates) = (rows("product.product"), rows("product.template"));
    let is_archived = |(item, id): &(String, i64)| {
        let product = &products[id];
        let template = &templates[&product["product_tmpl_id"][0].as_i64().unwrap()];
        assert_eq!(product["active"], template["active"], "{item}");
        product["active"] == false
    };
    shop.products().into_iter().filter(is_archived).map(|(item, _)| item).collect()
}

/// Ids of items that are active in Zoho, so that an archived product says something.
pub(super) fn active(shop: &Shop, count: usize) -> Vec<u32> {
    let items = shop.zoho.control().items();
    let is_active = |number: &u32| {
        let id = shop.id(*number);
        items.iter().any(|item| item["item_id"] == id && item["status"] == "active")
    };
    (0..).filter(is_active).take(count).collect()
}

/// A mapping without `active`: then only we say whether a product is archived.
async fn shop_without_status(version: OdooVersion) -> Shop {
    let shop = Shop::of(version, 24).await;
    shop.place.reconfigure(
        "[pipeline.items]\n",
        "[pipeline.items.mapping]\nname = \"name\"\nlist_price = \"rate\"\n[pipeline.items]\nimages = false\n",
    );
    shop.place.sync().await;
    assert_eq!(archived(&shop), [""; 0]);
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_item_is_archived_and_nothing_is_touched_beside_it() {
    for version in [OdooVersion::V17, OdooVersion::V18, OdooVersion::V19] {
        let shop = Shop::of(version, 24).await;
        shop.place.sync().await;
        let before = archived(&shop);
        let number = active(&shop, 1)[0];
        let item = delete(&shop, number);
        // An ordinary run cannot know it.
        shop.place.sync().await;
        assert!(!is_archived(&shop, &item));

        shop.reset_counts();
        let ran = sweep(&shop, &[]).await;
        assert_eq!(ran.code(), 0, "{ran:?}");
        assert_eq!((&swept(&ran)["gone"], &swept(&ran)["known"]), (&json!(1), &json!(24)));
        assert_eq!((outcome(&ran, "gone"), outcome(&ran, "updated")), (1, 0));
        let now: Vec<String> = archived(&shop).into_iter().filter(|one| !before.contains(one)).collect();
        assert_eq!(now, [item.as_str()]);
        let counts = shop.zoho.control().counts();
        assert_eq!((counts.image, counts.image_bytes), (0, 0), "{counts:?}");
        let counts = shop.odoo.control().counts();
        assert_eq!((counts.rows_deleted, counts.rows_created), (0, 0), "{counts:?}");

        // Once: the next sweep finds nothing to do.
        shop.reset_counts();
        let again = sweep(&shop, &[]).await;
        assert_eq!((again.code(), &swept(&again)["missing"]), (0, &json!(0)), "{again:?}");
        shop.assert_nothing_done();
        shop.place.run(&["status"]).await.expect(0, &["(sweep): complete", "last sweep", "0 of 23 known"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_comes_back_is_brought_back_as_the_same_product() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let shop = shop_without_status(version).await;
        let item = shop.id(3);
        let (product, before) = (shop.products()[&item], shop.zoho.control().items()[3].clone());
        delete(&shop, 3);
        assert_eq!(sweep(&shop, &[]).await.code(), 0);
        assert!(is_archived(&shop, &item));
        let values = json!({ "name": before["name"], "rate": before["rate"] });
        shop.change(ZohoChange::RestoreItem { item: item.clone(), fields: fields(&values) });
        let synced = shop.place.sync().await;
        assert_eq!(synced.count("items", "updated"), 1);
        assert!(!is_archived(&shop, &item));
        assert_eq!(shop.products()[&item], product);
        // What a person archives stays so.
        let archive = Edit::Archive { model: "product.product".to_owned(), id: product, active: false };
        shop.odoo.control().edit(vec![archive]).unwrap();
        shop.edit(3, &json!({ "rate": 4.5 }));
        shop.place.sync().await;
        assert_eq!(shop.product(&item)["list_price"].as_f64(), Some(4.5));
        assert_eq!(shop.product(&item)["active"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_archives_nothing_whatever_is_allowed() {
    let shop = shop_without_status(OdooVersion::V18).await;
    for more in [[].as_slice(), &["--allow-mass-archive"]] {
        shop.reset_counts();
        let empty = ZohoFaultRule::once(ZohoFault::EndEarly { rows: 0 }).endpoint(ZohoEndpoint::List);
        shop.zoho.control().fault(empty);
        let ran = sweep(&shop, more).await;
        assert_eq!(ran.code(), 2, "{ran:?}");
        assert!(swept(&ran)["refused"].as_str().unwrap().contains("list is empty"), "{ran:?}");
        assert_eq!(archived(&shop), [""; 0]);
        shop.assert_nothing_done();
        let counts = shop.zoho.control().counts();
        assert_eq!(counts.detail, 0, "nobody is asked for one by one: {counts:?}");
    }
    assert_eq!(sweep(&shop, &[]).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_list_archives_nothing_even_where_much_may_be_gone() {
    let shop = shop_without_status(OdooVersion::V18).await;
    let half = || ZohoFaultRule::once(ZohoFault::EndEarly { rows: 12 }).endpoint(ZohoEndpoint::List);
    shop.zoho.control().fault(half());
    let ran = sweep(&shop, &[]).await;
    assert_eq!(ran.code(), 2, "{ran:?}");
    let said = swept(&ran)["refused"].as_str().unwrap().to_owned();
    assert!(said.contains("12 of 24 known records") && said.contains("--allow-mass-archive"), "{said}");
    shop.place.run(&["status"]).await.expect(0, &["last sweep", "nothing was archived", "12 of 24"]);

    // Even allowed, each is asked for by its id, and is there.
    shop.zoho.control().fault(half());
    let ran = sweep(&shop, &["--allow-mass-archive"]).await;
    assert_eq!((ran.code(), &swept(&ran)["there"]), (0, &json!(12)), "{ran:?}");
    assert_eq!(archived(&shop), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_half_way_archives_nothing_and_the_next_sweep_begins_anew() {
    let shop = Shop::plain(450).await;
    shop.place.sync().await;
    let before = archived(&shop);
    let number = active(&shop, 1)[0];
    let item = delete(&shop, number);
    let broken = ZohoFaultRule::once(ZohoFault::BadRequest).endpoint(ZohoEndpoint::List).after(1);
    shop.zoho.control().fault(broken);
    let ran = sweep(&shop, &[]).await;
    assert_ne!(ran.code(), 0, "{ran:?}");
    assert_eq!(archived(&shop), before);
    shop.zoho.control().clear_faults();
    // An ordinary run between does not go on with it, and takes nothing for gone.
    let synced = shop.place.sync().await;
    assert_eq!(synced.of("items")["kind"], "incremental");
    assert_eq!(archived(&shop), before);
    let ran = sweep(&shop, &[]).await;
    assert_eq!((ran.code(), &swept(&ran)["gone"]), (0, &json!(1)), "{ran:?}");
    assert!(is_archived(&shop, &item));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_tenth_is_archived_only_where_a_person_allows_it() {
    let shop = shop_without_status(OdooVersion::V18).await;
    shop.place.reconfigure("[odoo.shop]", "[notify]\nlog = \"told.log\"\n[odoo.shop]");
    let mut gone: Vec<String> = (0..3).map(|number| delete(&shop, number)).collect();
    gone.sort();
    let ran = shop.place.run(&["sync", "--sweep"]).await;
    ran.expect(2, &["3 of 24 known records", "at most 2", "sync items --sweep --allow-mass-archive"]);
    assert_eq!(archived(&shop), [""; 0]);
    // Refused by sentence, not as a failed run: ordinary runs go on.
    shop.place.run(&["runs"]).await.expect(0, &["sweep", "complete"]);
    shop.place.sync().await;
    let ran = sweep(&shop, &["--allow-mass-archive"]).await;
    assert_eq!((ran.code(), outcome(&ran, "gone")), (0, 3), "{ran:?}");
    assert_eq!(archived(&shop), gone);
    let told = std::fs::read_to_string(shop.place.path("told.log")).unwrap();
    let told: Vec<&str> = told.lines().filter(|line| line.contains("mass_archive")).collect();
    assert_eq!(told.len(), 2, "once, and when it is over: {told:?}");
    shop.place.run(&["sync", "--allow-mass-archive"]).await.expect(2, &["--sweep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_somebody_else_names_is_kept_and_so_is_one_without_our_id() {
    let shop = shop_without_status(OdooVersion::V18).await;
    let (shared, unbound) = (shop.id(1), shop.id(2));
    let product = |item: &str| shop.products()[item];
    let (first, second) = (product(&shared), product(&unbound));
    let name = Edit::Name {
        external_id: "other.item_77".to_owned(),
        model: "product.product".to_owned(),
        id: first,
    };
    shop.odoo.control().edit(vec![name]).unwrap();
    shop.place.run(&["unbind", "items", &unbound]).await.expect(0, &[]);
    delete(&shop, 1);
    delete(&shop, 2);
    let ran = sweep(&shop, &[]).await;
    assert_eq!((ran.code(), outcome(&ran, "gone"), outcome(&ran, "unchanged")), (0, 0, 2), "{ran:?}");
    for id in [first, second] {
        assert_eq!(shop.odoo_row("product.product", id)["active"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_that_is_away_costs_no_record_that_is_gone() {
    let shop = shop_without_status(OdooVersion::V18).await;
    let item = delete(&shop, 5);
    let down = sandbox::FaultRule::once(sandbox::Fault::BadGateway)
        .model("product.product")
        .method("action_archive")
        .times(50);
    shop.odoo.control().fault(down);
    let ran = sweep(&shop, &[]).await;
    assert_eq!(ran.code(), 3, "{ran:?}");
    shop.odoo.control().clear_faults();
    // The sweep is over for the source; what is outstanding of it is not forgotten by an ordinary run.
    let synced = shop.place.sync().await;
    assert_eq!(synced.count("items", "gone"), 1);
    assert!(is_archived(&shop, &item));
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_looks_and_leaves_everything_as_it_is() {
    let shop = shop_without_status(OdooVersion::V18).await;
    shop.place.reconfigure("images = false\n", "images = false\ngone = \"keep\"\n");
    let item = delete(&shop, 5);
    let ran = sweep(&shop, &[]).await;
    assert_eq!((ran.code(), &swept(&ran)["gone"], outcome(&ran, "gone")), (0, &json!(1), 0), "{ran:?}");
    assert!(!is_archived(&shop, &item));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detail_that_answers_404_for_everything_confirms_nothing() {
    let shop = shop_without_status(OdooVersion::V18).await;
    // As where a proxy answers in Zoho's place: what was listed a moment ago is not there either.
    let number = active(&shop, 2);
    delete(&shop, number[1]);
    shop.zoho
        .control()
        .fault(ZohoFaultRule::once(ZohoFault::NotFound).endpoint(ZohoEndpoint::Detail).times(20));
    let ran = sweep(&shop, &[]).await;
    ran.expect(3, &["nothing counts as gone"]);
    assert_eq!(archived(&shop), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_is_killed_at_any_step_archives_nothing_wrong() {
    let shop = shop_without_status(OdooVersion::V18).await;
    let mut gone: Vec<String> = (0..2).map(|number| delete(&shop, number)).collect();
    gone.sort();
    let steps = [
        "wanted:1",
        "confirmed:1",
        "advanced:1",
        "wanted:2",
        "published:1",
        "published:2",
        "claimed:1",
        "upserted:1",
        "recorded:1",
        "acked:1",
    ];
    for step in steps {
        let mut command = shop.place.command(&["sync", "--sweep", "--json"]);
        let ended = command.env("CATALOG_SYNC_CRASH", step).output().await.unwrap();
        assert_ne!(ended.status.code(), Some(2), "{step}");
        // Each process takes a token of its own, and ten are granted in ten minutes.
        shop.zoho.control().advance_clock(TOKEN_WINDOW);
        assert!(archived(&shop).iter().all(|item| gone.contains(item)), "{step}");
    }
    let ran = sweep(&shop, &[]).await;
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert_eq!(archived(&shop), gone);
    // None of them is left in between: they come back.
    for item in &gone {
        let values = json!({ "name": "back", "rate": 3 });
        shop.change(ZohoChange::RestoreItem { item: item.clone(), fields: fields(&values) });
    }
    shop.place.sync().await;
    assert_eq!(archived(&shop), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_change_while_a_sweep_reads_are_read_and_not_missing() {
    let shop = Shop::plain(450).await;
    shop.place.sync().await;
    // A page ends behind the begin of the run: an ordinary run leaves what follows to the next one.
    let at = Some(Timestamp::now() + Duration::from_hours(1));
    shop.change(ZohoChange::StampItems { first: 0, count: 300, at });
    let ran = sweep(&shop, &[]).await;
    assert_eq!((ran.code(), &swept(&ran)["missing"]), (0, &json!(0)), "{ran:?}");
}
