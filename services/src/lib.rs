//! RabbitMQ and Redis for the tests: instances of their own on free ports of the loopback interface, with their own user, data
//! and cookie, so that nothing which runs on the machine is touched. They end with the process that started them, however
//! that ends. [`Proxy`] stands between a client and one of them and breaks connections.
//!
//! Starting, stopping and `rabbitmqctl` block their thread. In a test of several threads
//! (`#[tokio::test(flavor = "multi_thread")]`) other tasks go on meanwhile; in one of a single thread they stand still.
//! What cannot be started ends the test with a panic that shows the end of the service's own log.

mod broker;
mod place;
mod port;
mod proxy;
mod redis;
mod wait;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::SocketAddr;
use std::sync::OnceLock;

pub use crate::broker::Broker;
pub use crate::proxy::Proxy;
pub use crate::redis::RedisServer;

/// The user of every instance, who may do everything.
pub const USER: &str = "test";
/// The password of [`USER`].
pub const PASSWORD: &str = "test-password";

/// The variable with `host:port` of the broker that this run's tests share.
pub const BROKER_VARIABLE: &str = "CATALOG_SYNC_TEST_AMQP";
/// The variable with `host:port` of the Redis that this run's tests share.
pub const REDIS_VARIABLE: &str = "CATALOG_SYNC_TEST_REDIS";

/// The broker that all tests of a run share, each with a [`prefix`] of its own: the one that [`BROKER_VARIABLE`] names, else
/// one that is started now and ends with this process. It cannot be stopped.
pub fn broker() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    static OWN: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(|| {
        Broker::at(named(BROKER_VARIABLE).unwrap_or_else(|| OWN.get_or_init(Broker::start).addr()))
    })
}

/// The Redis that all tests of a run share, each with a [`prefix`] of its own: the one that [`REDIS_VARIABLE`] names, else one
/// that is started now and ends with this process. It cannot be stopped.
pub fn redis() -> &'static RedisServer {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    static OWN: OnceLock<RedisServer> = OnceLock::new();
    SHARED.get_or_init(|| {
        RedisServer::at(named(REDIS_VARIABLE).unwrap_or_else(|| OWN.get_or_init(RedisServer::start).addr()))
    })
}

/// A name that no other test has: `t` and 16 hexadecimal digits.
pub fn prefix() -> String {
    // Each of these states has keys of its own, drawn from the system's randomness.
    format!("t{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn named(variable: &str) -> Option<SocketAddr> {
    let address = std::env::var(variable).ok()?;
    Some(
        address
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is {address:?}, not an address like 127.0.0.1:5672")),
    )
}
