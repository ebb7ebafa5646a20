//! What a broker does to one consumer alone. Each has a broker of its own, since these are settings of all of it.

use services::Broker;
use tokio::time::Instant;

use super::*;

/// Since RabbitMQ 3.8.15 a consumer that holds a delivery for too long (half an hour by default) loses its channel,
/// with 406.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_broker_closed_is_opened_again_on_the_same_connection() {
    let broker = Broker::start();
    broker.rabbitmqctl(&[
        "eval",
        "application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 200).",
    ]);
    let queue = rabbit::open_at(broker.url(), 10).await;
    publish(&queue, [0]).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    let held = next(&mut consumer).await;
    let began = Instant::now();
    let again = next(&mut consumer).await;
    println!("channel closed with 406: delivered again after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!((id(&again), again.redelivered), (0, true));
    assert!(!held.ack().await.unwrap(), "its channel is gone");
    assert!(again.ack().await.unwrap());
    until(&queue, 0, 0).await;
    let QueueHealth { reconnects, stale_acks, .. } = queue.health();
    assert_eq!((reconnects, stale_acks), (0, 1), "no other consumer of the process suffered for it");
}

/// Seen of RabbitMQ 4.3 (rabbitmq-server#17317): a queue that delivers nothing to a consumer with room for it. Here the
/// queue is told that there is no room.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_gets_nothing_while_jobs_are_ready_is_opened_again() {
    let broker = Broker::start();
    let queue = rabbit::open_at(broker.url(), 10).await;
    let mut consumer = queue.consume(&products(), KIND, 10);
    publish(&queue, [0]).await;
    assert!(next(&mut consumer).await.ack().await.unwrap());
    until(&queue, 0, 0).await;
    let said = broker.rabbitmqctl(&[
        "eval",
        "[begin {ok, Q} = rabbit_amqqueue:lookup(proplists:get_value(queue_name, C)), \
          {ok, _, _} = ra:process_command(amqqueue:get_pid(Q), rabbit_fifo:make_credit( \
            {proplists:get_value(consumer_tag, C), proplists:get_value(channel_pid, C)}, 0, 0, false)) \
         end || C <- rabbit_amqqueue:consumers_all(<<\"/\">>)].",
    ]);
    publish(&queue, [1]).await;
    until(&queue, 1, 0).await;
    let began = Instant::now();
    let delivery = next(&mut consumer).await;
    let took = began.elapsed();
    println!("starved: delivered after {:.1} s", took.as_secs_f64());
    assert_eq!(id(&delivery), 1);
    assert!(took > Duration::from_secs(5), "the queue did not starve it: {said}");
    assert!(delivery.ack().await.unwrap());
}
