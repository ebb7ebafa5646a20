//! What a fleet says to what it cannot use.

use std::time::Instant;

use super::catalogue::Size;
use super::processes::Fleet;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_one_sentence_and_exit_3() {
    let fleet = Fleet::new(Size { items: 3, images: false, customers: 10, ..Size::small() }).await;
    for (variable, service) in
        [("CATALOG_SYNC_BROKER_PASSWORD", "RabbitMQ"), ("CATALOG_SYNC_REDIS_PASSWORD", "Redis")]
    {
        for role in ["producer", "worker"] {
            let began = Instant::now();
            let ran = fleet.run_with(&[role], &[(variable, "marker-wrong-password")]).await;
            assert_eq!(ran.code(), 3, "{ran:?}");
            let told: Vec<&str> =
                ran.stderr.lines().filter(|line| line.starts_with("catalog-sync: ")).collect();
            assert_eq!(told.len(), 1, "{ran:?}");
            assert!(told[0].contains(service) && !ran.stderr.contains("marker-wrong"), "{told:?}");
            assert!(began.elapsed().as_secs() < 30);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_not_there_are_one_sentence_and_exit_3_after_a_few_tries() {
    let fleet = Fleet::new(Size { items: 3, images: false, customers: 10, ..Size::small() }).await;
    let nobody: std::net::SocketAddr = "127.0.0.1:9".parse().unwrap();
    fleet.configure(nobody, services::redis().addr());
    fleet.run(&["worker"]).await.expect(3, &["RabbitMQ"]);
    fleet.configure(services::broker().addr(), nobody);
    fleet.run(&["producer"]).await.expect(3, &["Redis"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_for_one_machine_has_no_roles() {
    let fleet = Fleet::new(Size { items: 3, images: false, customers: 10, ..Size::small() }).await;
    let text = std::fs::read_to_string(fleet.path("catalog-sync.toml")).unwrap();
    let (_, rest) = text.split_once("[odoo.").unwrap();
    std::fs::write(fleet.path("catalog-sync.toml"), format!("[odoo.{rest}")).unwrap();
    fleet.run(&["worker"]).await.expect(2, &["no [fleet]"]);
    fleet.run(&["producer"]).await.expect(2, &["no [fleet]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_resume_stop_and_start_the_workers() {
    let fleet = Fleet::new(Size { images: false, ..Size::small() }).await;
    let _roles = [fleet.producer(), fleet.worker(), fleet.worker()];
    fleet.in_step().await;
    fleet.run(&["pause", "items", "--why", "stock-taking"]).await.expect(0, &["items: paused"]);
    fleet.run(&["status"]).await.expect(0, &["PAUSED", "stock-taking"]);
    fleet.catalogue.edit(4, "while it is paused");
    fleet
        .until("the customer, which is not paused", || async { fleet.catalogue.faults_of_file().is_empty() })
        .await;
    assert!(!fleet.catalogue.faults_of_items().await.is_empty());
    fleet.run(&["resume", "items"]).await.expect(0, &["items: goes on"]);
    fleet.in_step().await;
    fleet.run(&["resume", "items"]).await.expect(0, &["items: was not paused"]);
    fleet.run(&["pause", "itmes"]).await.expect(2, &["did you mean 'items'?"]);
}
