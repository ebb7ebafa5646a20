//! Mappings of one's own from Zoho to Odoo: what they can do, and what a wrong one says before the first record.

use sandbox::{Edit, WriteDate, ZohoChange};
use serde_json::{Value, json};

use crate::shop::{Shop, fields};

/// The usual pipeline with more lines, and a mapping of these lines beside the name.
fn mapped(shop: &Shop, keys: &str, mapping: &str) {
    let table =
        format!("sink = \"odoo.shop\"\n{keys}\n[pipeline.items.mapping]\nname = \"name\"\n{mapping}\n");
    shop.place.reconfigure("sink = \"odoo.shop\"\n", &table);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_cannot_work_is_one_sentence_and_no_dead_letter() {
    for (line, says) in [
        ("list_prise = \"rate\"", &["no field 'list_prise'", "did you mean 'list_price'?"][..]),
        ("qty_available = \"stock_on_hand?\"", &["column 'qty_available'", "computed by Odoo"]),
        ("write_date = \"last_modified_time\"", &["column 'write_date'", "computed by Odoo"]),
        ("image_1920 = \"image_name?\"", &["column 'image_1920'", "images travel on their own"]),
        ("seller_ids = \"vendor_name?\"", &["column 'seller_ids'", "one2many"]),
        ("\"categ_id/name\" = \"brand?\"", &["column 'categ_id/name'", "use /id or /.id"]),
        ("\"weight/id\" = \"weight?\"", &["column 'weight/id'", "refers to no other record"]),
        (
            "description_sale = { from = \"brand?\", missing = \"create\" }",
            &["column 'description_sale'", "refers to no other record"],
        ),
        ("uom_id = { from = \"unit\", missing = \"empty\" }", &["column 'uom_id'", "is required"]),
    ] {
        let shop = Shop::plain(5).await;
        mapped(&shop, "", line);
        let ran = shop.place.run(&["sync"]).await;
        ran.expect(2, &["Items NOT synced"]);
        ran.expect(2, says);
        shop.place.run(&["check"]).await.expect(2, says);
        shop.place.run(&["status"]).await.expect(0, &["0 failed"]);
        assert!(shop.products().is_empty(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_is_no_mapping_names_its_line() {
    let shop = Shop::plain(1).await;
    for (line, says) in [
        (
            "categ_id = { from = \"brand?\", missing = \"make\" }",
            "none of \"fail\", \"create\" and \"empty\"",
        ),
        ("taxes_id = { from = \"cf_taxes?\", split = 3 }", "a `split` that is no text"),
        (
            "taxes_id = { from = \"cf_taxes?\", split = \",\", decimals = 2 }",
            "neither a number nor `boolean`",
        ),
        ("taxes_id = { from = \"cf_taxes?\", splitt = \",\" }", "did you mean 'split'?"),
    ] {
        let before = std::fs::read_to_string(shop.place.path("catalog-sync.toml")).unwrap();
        mapped(&shop, "", line);
        let column = line.split_whitespace().next().unwrap();
        shop.place.run(&["sync"]).await.expect(2, &[&format!("pipeline.items.mapping.{column}"), says]);
        shop.place.configure(&before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_are_made_where_that_is_wanted_and_only_then() {
    let shop = Shop::plain(4).await;
    for (number, category) in [(0, "Oak"), (1, "Oak"), (2, "Ash"), (3, "Ash")] {
        shop.edit(number, &json!({ "cf_range": category }));
    }
    mapped(&shop, "", "categ_id = \"cf_range?\"");
    shop.place.run(&["sync"]).await.expect(1, &["Items failed: 4"]);
    shop.place.run(&["status"]).await.expect(0, &["'Oak' does not exist in Odoo", "create it there"]);
    assert!(shop.products().is_empty());

    // The explicit choice is another mapping: what failed under the old one is tried again.
    shop.place.reconfigure("\"cf_range?\"", "{ from = \"cf_range?\", missing = \"create\" }");
    let synced = shop.place.sync().await;
    assert_eq!(synced.count("items", "created"), 4);
    let categories = shop.odoo.control().rows("product.category").unwrap();
    for (name, number) in [("Oak", 1), ("Ash", 3)] {
        let made: Vec<&Value> = categories.iter().filter(|row| row["name"] == name).collect();
        assert_eq!(made.len(), 1, "{name}");
        assert_eq!(shop.product(&shop.id(number))["categ_id"][0], made[0]["id"]);
    }
    shop.reset_counts();
    shop.place.run(&["sync", "--full"]).await.expect(0, &[]);
    shop.assert_nothing_written();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_values_in_one_field_become_a_list_in_any_order() {
    let shop = Shop::plain(3).await;
    let (sale, purchase) = ("account.1_sale_tax_template", "account.1_purchase_tax_template");
    shop.edit(0, &json!({ "cf_taxes": format!("{sale}, {purchase}") }));
    shop.edit(1, &json!({ "cf_taxes": format!("{purchase},{sale},{sale}") }));
    mapped(&shop, "", "\"taxes_id/id\" = { from = \"cf_taxes?\", split = \",\" }");
    shop.place.sync().await;
    let taxes = |number| shop.product(&shop.id(number))["taxes_id"].clone();
    assert_eq!((taxes(0), taxes(1), taxes(2)), (json!([1, 2]), json!([1, 2]), json!([])));
    shop.reset_counts();
    shop.edit(0, &json!({ "cf_taxes": format!("{purchase}, {sale}") }));
    shop.place.sync().await;
    shop.assert_nothing_written();
    // Taken out of the field, it is taken out of Odoo.
    shop.edit(0, &json!({ "cf_taxes": purchase }));
    shop.place.sync().await;
    assert_eq!(taxes(0), json!([2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_fields_and_details_are_mapped_by_their_names() {
    let shop = Shop::plain(3).await;
    shop.edit(1, &json!({ "cf_origin": "PL" }));
    let lines =
        "description_sale = \"cf_origin?\"\ndescription_purchase = \"detail.custom_field_hash.cf_origin?\"";
    mapped(&shop, "", lines);
    shop.place.sync().await;
    let product = shop.product(&shop.id(1));
    assert_eq!(
        (&product["description_sale"], &product["description_purchase"]),
        (&json!("PL"), &json!("PL"))
    );
    assert_eq!(shop.zoho.control().counts().itemdetails, 1, "a hundred items in one call");
    shop.reset_counts();
    shop.place.sync().await;
    shop.assert_nothing_done();
    assert_eq!(shop.zoho.control().counts().itemdetails, 0, "nothing has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_what_is_read_in_two_steps_is_applied() {
    let shop = Shop::plain(3).await;
    mapped(&shop, "", "description_purchase = \"detail.custom_field_hash.cf_origin?\"");
    shop.place.sync().await;
    shop.edit(1, &json!({ "cf_origin": "PL" }));
    shop.place.run(&["plan", "--out", "plan.json"]).await.expect(0, &["1 to update", "PL"]);
    shop.place.run(&["sync", "--plan", "plan.json"]).await.expect(0, &["1 records of a plan"]);
    assert_eq!(shop.product(&shop.id(1))["description_purchase"], "PL");
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_found_whatever_they_are_called_in_odoo() {
    let shop = Shop::plain(4).await;
    for (number, unit) in [(0, "nos"), (1, "kgs"), (2, "Dozens"), (3, "")] {
        shop.edit(number, &json!({ "unit": unit }));
    }
    // An Odoo in French.
    let renamed = Edit::Update {
        model: "uom.uom".to_owned(),
        id: 1,
        values: fields(&json!({ "name": "Unit\u{e9}(s)" })),
        write_date: WriteDate::Transaction,
    };
    shop.odoo.control().edit(vec![renamed]).unwrap();
    shop.place.sync().await;
    let unit = |number| shop.product(&shop.id(number))["uom_id"][0].clone();
    assert_eq!((unit(0), unit(1), unit(2), unit(3)), (json!(1), json!(5), json!(2), json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_removed_in_zoho_stays_or_goes_as_configured() {
    for clears in [false, true] {
        let shop = Shop::new(3).await;
        if clears {
            let keys = "sink = \"odoo.shop\"\nimage_removed = \"clear\"\n";
            shop.place.reconfigure("sink = \"odoo.shop\"\n", keys);
        }
        shop.place.sync().await;
        let with_image: Vec<u32> =
            (0..3).filter(|number| shop.picture(&shop.id(*number)).is_some()).collect();
        let [first, other, ..] = with_image[..] else { panic!("{with_image:?}") };
        let item = shop.id(first);
        let picture = shop.picture(&item);
        let kept = shop.picture(&shop.id(other));
        shop.reset_counts();
        let remove = |number| ZohoChange::ReplaceImage {
            item: shop.id(number),
            kind: None,
            touch: true,
            keep_document: false,
        };
        shop.change(remove(first));
        shop.place.sync().await;
        assert_eq!(shop.picture(&item), if clears { None } else { picture.clone() }, "clears: {clears}");
        assert_eq!(shop.picture(&shop.id(other)), kept);
        assert_eq!(shop.zoho.control().counts().image, 0);
        assert_eq!(shop.odoo.control().counts().image_writes, u64::from(clears));
        shop.reset_counts();
        shop.place.run(&["sync", "--full"]).await.expect(0, &[]);
        shop.assert_nothing_written();
        // It comes back, the same bytes or others.
        shop.upload(first, sandbox::ZohoImage::Png);
        shop.place.sync().await;
        assert_eq!(shop.picture(&item).as_ref(), shop.served().await.get(&item));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_people_gave_a_product_without_one_in_zoho_is_theirs() {
    let shop = Shop::plain(2).await;
    let keys = "sink = \"odoo.shop\"\nmatch_by = [\"default_code\"]\nimage_removed = \"clear\"\n";
    shop.place.reconfigure("sink = \"odoo.shop\"\n", keys);
    let pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    shop.edit(0, &json!({ "sku": "OLD" }));
    let old = json!({ "name": "Old", "default_code": "OLD", "image_1920": pixel });
    let product = shop.create_product(&old);
    shop.place.sync().await;
    let item = shop.id(0);
    assert_eq!(shop.products()[&item], product);
    assert!(shop.picture(&item).is_some(), "it was there before");
    shop.edit(0, &json!({ "rate": 9 }));
    shop.place.sync().await;
    shop.place.run(&["sync", "--full"]).await.expect(0, &[]);
    assert!(shop.picture(&item).is_some());
}
