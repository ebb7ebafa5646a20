//! A broker of one's own.

use std::net::TcpStream;
use std::time::Duration;

use services::Broker;

const QUEUE: &str = r#"{ "queues": [{ "vhost": "/", "name": "kept", "durable": true, "auto_delete": false,
    "arguments": { "x-queue-type": "quorum" } }] }"#;

/// It keeps port and data. That it has our user is shown by all who connect to it.
fn a_durable_queue_outlives(end: impl FnOnce(&Broker)) {
    let (broker, definitions) = (Broker::start(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(definitions.path(), QUEUE).unwrap();
    broker.rabbitmqctl(&["import_definitions", definitions.path().to_str().unwrap()]);
    let address = broker.addr();
    end(&broker);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
    broker.start_again();
    assert_eq!(broker.addr(), address);
    let listed = broker.rabbitmqctl(&["list_queues", "--no-table-headers", "name", "state"]);
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["kept", "running"]);
    drop(broker);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn a_durable_queue_outlives_a_stop() {
    a_durable_queue_outlives(Broker::stop);
}

#[test]
fn a_durable_queue_outlives_a_kill() {
    a_durable_queue_outlives(Broker::kill);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_at_once_know_nothing_of_each_other_and_while_they_start_other_tasks_go_on() {
    let (say, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let ticking = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while say.send(()).is_ok() {
            ticks.tick().await;
        }
    });
    let one = std::thread::spawn(Broker::start);
    let other = Broker::start();
    assert!(heard.len() > 3, "{}", heard.len());
    heard.close();
    ticking.await.unwrap();

    let one = one.join().unwrap();
    one.rabbitmqctl(&["add_vhost", "of-one"]);
    assert!(one.rabbitmqctl(&["list_vhosts"]).contains("of-one"));
    assert!(!other.rabbitmqctl(&["list_vhosts"]).contains("of-one"));
    one.kill();
    assert!(other.rabbitmqctl(&["list_vhosts"]).contains('/'));
}
