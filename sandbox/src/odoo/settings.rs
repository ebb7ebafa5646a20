//! What a stand-in Odoo is asked to be.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::odoo::cost::OdooCost;

/// The Odoo release whose behaviour is imitated. They differ in date comparison, wording, fields and transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OdooVersion {
    /// Odoo 17: JSON-RPC and sessions.
    V17,
    /// Odoo 18: JSON-RPC and sessions.
    V18,
    /// Odoo 19: JSON-RPC, sessions and JSON-2.
    V19,
}

impl OdooVersion {
    /// `res.partner` rows that every database has before anybody adds one: the company and the built-in users.
    pub fn built_in_customers(self) -> usize {
        match self {
            Self::V17 => 7,
            Self::V18 | Self::V19 => 6,
        }
    }

    /// The major release number: 17, 18 or 19.
    pub fn major(self) -> u8 {
        match self {
            Self::V17 => 17,
            Self::V18 => 18,
            Self::V19 => 19,
        }
    }

    /// The `server_version` text of the servers whose behaviour was measured.
    pub(crate) fn server_version(self) -> &'static str {
        match self {
            Self::V17 => "17.0-20240709",
            Self::V18 => "18.0+e-20250520",
            Self::V19 => "19.0+e-20251227",
        }
    }
}

/// Size and behaviour of a stand-in Odoo.
#[derive(Debug, Clone)]
pub struct OdooSettings {
    /// The imitated release.
    pub version: OdooVersion,
    /// Seeded `res.partner` rows, beside the handful every database has; about 2 % of them are archived.
    pub customers: usize,
    /// Seeded `product.template` rows with one variant each; about 2 % of them are archived.
    pub products: usize,
    /// Where it listens; 127.0.0.1 unless it is asked to be seen from elsewhere.
    pub host: Ipv4Addr,
    /// Port; 0 takes any free one.
    pub port: u16,
    /// Connections are kept, as by a proxy in front; Odoo itself closes each after its answer.
    pub behind_proxy: bool,
    /// Smaller copies are made of each picture, as Odoo does. Whoever measures a client measures mostly that, where both share
    /// cores; without, only what was written is kept.
    pub smaller_images: bool,
    /// Waited before each model call, to imitate a server that needs time; calls still overlap.
    pub call_delay: Duration,
    /// What calls take on a real server; nothing but the stand-in's own time where it is not said.
    pub cost: Option<OdooCost>,
}

impl Default for OdooSettings {
    fn default() -> Self {
        Self {
            version: OdooVersion::V17,
            customers: 805,
            products: 2075,
            host: Ipv4Addr::LOCALHOST,
            port: 0,
            behind_proxy: false,
            smaller_images: true,
            call_delay: Duration::ZERO,
            cost: None,
        }
    }
}
