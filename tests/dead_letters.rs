//! What was given up is listed with its reason, tried again, forgotten and exported; whatever is repeated or killed.

use sandbox::{ZohoChange, ZohoImage};
use serde_json::{Value, json};

use crate::shop::{Shop, fields};

/// A user of Zoho mends the unit of an item, and no window shows it.
fn mend(shop: &Shop, item: &str) {
    let fields = fields(&json!({ "unit": "pcs" }));
    shop.change(ZohoChange::EditItem { item: item.to_owned(), fields, touch: false });
}

async fn letters(shop: &Shop) -> Value {
    shop.place.run(&["dead", "list", "--json"]).await.json()["pipelines"][0].take()
}

/// Two of four items have a unit that Odoo lacks.
async fn two_bad_items() -> (Shop, [String; 2]) {
    let shop = Shop::plain(4).await;
    for number in [1, 2] {
        shop.edit(number, &json!({ "unit": "carton" }));
    }
    shop.place.run(&["sync"]).await.expect(1, &["Items failed: 2"]);
    let bad = [shop.id(1), shop.id(2)];
    (shop, bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_listed_shown_redriven_and_arrives() {
    let (shop, [one, other]) = two_bad_items().await;
    let listed = letters(&shop).await;
    assert_eq!((&listed["kept"], &listed["reasons"][0]["reason"]), (&json!(2), &json!("bad_record")));
    let page = shop.place.run(&["dead", "list", "--limit", "1"]).await;
    page.expect(
        0,
        &["items: 2 dead letters: bad_record 2", "carton", "older ones: `catalog-sync dead list --pipeline"],
    );
    assert_eq!(page.stdout.matches("carton").count(), 1, "{page:?}");
    let shown = shop.place.run(&["dead", "show", &one]).await;
    shown.expect(0, &["given up", "bad_record", "'carton' does not exist", "name = "]);

    mend(&shop, &one);
    shop.place.run(&["dead", "redrive", &one]).await.expect(0, &["items: 1 is tried again by the next sync"]);
    shop.place
        .run(&["dead", "redrive", &one])
        .await
        .expect(0, &["items: 0 are", "1 was being tried already"]);
    // What is redriven and still bad is given up again, and its neighbour is not held up.
    shop.place.run(&["dead", "redrive", "--reason", "bad_record"]).await.expect(0, &["items: 1 is"]);
    shop.place.run(&["sync"]).await.expect(1, &["Items failed: 1"]);
    assert_eq!(shop.products().len(), 3);
    let listed = letters(&shop).await;
    assert_eq!((&listed["kept"], &listed["letters"][0]["key"]), (&json!(1), &json!(other)));
    mend(&shop, &other);
    shop.place.run(&["dead", "redrive", "--all"]).await.expect(0, &["items: 1 is"]);
    shop.place.run(&["sync"]).await.expect(0, &[]);
    shop.assert_in_step();
    shop.place.run(&["dead", "list"]).await.expect(0, &["there are no dead letters"]);
    shop.place.run(&["dead", "redrive", "--all"]).await.expect(0, &["nothing was changed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_that_is_killed_loses_nothing() {
    let (shop, bad) = two_bad_items().await;
    for item in &bad {
        mend(&shop, item);
    }
    let mut doomed = shop.place.command(&["dead", "redrive", "--all"]);
    let ended = doomed.env("CATALOG_SYNC_CRASH", "redriven:1").status().await.unwrap();
    assert!(!ended.success(), "it did not die");
    shop.place.run(&["dead", "redrive", "--all"]).await.expect(0, &["2 were being tried already"]);
    shop.place.run(&["sync"]).await.expect(0, &[]);
    shop.assert_in_step();
    assert_eq!(letters(&shop).await["kept"], 0);
}

/// The ledger of the run that goes on has them as dead for ever; nobody is told of failures that are none any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_broken_off_ends_well_once_what_it_gave_up_is_redriven() {
    let shop = Shop::plain(60).await;
    for number in 1..=40 {
        shop.edit(number, &json!({ "unit": "carton" }));
    }
    shop.place.run(&["sync"]).await.expect(2, &["Items NOT synced", "failed for one reason"]);
    let given_up = letters(&shop).await["kept"].as_u64().unwrap();
    assert!(given_up > 0);
    for number in 1..=40 {
        mend(&shop, &shop.id(number));
    }
    shop.place.run(&["dead", "redrive", "--all"]).await.expect(0, &[&format!("items: {given_up} are")]);
    let told = format!("Items that had failed before, and no longer do: {given_up}.");
    shop.place.run(&["sync"]).await.expect(0, &[&told]);
    shop.assert_in_step();
    assert_eq!(letters(&shop).await["kept"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_discarded_is_quiet_until_it_changes() {
    let (shop, [one, other]) = two_bad_items().await;
    shop.place.run(&["dead", "discard", &one]).await.expect(0, &["items: 1 is forgotten"]);
    shop.place.run(&["dead", "discard", &one]).await.expect(2, &[&one, "not in the dead letters"]);
    shop.place.run(&["dead", "discard", "--all"]).await.expect(0, &["items: 1 is forgotten"]);
    assert_eq!(letters(&shop).await["kept"], 0);
    for item in [&one, &other] {
        assert!(!shop.products().contains_key(item));
    }
    for number in [1, 2] {
        shop.edit(number, &json!({ "unit": "pcs" }));
    }
    shop.place.run(&["sync"]).await.expect(0, &[]);
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_a_letter_a_line() {
    let (shop, bad) = two_bad_items().await;
    let exported = shop.place.run(&["dead", "export"]).await;
    exported.expect(0, &[]);
    let lines: Vec<Value> = exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut keys: Vec<&str> = lines.iter().map(|line| line["job"]["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, bad);
    assert!(
        lines.iter().all(
            |line| line["job"]["values"]["name"].is_string() && line["failure"]["reason"] == "bad_record"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_and_nothing_changes() {
    let shop = Shop::plain(2).await;
    shop.place.run(&["dead", "list"]).await.expect(0, &["there are no dead letters"]);
    shop.place.run(&["dead", "redrive", "--all"]).await.expect(2, &["no sync has been run yet"]);
    assert!(!shop.place.path("catalog-sync.db").exists(), "looking makes no state");
    let (shop, [one, _]) = two_bad_items().await;
    let cases: [(&[&str], &str); 7] = [
        (&["redrive", &one, "4711"], "record '4711' of items is not in the dead letters"),
        (&["show", "4711"], "record '4711' of items is not in the dead letters"),
        (&["redrive", "--all", "--pipeline", "itmes"], "did you mean 'items'?"),
        (&["redrive", "--reason", "weather"], "no such reason; there are: configuration"),
        (&["redrive"], "required"),
        (&["discard", "--all", &one], "cannot be used with"),
        (&["show", "--stray", "ab"], "no stray has an id that begins with 'ab'"),
    ];
    for (arguments, says) in cases {
        let ran = shop.place.run(&[&["dead"][..], arguments].concat()).await;
        ran.expect(2, &[says]);
    }
    let status = shop.place.run(&["status", "--json"]).await.json();
    let records = &status["pipelines"][0]["records"];
    assert_eq!((&records["dead"], &records["outstanding"]), (&json!(2), &json!(0)), "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_what_happens_next_also_where_the_source_is_away() {
    let (shop, [one, _]) = two_bad_items().await;
    let fine = shop.id(0);
    let why = async |arguments: &[&str]| shop.place.run(&[&["why", "items"][..], arguments].concat()).await;
    why(&[&one]).await.expect(0, &["given up (bad_record", "'carton' does not exist", "dead redrive"]);
    let told = why(&[&fine, "--json"]).await.json();
    assert!(told["next"].as_str().unwrap().starts_with("Nothing: the sink has"), "{told}");
    assert_eq!(told["source"]["has"]["is_wanted"], true, "{told}");
    let (url, product) = (told["url"].as_str().unwrap(), shop.products()[&fine]);
    assert!(url.ends_with(&format!("/odoo/product.product/{product}")), "{url}");
    let items = shop.zoho.control().items();
    let sku = items.iter().find(|item| item["item_id"] == fine.as_str()).unwrap()["sku"].as_str().unwrap();
    why(&["--sku", sku]).await.expect(0, &[&fine, "Nothing"]);
    why(&["--sku", "nobody has this"]).await.expect(2, &["no record of items has the SKU"]);
    why(&["--sku", ""]).await.expect(2, &["a value is required"]);
    why(&["4711"]).await.expect(2, &["neither source nor state knows a record '4711'"]);
    // New in Zoho and in no sink yet: Zoho itself is asked.
    let new = fields(&json!({ "name": "New lamp", "sku": "N & 1", "rate": 3, "unit": "pcs" }));
    let created = shop.change(ZohoChange::CreateItem { fields: new });
    why(&["--sku", "N & 1"]).await.expect(0, &[&created, "never seen"]);
    why(&[&fine, "--offline"]).await.expect(0, &["source: was not asked", "applied: version"]);
    shop.place.reconfigure(shop.zoho.accounts_url().as_str(), "http://127.0.0.1:9");
    why(&[&fine]).await.expect(0, &["source: gave no answer", "as far as is known", "in the sink"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_finds_a_sku_where_items_go_into_a_file() {
    let shop = Shop::plain(6).await;
    shop.place.reconfigure("sink = \"odoo.shop\"", "sink = \"json.files\"");
    shop.place.sync().await;
    let items = shop.zoho.control().items();
    let (item, sku) = (items[2]["item_id"].as_str().unwrap(), items[2]["sku"].as_str().unwrap());
    shop.reset_counts();
    let why = async |sku: &str| shop.place.run(&["why", "items", "--sku", sku]).await;
    why(sku).await.expect(0, &[item, "Nothing: the sink has what the source has"]);
    let counts = shop.zoho.control().counts();
    assert_eq!(counts.list, 2, "one call finds it, one reads it: {counts:?}");
    why("nobody has this").await.expect(2, &["no record of items has the SKU 'nobody has this'"]);
    // Zoho compares without regard to case; a SKU is what it is.
    why(&sku.to_lowercase()).await.expect(2, &["no record of items has the SKU"]);
}

/// Two of four items have an image that is none, each in its own way.
async fn two_bad_images() -> (Shop, [String; 2]) {
    let shop = Shop::new(4).await;
    for (number, kind) in [(1, ZohoImage::Empty), (2, ZohoImage::Truncated)] {
        shop.upload(number, kind);
    }
    shop.place.run(&["sync"]).await.expect(1, &["Items images: 2 in step, 2 failed"]);
    let bad = [shop.id(1), shop.id(2)];
    (shop, bad)
}

/// The server has the image by now, and nothing in Zoho's lists tells of it.
fn serve(shop: &Shop, item: &str) {
    shop.change(ZohoChange::ServeImage { item: item.to_owned(), kind: ZohoImage::Jpeg });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_given_up_is_redriven_and_arrives_without_its_record() {
    let (shop, [one, other]) = two_bad_images().await;
    let listed = letters(&shop).await;
    assert_eq!((&listed["kept"], &listed["letters"][0]["kind"]), (&json!(2), &json!("image")), "{listed}");
    shop.place.run(&["dead", "show", &one]).await.expect(0, &["image"]);
    shop.place.run(&["why", "items", &one]).await.expect(0, &["in the sink, its image was given up"]);
    serve(&shop, &one);
    shop.place.run(&["dead", "redrive", &one]).await.expect(0, &["items: 1 is tried again"]);
    shop.place.run(&["dead", "redrive", &one]).await.expect(0, &["1 was being tried already"]);
    shop.reset_counts();
    shop.place.run(&["sync"]).await.expect(0, &["Items images: 3 in step, 1 failed"]);
    let (zoho, odoo) = (shop.zoho.control().counts(), shop.odoo.control().counts());
    assert_eq!((zoho.image, odoo.image_writes), (1, 1), "its neighbour's is left alone: {zoho:?}");
    assert_eq!(shop.picture(&one).as_ref(), shop.served().await.get(&one));
    let listed = letters(&shop).await;
    assert_eq!((&listed["kept"], &listed["letters"][0]["key"]), (&json!(1), &json!(other)), "{listed}");

    // Still bad: given up again, by its reason and without end.
    let reason = listed["reasons"][0]["reason"].as_str().unwrap();
    shop.place.run(&["dead", "redrive", "--reason", reason]).await.expect(0, &["items: 1 is"]);
    shop.place.run(&["sync"]).await.expect(1, &["3 in step, 1 failed"]);
    serve(&shop, &other);
    shop.place.run(&["dead", "redrive", "--all"]).await.expect(0, &["items: 1 is"]);
    shop.place.run(&["sync"]).await.expect(0, &["4 in step, 0 failed"]);
    assert_eq!(letters(&shop).await["kept"], 0);
    shop.place.run(&["verify"]).await.expect(0, &["in step", "4 as they were written"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_image_is_quiet_until_there_is_another_one_and_its_product_stands() {
    let (shop, [one, other]) = two_bad_images().await;
    shop.place.run(&["dead", "discard", &one]).await.expect(0, &["items: 1"]);
    assert_eq!(letters(&shop).await["letters"][0]["key"], json!(other));
    serve(&shop, &one);
    shop.reset_counts();
    shop.place.run(&["sync"]).await.expect(0, &["2 in step, 1 failed"]);
    let counts = shop.zoho.control().counts();
    assert_eq!(counts.image, 0, "it is no longer wanted: {counts:?}");
    assert_eq!((shop.products().len(), shop.picture(&one)), (4, None));
    shop.place.run(&["dead", "discard", "--all"]).await.expect(0, &["items: 1"]);
    shop.place.run(&["sync"]).await.expect(0, &[]);
    shop.upload(1, ZohoImage::Png);
    shop.place.sync().await;
    assert_eq!(shop.picture(&one).as_ref(), shop.served().await.get(&one));
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn why_asks_zoho_for_one_item_with_one_call_whatever_their_number() {
    let shop = Shop::plain(430).await;
    shop.place.sync().await;
    let item = shop.id(3);
    shop.reset_counts();
    let ran = shop.place.run(&["why", "items", &item]).await;
    ran.expect(0, &["Nothing: the sink has what the source has"]);
    let counts = shop.zoho.control().counts();
    assert_eq!((counts.list, counts.detail + counts.itemdetails), (1, 0), "{counts:?}");
    // What is gone is looked for in the whole list all the same.
    shop.change(ZohoChange::DeleteItem { item: item.clone() });
    shop.place.run(&["why", "items", &item]).await.expect(0, &["no longer has it"]);
}
