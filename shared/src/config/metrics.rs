//! `[metrics]`: where a process tells its metrics, and whether it lives and is ready.

use std::net::SocketAddr;

use super::file;
use crate::failure::Failure;

/// Takes the place of `listen`: one file is shared by processes that need an address each.
pub(super) const LISTEN: &str = "CATALOG_SYNC_METRICS_LISTEN";

/// What is told, and where.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metrics {
    /// `/metrics`, `/livez` and `/readyz` are served here; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

impl Metrics {
    pub(super) fn check(
        keys: &file::Metrics,
        wrong: &dyn Fn(String) -> Failure,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let (listen, failure): (_, &dyn Fn(String) -> Failure) = match environment(LISTEN) {
            Some(listen) => (Some(listen), &|what| Failure::configuration(what)),
            None => (keys.listen.clone(), wrong),
        };
        let Some(listen) = listen.filter(|listen| !listen.is_empty()) else { return Ok(Self::default()) };
        match listen.parse() {
            Ok(address) => Ok(Self { listen: Some(address) }),
            Err(_) => Err(failure(format!("metrics.listen (or {LISTEN}) is '{listen}'"))
                .advise("write an address and a port, such as \"127.0.0.1:9464\"; empty switches it off")),
        }
    }
}
