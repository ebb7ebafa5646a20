//! What is wrong with a Zoho, its items or its images gets one clear sentence, and harms nothing else.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sandbox::{Fault, FaultRule, ZohoChange, ZohoEndpoint, ZohoFault, ZohoFaultRule, ZohoImage};
use serde_json::json;

use crate::secrets::{contains, files_below};
use crate::shop::{Shop, fields};

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_exit_2_and_says_what_to_do() {
    let shop = Shop::plain(3).await;
    shop.zoho.control().set_revoked(true);
    shop.place.run(&["sync"]).await.expect(2, &["refresh token", "Items NOT synced"]);
    shop.place.run(&["check"]).await.expect(2, &["FAILED", "refresh token"]);
    shop.assert_nothing_done();
    assert_eq!(shop.zoho.control().counts().token, 1, "what was rejected is not shown again at once");
    shop.zoho.control().set_revoked(false);
    let began = Instant::now();
    while shop.place.run(&["sync"]).await.code() != 0 {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_client_secret_is_exit_2() {
    let mut shop = Shop::plain(3).await;
    shop.place.replace_secret("CATALOG_SYNC_ZOHO_SHOP_CLIENT_SECRET", "geheim");
    let ran = shop.place.run(&["sync"]).await;
    ran.expect(2, &["client secret"]);
    assert!(!format!("{ran:?}").contains("geheim"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_is_exit_2_and_named() {
    let shop = Shop::plain(3).await;
    let scope = "ZohoInventory.items.READ";
    shop.zoho.control().remove_scope(scope);
    shop.place.run(&["sync"]).await.expect(2, &[scope]);
    shop.zoho.control().add_scope(scope);
    shop.place.sync().await;
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_organisation_is_exit_2_and_named() {
    let shop = Shop::plain(3).await;
    shop.place.reconfigure(&format!("\"{}\"", shop.zoho.organization_id()), "\"99999999\"");
    shop.place.run(&["sync"]).await.expect(2, &["99999999", "organization_id"]);
    assert!(shop.products().is_empty());
}

/// One of four items is given bad values: it is told in words, and the other three arrive.
async fn one_bad_item(bad: &serde_json::Value, mapping: &str, says: &[&str]) -> Shop {
    let shop = Shop::plain(4).await;
    let configured = format!("sink = \"odoo.shop\"\n{mapping}");
    shop.place.reconfigure("sink = \"odoo.shop\"\n", &configured);
    shop.edit(2, bad);
    shop.place.run(&["sync"]).await.expect(1, &["Items failed: 1"]);
    let told = shop.place.run(&["status"]).await;
    told.expect(0, &["1 failed", &shop.id(2)]);
    told.expect(0, says);
    let mut others: Vec<String> = [0, 1, 3].map(|number| shop.id(number)).to_vec();
    others.sort();
    assert_eq!(shop.products().into_keys().collect::<Vec<_>>(), others);
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_without_a_name_is_told_and_its_neighbours_arrive() {
    let shop = one_bad_item(&json!({ "name": "" }), "", &["name"]).await;
    // Once it has a name it arrives, and the letter is gone.
    shop.edit(2, &json!({ "name": "Named at last" }));
    shop.place.sync().await;
    shop.assert_in_step();
    shop.place.run(&["status"]).await.expect(0, &["0 failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_unit_is_told_in_words_of_a_shop() {
    let says = ["Unit", "'carton' does not exist in Odoo", "create it there"];
    let shop = one_bad_item(&json!({ "unit": "carton" }), "", &says).await;
    shop.reset_counts();
    // The dead letter stays one: the item has not changed.
    shop.place.run(&["sync"]).await.expect(1, &["Items failed: 1"]);
    shop.assert_nothing_done();
    assert_eq!(shop.products().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_is_no_number_is_told_and_its_neighbours_arrive() {
    // A custom field holds whatever its users type.
    let mapping =
        "[pipeline.items.mapping]\nname = \"name\"\nlist_price = { from = \"cf_price?\", default = 1 }\n";
    one_bad_item(&json!({ "cf_price": "twelve or so" }), mapping, &["twelve or so", "list_price"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_items_with_one_sku_are_two_products() {
    let shop = Shop::plain(4).await;
    for number in [1, 2] {
        shop.edit(number, &json!({ "sku": "SAME" }));
    }
    shop.place.sync().await;
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_script_and_a_megabyte_of_description_arrive_whole() {
    let shop = Shop::plain(5).await;
    let names = [
        "  two  blanks  ",
        "\u{1f469}\u{200d}\u{1f373} \u{1fa91} chef's chair",
        "\u{5db}\u{5d9}\u{5e1}\u{5d0} \u{202e}abc\u{202c} \u{643}\u{631}\u{633}\u{64a}",
        "comma, \"quote\"; semi\ttab \\ back/slash",
        "zoho.item_1/id",
    ];
    for (number, name) in (0..).zip(names) {
        shop.edit(number, &json!({ "name": name, "sku": name.trim() }));
    }
    shop.place.sync().await;
    shop.assert_in_step();
    shop.reset_counts();
    shop.place.run(&["sync", "--full"]).await.expect(0, &[]);
    shop.assert_nothing_done();

    let long = "Solid oak, 45 cm. ".repeat(60_000);
    assert!(long.len() > 1_000_000);
    shop.place.reconfigure(
        "sink = \"odoo.shop\"\n",
        "sink = \"odoo.shop\"\n[pipeline.items.mapping]\nname = \"name\"\ndescription_sale = \"cf_story?\"\n",
    );
    shop.edit(1, &json!({ "cf_story": long }));
    shop.place.sync().await;
    let kept = shop.product(&shop.id(1))["description_sale"].clone();
    assert_eq!(kept.as_str().unwrap().trim(), long.trim());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zoho_that_is_down_is_exit_3_and_the_next_sync_goes_on() {
    let shop = Shop::plain(3).await;
    let down = ZohoFaultRule::once(ZohoFault::BadGateway).endpoint(ZohoEndpoint::List);
    shop.zoho.control().fault(down.times(1_000));
    shop.place.run(&["sync"]).await.expect(3, &["Items NOT synced", "502"]);
    shop.zoho.control().clear_faults();
    let address = shop.zoho.accounts_url();
    shop.place.reconfigure(&address, "http://127.0.0.1:9");
    shop.place.run(&["sync"]).await.expect(3, &["127.0.0.1:9"]);
    shop.place.reconfigure("http://127.0.0.1:9", &address);
    shop.place.sync().await;
    shop.assert_in_step();
}

/// Odoo answers so from the first product on.
async fn no_record_is_given_up_where_odoo(answers: Fault) {
    let shop = Shop::plain(6).await;
    shop.odoo.control().fault(FaultRule::once(answers).method("load").times(1_000));
    shop.place.run(&["sync"]).await.expect(3, &["Items NOT synced"]);
    shop.place.run(&["status"]).await.expect(0, &["6 outstanding, 0 failed"]);
    shop.odoo.control().clear_faults();
    shop.place.sync().await;
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_whose_proxy_loses_it_in_mid_run_costs_no_record_its_life() {
    no_record_is_given_up_where_odoo(Fault::BadGateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_that_goes_down_in_mid_run_costs_no_record_its_life() {
    no_record_is_given_up_where_odoo(Fault::CloseBeforeAnswer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_that_is_down_is_exit_3_and_the_next_sync_goes_on() {
    let shop = Shop::new(3).await;
    let address = shop.odoo.url();
    shop.place.reconfigure(&address, "http://127.0.0.1:9");
    shop.place.run(&["sync"]).await.expect(3, &["no connection to Odoo at 127.0.0.1:9"]);
    assert_eq!(shop.zoho.control().counts().image, 0);
    shop.place.reconfigure("http://127.0.0.1:9", &address);
    shop.place.sync().await;
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_zoho_ends_the_sync_soon_and_the_first_one_after_the_wait_goes_on() {
    let shop = Shop::new(24).await;
    // The list answers, and then another client of the organisation uses up the minute.
    let throttled = ZohoFault::Throttled { code: 43, retry_after: Some(3600) };
    let refused = |endpoint| ZohoFaultRule::once(throttled.clone()).endpoint(endpoint);
    shop.zoho.control().fault(refused(ZohoEndpoint::Image).after(1));
    let began = Instant::now();
    shop.place.run(&["sync"]).await.expect(0, &["images wait for the next sync", "Zoho"]);
    shop.assert_in_step();
    // What holds for the process that was told, holds for all after it.
    shop.reset_counts();
    shop.place.run(&["sync"]).await.expect(3, &["Zoho refuses calls of this organisation until"]);
    assert_eq!(shop.zoho.control().counts().list, 0);
    an_hour_passes(&shop);
    let next = shop.place.sync().await;
    let images = &next.of("items")["images"];
    let applied = images["applied"].as_u64().unwrap();
    let waiting = images["outstanding"].as_u64().unwrap();
    // What Zoho refused waits for an hour by itself: at most the 16 that were under way at once. The others, which nobody had
    // asked for, are there.
    assert!((1..=16).contains(&waiting) && images["dead"] == 0, "{images}");
    let served = shop.served().await;
    assert_eq!(applied + waiting, served.len() as u64, "{images}");
    let brought = served.iter().filter(|(item, sha1)| shop.picture(item).as_ref() == Some(*sha1));
    assert_eq!(brought.count() as u64, applied);
    shop.place
        .run(&["status"])
        .await
        .expect(0, &[&format!("{applied} in step, {waiting} waiting, 0 failed")]);

    shop.edit(0, &json!({ "rate": 1 }));
    shop.zoho.control().fault(refused(ZohoEndpoint::List));
    shop.place.run(&["sync"]).await.expect(3, &["too many in a minute"]);
    an_hour_passes(&shop);
    shop.place.sync().await;
    shop.assert_in_step();
    assert!(began.elapsed() < Duration::from_mins(1));
}

/// For the wait that Zoho asked for, and for nothing else.
fn an_hour_passes(shop: &Shop) {
    let state = rusqlite::Connection::open(shop.place.path("catalog-sync.db")).unwrap();
    let over = "UPDATE memo SET text = json_set(text, '$.minute.until', '2026-01-01T00:00:00Z') \
                WHERE name LIKE 'zoho-budget/%' AND json_extract(text, '$.minute.until') IS NOT NULL";
    assert_eq!(state.execute(over, []).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_output_or_file() {
    let shop = Shop::new(6).await;
    let mut said = String::new();
    let faults = [
        ZohoFault::BadGateway,
        ZohoFault::Unauthorized,
        ZohoFault::AccessDenied,
        ZohoFault::Cut,
        ZohoFault::ErrorInSuccess { code: 1000 },
    ];
    for fault in faults {
        shop.zoho.control().fault(ZohoFaultRule::once(fault).times(50));
        said += &format!("{:?}", shop.place.run(&["-vv", "sync"]).await);
        shop.zoho.control().clear_faults();
    }
    shop.odoo.control().fault(FaultRule::once(Fault::AccessError).model("product.product"));
    shop.upload(1, ZohoImage::Huge);
    shop.change(ZohoChange::CreateItem { fields: fields(&json!({ "name": "Odd", "unit": "carton" })) });
    for arguments in [&["-vv", "sync"][..], &["-vv", "sync"], &["status", "--json"], &["check"], &["--help"]]
    {
        said += &format!("{:?}", shop.place.run(arguments).await);
    }
    assert!(said.contains("Items synced"), "{said}");
    let known = [shop.zoho.client_secret(), shop.zoho.refresh_token(), shop.odoo.password()];
    let mut places = vec![(PathBuf::from("the output"), said.into_bytes())];
    places.extend(files_below(&shop.place.path("")));
    assert!(places.len() > 2, "the configuration and the state are among them");
    for (path, bytes) in places {
        let is_told = known.iter().any(|secret| contains(&bytes, secret)) || holds_access_token(&bytes);
        assert!(!is_told, "{} holds a secret", path.display());
    }
}

/// Access tokens are `1000.`, 32 digits, a point and 32 digits, all hexadecimal.
fn holds_access_token(bytes: &[u8]) -> bool {
    let is_hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    bytes.windows(70).any(|window| {
        window.starts_with(b"1000.") && window[37] == b'.' && is_hex(&window[5..37]) && is_hex(&window[38..])
    })
}

#[test]
fn an_access_token_would_be_seen() {
    let token = format!("xx 1000.{}.{} yy", "0a".repeat(16), "f9".repeat(16));
    assert!(holds_access_token(token.as_bytes()));
    assert!(!holds_access_token(&[b'1'; 100]));
}
