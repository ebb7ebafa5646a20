//! A broker of one's own.

use std::net::TcpStream;
use std::time::Duration;

use services::{Broker, PASSWORD, USER};

const QUEUE: &str = r#"{ "queues": [{ "vhost": "/", "name": "kept", "durable": true, "auto_delete": false,
    "arguments": { "x-queue-type": "quorum" } }] }"#;

fn queues(broker: &Broker) -> Vec<String> {
    let listed = broker.rabbitmqctl(&["list_queues", "--no-table-headers", "name", "state"]);
    listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn it_has_our_user_and_keeps_a_durable_queue_over_a_stop_and_a_kill() {
    let (broker, definitions) = (Broker::start(), tempfile::NamedTempFile::new().unwrap());
    broker.rabbitmqctl(&["authenticate_user", USER, PASSWORD]);
    std::fs::write(definitions.path(), QUEUE).unwrap();
    broker.rabbitmqctl(&["import_definitions", definitions.path().to_str().unwrap()]);
    assert_eq!(queues(&broker), ["kept running"]);

    let address = broker.addr();
    for end in [Broker::stop, Broker::kill] {
        end(&broker);
        assert!(TcpStream::connect(address).is_err(), "it still listens");
        broker.start_again();
        assert_eq!(broker.addr(), address);
        assert_eq!(queues(&broker), ["kept running"]);
    }
    drop(broker);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
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
