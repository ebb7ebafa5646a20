//! Free ports.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that systems give to outgoing connections: an instance that is stopped finds its port free when it is
/// started again, and a client that tries meanwhile is not connected to itself.
const LOWEST: u16 = 12_000;
const HOW_MANY: u16 = 18_000;

/// A port of 127.0.0.1 on which nothing listens. No two calls in one process get the same, and two processes begin at
/// random places.
pub(crate) fn free() -> SocketAddr {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let anywhere = RandomState::new().hash_one(std::process::id()) % u64::from(HOW_MANY);
        AtomicU16::new(u16::try_from(anywhere).unwrap_or(0))
    });
    (0..HOW_MANY)
        .map(|_| LOWEST + next.fetch_add(1, Ordering::Relaxed) % HOW_MANY)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a machine that runs tests has a free port")
}
