//! Files that are gone, edited, broken or somebody else's; a state that is gone.

use sandbox::OdooVersion;
use serde_json::json;

use crate::place::Place;
use crate::truth::{assert_files_hold_the_source, records, sandbox_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_data_file_makes_its_next_run_full() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    std::fs::remove_file(place.products()).unwrap();
    let next = place.sync().await;
    assert!(next.is_full("products") && !next.is_full("customers"));
    assert_eq!(next.count("products", "created"), next.count("products", "seen"));
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_last_sync_file_makes_the_next_run_full_and_writes_nothing_that_is_there() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    std::fs::remove_file(place.path("out/last_sync.json")).unwrap();
    let next = place.sync().await;
    for pipeline in ["customers", "products"] {
        assert!(next.is_full(pipeline));
        assert_eq!(
            next.count(pipeline, "unchanged"),
            next.count(pipeline, "seen"),
            "compared with the real file"
        );
    }
    assert!(!place.sync().await.is_full("customers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_state_costs_time_and_nothing_else() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    let before = std::fs::read(place.customers()).unwrap();
    for name in ["catalog-sync.db", "catalog-sync.db-wal", "catalog-sync.db-shm", "catalog-sync.db.lock"] {
        drop(std::fs::remove_file(place.path(name)));
    }
    let next = place.sync().await;
    assert!(next.is_full("customers"));
    assert_eq!(next.count("customers", "unchanged"), next.count("customers", "seen"));
    assert_eq!(std::fs::read(place.customers()).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_by_hand_is_repaired_by_the_next_run_by_itself() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    let mut edited = records(&place.customers());
    edited[3]["name"] = json!("edited by hand");
    edited.remove(7);
    std::fs::write(place.customers(), serde_json::to_string_pretty(&edited).unwrap()).unwrap();
    let next = place.sync().await;
    assert!(next.is_full("customers"));
    assert_eq!((next.count("customers", "updated"), next.count("customers", "created")), (1, 1));
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_set_aside_and_never_overwritten() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    let broken = "[\n{\"id\": 1, \"name\": \"cut in the mid";
    std::fs::write(place.customers(), broken).unwrap();
    place.run(&["sync"]).await.expect(0, &["odoo_customers.json is broken", "line 2", "it was moved to"]);
    let aside = std::fs::read_dir(place.path("out")).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains(".broken-")).collect();
    assert_eq!(std::fs::read_to_string(&aside[0]).unwrap(), broken);
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_the_script_that_we_replace_are_taken_over() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    std::fs::create_dir(place.path("out")).unwrap();
    let ids = sandbox.control().ids("res.partner").unwrap();
    let old = json!([
        { "id": 900_001, "name": "no longer in Odoo" },
        { "id": ids[9], "name": "an old name" },
    ]);
    std::fs::write(place.customers(), serde_json::to_string_pretty(&old).unwrap()).unwrap();
    std::fs::write(place.products(), json!({ "exported": "2025-10-11", "products": [] }).to_string())
        .unwrap();
    std::fs::write(place.path("out/last_sync.json"), "\"2025-10-11 09:12:05\"").unwrap();
    let first = place.sync().await;
    assert_eq!(first.count("customers", "updated"), 1);
    assert_eq!(first.count("customers", "created") + 1, ids.len() as u64);
    let kept = records(&place.customers());
    assert_eq!(kept.last().unwrap()["name"], "no longer in Odoo");
    assert_eq!(kept.len(), ids.len() + 1);
    let last_sync: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(place.path("out/last_sync.json")).unwrap()).unwrap();
    assert_eq!(last_sync["customers"].as_str().unwrap().len(), "2025-10-11 09:12:05".len());
    assert!(last_sync["last_sync"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn full_compares_with_what_the_file_really_holds() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    place.run(&["sync", "--full"]).await.expect(0, &["asked for with --full", "Customers synced: 0."]);
}
