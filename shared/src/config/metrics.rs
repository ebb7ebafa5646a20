//! `[metrics]`: where a process tells its metrics, and whether it lives and is ready.

use std::net::SocketAddr;
use std::path::Path;

use super::file;
use super::listen::Listen;
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
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let listen =
            Listen::check("metrics.listen", LISTEN, keys.listen.as_deref(), 9464, path, environment)?;
        Ok(match listen {
            Listen::Unsaid | Listen::Nowhere => Self { listen: None },
            Listen::At(address) => Self { listen: Some(address) },
        })
    }
}
