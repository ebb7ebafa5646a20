//! `check --duplicates`: what is double is told with ids and names, and nothing is changed.

use sandbox::{Edit, WriteDate, ZohoChange};
use serde_json::{Value, json};

use crate::shop::{Shop, fields};

#[tokio::test(flavor = "multi_thread")]
async fn doubles_in_zoho_in_odoo_and_of_bindings_are_told_with_ids_and_names() {
    let shop = Shop::plain(6).await;
    let keys = "sink = \"odoo.shop\"\nmatch_by = [\"default_code\"]\n";
    shop.place.reconfigure("sink = \"odoo.shop\"\n", keys);
    for number in 0..6 {
        shop.edit(number, &json!({ "sku": format!("SKU-{number}") }));
    }
    shop.place.sync().await;
    shop.reset_counts();
    let ran = shop.place.run(&["check", "--duplicates"]).await;
    ran.expect(0, &["6 records compared by 'default_code'", "Nothing is double."]);

    let twin = shop.create_product(&json!({ "name": "Typed in by hand", "default_code": "SKU-1" }));
    let product = shop.products()[&shop.id(2)];
    let second = Edit::Name {
        external_id: "zoho.item_999".to_owned(),
        model: "product.product".to_owned(),
        id: product,
    };
    shop.odoo.control().edit(vec![second]).unwrap();
    let free = shop.create_product(&json!({ "name": "Old stock", "default_code": "SAME" }));
    shop.edit(3, &json!({ "sku": "SAME", "name": "Lamp" }));
    shop.edit(4, &json!({ "sku": " SAME ", "name": "Lamp again" }));
    shop.reset_counts();

    let ran = shop.place.run(&["check", "--duplicates", "--json"]).await;
    assert_eq!(ran.code(), 1, "{ran:?}");
    let told = ran.json();
    let of = |by: &str, value: &str| -> Vec<Value> {
        let all = told["duplicates"].as_array().unwrap().iter();
        all.filter(|double| double["by"] == by && double["value"] == value).cloned().collect()
    };
    let ids = |double: &Value| -> Vec<String> {
        let mut ids: Vec<String> = double["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|twin| twin["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let [zoho] = &of("default_code", "SAME")[..] else { panic!("{told:#}") };
    let mut same = vec![shop.id(3), shop.id(4)];
    same.sort();
    assert_eq!((ids(zoho), &zoho["wanted"]), (same, &json!(free.to_string())));
    let [odoo] = &of("default_code", "SKU-1")[..] else { panic!("{told:#}") };
    let mut twins = vec![shop.products()[&shop.id(1)].to_string(), twin.to_string()];
    twins.sort();
    assert_eq!(ids(odoo), twins);
    assert!(
        odoo["records"]
            .as_array()
            .unwrap()
            .iter()
            .any(|twin| twin["name"].as_str().unwrap().contains("Typed in by hand"))
    );
    let [bound] = &of("external ids zoho.item_...", &product.to_string())[..] else { panic!("{told:#}") };
    assert_eq!(ids(bound), [format!("item_{}", shop.id(2)), "item_999".to_owned()]);
    assert_eq!(told["duplicates"].as_array().unwrap().len(), 3, "{told:#}");

    let ran = shop.place.run(&["check", "--duplicates"]).await;
    ran.expect(
        1,
        &["have default_code 'SAME'", "\"Lamp\"", "\"Lamp again\"", "each would be bound to record"],
    );
    shop.assert_nothing_done();
    let by_name = shop.place.run(&["check", "--duplicates", "--by", "name"]).await;
    by_name.expect(1, &["external ids"]);
    shop.place.run(&["check", "--duplicates", "--by", "nothing"]).await.expect(2, &["nothing", "--by"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_compared_by_email_and_name() {
    let shop = Shop::of_contacts(5).await;
    let from = "[pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n";
    shop.place.reconfigure(from, "[pipeline.contacts]\nsource = \"zoho.shop\"\nsink = \"json.files\"\n");
    let contact = |number| shop.zoho.control().contact_id(number);
    let edit = |number, values: Value| {
        shop.change(ZohoChange::EditContact {
            contact: contact(number),
            fields: fields(&values),
            touch: true,
        });
    };
    edit(0, json!({ "email": "x@example.com" }));
    edit(1, json!({ "email": "x@example.com" }));
    edit(2, json!({ "email": "" }));
    edit(3, json!({ "email": "" }));
    let ran = shop.place.run(&["check", "--duplicates"]).await;
    ran.expect(1, &["2 records of", "have email 'x@example.com'", &contact(0), &contact(1)]);
    assert_eq!(ran.stdout.matches("double ").count(), 1, "{ran:?}");
    assert!(ran.stdout.contains("compared by 'contact_name'"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_odoo_that_go_to_files_are_compared_archived_or_not() {
    let shop = Shop::plain(0).await;
    let from = "[pipeline.items]\nsource = \"zoho.shop\"\nsink = \"odoo.shop\"\n";
    let to = "[pipeline.categories]\nsource = \"odoo.shop\"\nsink = \"json.files\"\nmodel = \"product.category\"\nfields = [\"name\"]\n\
              [pipeline.countries]\nsource = \"odoo.shop\"\nsink = \"json.files\"\nmodel = \"res.country\"\nfields = [\"name\", \"code\"]\n";
    shop.place.reconfigure(from, to);
    let make = |name: &str| Edit::Create {
        model: "product.category".to_owned(),
        values: fields(&json!({ "name": name })),
        write_date: WriteDate::Transaction,
    };
    let made = shop.odoo.control().edit(vec![make("Oak"), make("Oak")]).unwrap();
    let ran = shop.place.run(&["check", "--duplicates"]).await;
    let both = [made[0].to_string(), made[1].to_string()];
    ran.expect(1, &["have name 'Oak'", &both[0], &both[1], "countries"]);

    // Any model goes to a file by configuration alone.
    shop.place.sync().await;
    let read = |name: &str| -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(shop.place.path(&format!("out/{name}.json"))).unwrap()).unwrap()
    };
    let (categories, countries) = (read("categories"), read("countries"));
    assert_eq!(categories.len(), shop.odoo.control().ids("product.category").unwrap().len());
    assert_eq!(categories.iter().filter(|record| record["name"] == "Oak").count(), 2);
    assert!(countries.iter().any(|record| record["code"] == "FR" && record["name"] == "France"));
}
