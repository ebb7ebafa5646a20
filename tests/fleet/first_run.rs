//! A fleet does what one machine does.

use std::time::Instant;

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
