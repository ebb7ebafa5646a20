//! Contacts of Zoho become partners of Odoo, with their addresses where the mapping names them.

use sandbox::{ZohoChange, ZohoFault, ZohoFaultRule};
use serde_json::{Value, json};

use crate::shop::{Shop, fields};

const MAPPING: &str = "entity = \"contacts\"\n\
     [pipeline.contacts.mapping]\n\
     name = \"contact_name\"\n\
     email = \"email?\"\n\
     street = \"billing_address.address?\"\n\
     city = \"billing_address.city?\"\n\
     zip = \"billing_address.zip?\"\n\
     country_id = \"billing_address.country_code?\"\n\
     state_id = { from = \"billing_address.state_code?\", missing = \"empty\" }\n";

/// A shop of this many contacts and no items.
async fn shop(contacts: usize, keys: &str) -> Shop {
    let shop = Shop::of_contacts(contacts).await;
    let pipeline = format!("[pipeline.contacts]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n{keys}");
    shop.place.reconfigure("[pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n", &pipeline);
    shop
}

fn edit(shop: &Shop, number: u32, values: &Value) {
    shop.change(ZohoChange::EditContact {
        contact: shop.zoho.control().contact_id(number),
        fields: fields(values),
        touch: true,
    });
}

fn partner(shop: &Shop, number: u32) -> Value {
    let id = shop.zoho.control().contact_id(number);
    let partner = shop.odoo.control().external_ids("res.partner")[&format!("zoho.contact_{id}")];
    shop.odoo_row("res.partner", partner)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_costs_one_call_for_each_contact_that_changed() {
    let shop = shop(6, MAPPING).await;
    let synced = shop.place.sync().await;
    assert_eq!(synced.count("contacts", "created"), 6);
    assert_eq!(shop.zoho.control().counts().contact, 6);
    let first = partner(&shop, 0);
    assert_eq!((&first["country_id"][0], &first["state_id"][0]), (&json!(233), &json!(41)), "{first}");
    assert!(first["street"].as_str().unwrap().ends_with("Main Street"), "{first}");

    shop.reset_counts();
    shop.place.sync().await;
    shop.assert_nothing_written();
    assert_eq!(shop.zoho.control().counts().contact, 0, "nothing has changed");

    edit(
        &shop,
        2,
        &json!({ "billing_address": { "city": "Toronto", "zip": "M5V", "state_code": "ON", "country_code": "CA" } }),
    );
    let synced = shop.place.sync().await;
    assert_eq!(synced.count("contacts", "updated"), 1);
    assert_eq!(shop.zoho.control().counts().contact, 1);
    let moved = partner(&shop, 2);
    assert_eq!((&moved["city"], &moved["zip"]), (&json!("Toronto"), &json!("M5V")));
    assert_eq!((&moved["country_id"][0], &moved["state_id"][0]), (&json!(38), &json!(55)));

    // A state that Odoo does not have may stay empty, a country may not.
    edit(&shop, 3, &json!({ "billing_address": { "state_code": "ZZ" } }));
    edit(&shop, 4, &json!({ "billing_address": { "country_code": "ZZ" } }));
    shop.place.run(&["sync"]).await.expect(1, &["Contacts failed: 1"]);
    assert_eq!(partner(&shop, 3)["state_id"], false);
    shop.place.run(&["status"]).await.expect(0, &["Country 'ZZ' does not exist in Odoo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_in_the_mapping_no_contact_is_asked_for() {
    let shop = shop(5, "entity = \"contacts\"\n").await;
    assert_eq!(shop.place.sync().await.count("contacts", "created"), 5);
    assert_eq!(shop.zoho.control().counts().contact, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_broken_off_among_the_addresses_goes_on_with_the_next() {
    let shop = shop(60, MAPPING).await;
    let rule = ZohoFaultRule::once(ZohoFault::BadGateway).endpoint(sandbox::ZohoEndpoint::Contact);
    shop.zoho.control().fault(rule.after(50).times(1_000));
    let ran = shop.place.run(&["sync"]).await;
    assert_ne!(ran.code(), 0);
    assert!(shop.odoo.control().external_ids("res.partner").len() < 80);
    shop.zoho.control().clear_faults();
    shop.place.run(&["sync"]).await;
    shop.place.sync().await;
    for number in 0..60 {
        assert_eq!(partner(&shop, number)["country_id"][0], 233);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_vanishes_between_list_and_details_is_no_failure() {
    let shop = shop(3, MAPPING).await;
    let contact = shop.zoho.control().contact_id(1);
    shop.zoho.control().after_list_call(1, ZohoChange::DeleteContact { contact });
    shop.place.sync().await;
    assert_eq!(
        shop.odoo
            .control()
            .external_ids("res.partner")
            .keys()
            .filter(|name| name.starts_with("zoho."))
            .count(),
        2
    );
}
