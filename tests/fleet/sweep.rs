//! What is gone from the sources of a fleet.

use sandbox::{Edit, ZohoChange};
use serde_json::json;

use super::catalogue::Size;
use super::processes::Fleet;

async fn fleet() -> Fleet {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    fleet.reconfigure("entity = \"customers\"\n", "entity = \"customers\"\ngone = \"remove\"\n");
    fleet
}

/// Deletes some items and customers.
fn delete(fleet: &Fleet, numbers: std::ops::Range<u32>) -> Vec<i64> {
    let (store, customers) = (fleet.catalogue.shop.store(), fleet.catalogue.erp.control());
    let ids = customers.ids("res.partner").unwrap();
    // Companies last: their contacts would go with them.
    let (mut products, named) = (Vec::new(), fleet.catalogue.shop.control().external_ids("product.product"));
    for number in numbers {
        let item = store.item_id(number);
        products.push(named[&format!("zoho.item_{item}")]);
        store.apply(ZohoChange::DeleteItem { item }).unwrap();
        let id = ids[ids.len() - 1 - number as usize];
        customers.edit(vec![Edit::Delete { model: "res.partner".to_owned(), id }]).unwrap();
    }
    products
}

fn are_archived(fleet: &Fleet, products: &[i64]) -> bool {
    let rows = fleet.catalogue.shop.control().rows("product.product").unwrap();
    products.iter().all(|id| rows.iter().any(|row| row["id"] == *id && row["active"] == false))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_archives_and_removes_through_the_workers() {
    let fleet = fleet().await;
    let _workers = [fleet.worker(), fleet.worker()];
    fleet.run(&["sync"]).await.expect(0, &[]);
    let products = delete(&fleet, 0..3);
    fleet.run(&["sync"]).await.expect(0, &[]);
    assert!(!are_archived(&fleet, &products[..1]) || !are_archived(&fleet, &products[1..]));
    let ran = fleet.run(&["sync", "--sweep", "--json"]).await;
    assert_eq!(ran.code(), 0, "{ran:?}");
    for report in ran.json()["pipelines"].as_array().unwrap() {
        let gone = (&report["sweep"]["gone"], &report["outcomes"]["gone"]);
        assert_eq!(gone.0, &json!(3), "{report}");
    }
    assert!(are_archived(&fleet, &products));
    assert_eq!(fleet.catalogue.faults_of_file(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_sweeps_by_itself_while_workers_die_over_it() {
    let fleet = fleet().await;
    let _producer = fleet.producer();
    let worker = fleet.worker();
    fleet.in_step().await;
    worker.kill().await;
    let products = delete(&fleet, 0..3);
    let doomed = ["claimed", "upserted", "recorded"].map(|point| fleet.doomed("worker", point, 1));
    fleet.run(&["schedule", "set", "--sweep-every", "2s"]).await.expect(0, &["sweep: 2s"]);
    let _worker = fleet.worker();
    fleet
        .until("all are archived and removed", || async {
            are_archived(&fleet, &products) && fleet.catalogue.faults_of_file().is_empty()
        })
        .await;
    drop(doomed);
}
