//! A fleet does what one machine does.

use std::time::Instant;

use sandbox::{Edit, WriteDate};

use super::catalogue::Size;
use super::processes::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_and_three_workers_bring_everything_once_and_then_nothing() {
    let fleet = Fleet::new(Size::small()).await;
    let began = Instant::now();
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    println!("in step after {:.1} s", began.elapsed().as_secs_f64());
    fleet.settled().await;
    let shop = &fleet.catalogue.shop;
    shop.control().reset_counts();
    shop.store().reset_counts();
    let before = fleet.status("items").await["last_run"]["id"].as_u64().unwrap();
    fleet
        .until("two more runs", || async {
            fleet.status("items").await["last_run"]["id"].as_u64().unwrap() > before + 2
        })
        .await;
    let counts = shop.control().counts();
    assert_eq!((counts.rows_created, counts.rows_written, counts.image_writes), (0, 0, 0), "{counts:?}");
    assert_eq!(shop.store().counts().image, 0);
    let flow = fleet.flow("changed").await;
    println!("a change is in both sinks after {:.1} s", flow.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_enqueues_and_follows_its_run_to_the_end() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _workers = [fleet.worker(), fleet.worker()];
    let ran = fleet.run(&["sync"]).await;
    ran.expect(0, &["Items synced: 60.", "Customers synced: 306."]);
    assert_eq!(fleet.catalogue.faults().await, Vec::<String>::new());
    fleet.run(&["sync"]).await.expect(0, &["Items synced: 0.", "Customers synced: 0."]);
    fleet.catalogue.edit(3, "once more");
    fleet.run(&["sync"]).await.expect(0, &["Items synced: 1.", "Customers synced: 1."]);
    assert_eq!(fleet.catalogue.faults().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_and_a_plan_are_worked_on_by_the_workers() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _workers = [fleet.worker(), fleet.worker()];
    fleet.run(&["sync"]).await.expect(0, &["Items synced: 60."]);
    fleet.run(&["verify"]).await.expect(0, &["items: in step", "customers: in step"]);
    let odoo = fleet.catalogue.shop.control();
    let (_, id) = odoo.external_ids("product.product").into_iter().next().unwrap();
    let values = serde_json::json!({ "list_price": 4321.5 }).as_object().unwrap().clone();
    let update =
        Edit::Update { model: "product.product".to_owned(), id, values, write_date: WriteDate::Transaction };
    odoo.edit(vec![update]).unwrap();
    fleet.run(&["verify", "items"]).await.expect(1, &["1 different", "list_price 4321.5 ->"]);
    odoo.reset_counts();
    fleet.run(&["verify", "items", "--repair"]).await.expect(0, &["1 records that verify found"]);
    assert_eq!((odoo.counts().rows_written, odoo.counts().rows_created), (1, 0));
    fleet.run(&["verify", "items"]).await.expect(0, &["items: in step"]);

    fleet.catalogue.edit_item(3, "planned");
    fleet.run(&["plan", "items", "--out", "plan.json"]).await.expect(0, &["1 to update"]);
    fleet.run(&["sync", "--plan", "plan.json"]).await.expect(0, &["Items synced: 1."]);
    fleet.run(&["plan", "items"]).await.expect(0, &["Nothing to do"]);
    assert_eq!(fleet.catalogue.faults_of_items().await, Vec::<String>::new());
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_role_has_one_heap_unless_the_user_says_otherwise() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    for (said, heaps) in
        [(None, "MALLOC_ARENA_MAX=1"), (Some(("MALLOC_ARENA_MAX", "3")), "MALLOC_ARENA_MAX=3")]
    {
        let role = fleet.start(&["worker", "-v"], said.as_slice());
        let environment = format!("/proc/{}/environ", role.id());
        fleet
            .until(heaps, || async {
                let variables = std::fs::read(&environment).unwrap();
                variables.split(|byte| *byte == 0).any(|variable| variable == heaps.as_bytes())
            })
            .await;
        role.kill().await;
    }
}
