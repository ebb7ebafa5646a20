//! What changed arrives, however its stamps look; what did not change is not written.

use std::time::Duration;

use sandbox::{Edit, OdooSandbox, OdooVersion, WriteDate};
use serde_json::{Value, json};

use crate::place::Place;
use crate::truth::{assert_files_hold_the_source, records, sandbox_of};

const VERSIONS: [OdooVersion; 3] = [OdooVersion::V17, OdooVersion::V18, OdooVersion::V19];

pub(crate) fn update(model: &str, id: i64, values: &Value) -> Edit {
    Edit::Update {
        model: model.to_owned(),
        id,
        values: values.as_object().unwrap().clone(),
        write_date: WriteDate::Transaction,
    }
}

fn create(model: &str, values: &Value, write_date: WriteDate) -> Edit {
    Edit::Create { model: model.to_owned(), values: values.as_object().unwrap().clone(), write_date }
}

/// A synced place, an hour later: nothing of the first sync is in the overlap any more.
async fn synced_an_hour_ago(version: OdooVersion) -> (OdooSandbox, Place) {
    let sandbox = sandbox_of(version).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    sandbox.control().advance_clock(Duration::from_hours(1));
    (sandbox, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_hundred_records_of_one_second_and_a_late_one_all_arrive() {
    for version in VERSIONS {
        let (sandbox, place) = synced_an_hour_ago(version).await;
        let control = sandbox.control();
        // One transaction: one stamp, to the microsecond, for more than a page of records. Another one that began before
        // it is committed only after the next sync.
        let late = control
            .begin(vec![create("res.partner", &json!({ "name": "late" }), WriteDate::Transaction)])
            .unwrap();
        // It began five minutes before: far behind the end of the window, and inside the overlap.
        control.advance_clock(Duration::from_mins(5));
        let many = (0..700)
            .map(|n| create("res.partner", &json!({ "name": format!("n{n}") }), WriteDate::Transaction));
        control.edit(many.collect()).unwrap();

        let second = place.sync().await;
        assert_eq!(second.count("customers", "created"), 700, "{version:?}");
        assert_eq!(second.count("customers", "seen"), 700, "{version:?}");

        control.commit(late).unwrap();
        control.advance_clock(Duration::from_mins(1));
        let third = place.sync().await;
        assert_eq!(
            third.count("customers", "created"),
            1,
            "{version:?}: its stamp is older than the last sync"
        );
        assert_files_hold_the_source(&place, &sandbox);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_written_later_in_a_second_that_was_read_already_arrive() {
    for version in VERSIONS {
        let (sandbox, place) = synced_an_hour_ago(version).await;
        let control = sandbox.control();
        let second = control.now().get(..19).unwrap().to_owned();
        for fraction in ["000000", "300000", "700000", "999999"] {
            control.freeze_clock(&format!("{second}.{fraction}")).unwrap();
            control
                .edit(vec![create("res.partner", &json!({ "name": fraction }), WriteDate::Transaction)])
                .unwrap();
            place.sync().await;
        }
        control.reset_clock();
        control.advance_clock(Duration::from_hours(2));
        place.sync().await;
        assert_files_hold_the_source(&place, &sandbox);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_the_same_values_moves_write_date_and_only_that_is_written() {
    let (sandbox, place) = synced_an_hour_ago(OdooVersion::V19).await;
    place.reconfigure(
        "entity = \"customers\"",
        "model = \"res.partner\"\nfile = \"odoo_customers.json\"\nfields = [\"name\"]",
    );
    place.sync().await;
    sandbox.control().advance_clock(Duration::from_hours(1));
    let id = sandbox.control().ids("res.partner").unwrap()[5];
    let name = sandbox.control().row("res.partner", id, &["name"]).unwrap().unwrap()["name"].clone();
    sandbox.control().edit(vec![update("res.partner", id, &json!({ "name": name }))]).unwrap();
    let next = place.sync().await;
    assert_eq!(next.count("customers", "seen"), 1, "Odoo moves write_date all the same");
    assert_eq!(next.count("customers", "unchanged_at_source"), 1);
    assert_eq!(next.of("customers")["bytes_written"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_and_barcode_written_on_the_variant_arrive_with_the_product() {
    for version in VERSIONS {
        let (sandbox, place) = synced_an_hour_ago(version).await;
        let control = sandbox.control();
        let variant = control.ids("product.product").unwrap()[7];
        let template = control.row("product.product", variant, &["product_tmpl_id"]).unwrap().unwrap();
        let before = control.row(
            "product.template",
            template["product_tmpl_id"][0].as_i64().unwrap(),
            &["write_date"],
        );
        control.edit(vec![update("product.product", variant, &json!({ "standard_price": 77.25 }))]).unwrap();
        let after = control.row(
            "product.template",
            template["product_tmpl_id"][0].as_i64().unwrap(),
            &["write_date"],
        );
        assert_eq!(before, after, "the template's write_date has not moved");
        assert_eq!(place.sync().await.count("products", "updated"), 1, "{version:?}");
        assert_files_hold_the_source(&place, &sandbox);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_records_arrive_and_deleted_ones_stay_in_the_file() {
    let (sandbox, place) = synced_an_hour_ago(OdooVersion::V18).await;
    let control = sandbox.control();
    let ids = control.ids("product.template").unwrap();
    control
        .edit(vec![
            Edit::Archive { model: "product.template".to_owned(), id: ids[3], active: false },
            Edit::Delete { model: "product.template".to_owned(), id: ids[4] },
        ])
        .unwrap();
    let next = place.sync().await;
    assert_eq!(next.count("products", "updated"), 1);
    let files = records(&place.products());
    let of = |id: i64| files.iter().find(|record| record["id"] == id).unwrap();
    assert_eq!(of(ids[3])["active"], false);
    assert_eq!(of(ids[4])["id"], ids[4], "merging keeps the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_any_write_date_are_found_by_a_full_run() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    sandbox
        .control()
        .edit(vec![create("res.partner", &json!({ "name": "by SQL" }), WriteDate::Empty)])
        .unwrap();
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mapping_makes_the_next_run_full() {
    let (_sandbox, place) = synced_an_hour_ago(OdooVersion::V19).await;
    place.reconfigure(
        "entity = \"products\"",
        "model = \"product.template\"\nfile = \"odoo_products.json\"\nfields = [\"name\"]",
    );
    let next = place.sync().await;
    assert!(next.is_full("products") && !next.is_full("customers"));
    assert_eq!(next.count("products", "updated"), next.count("products", "seen"));
    assert!(records(&place.products()).iter().all(|record| record.as_object().unwrap().len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_went_back_makes_the_next_run_full() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    sandbox.control().advance_clock(Duration::from_hours(24));
    place.sync().await;
    sandbox.control().reset_clock();
    assert!(place.sync().await.is_full("customers"));
}
