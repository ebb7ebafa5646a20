//! What a stand-in Zoho is asked to be.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Size, limits and behaviour of a stand-in Zoho organisation.
#[derive(Debug, Clone)]
pub struct ZohoSettings {
    /// Seeded items, computed on demand: a large catalogue costs memory for its order alone.
    pub items: usize,
    /// Seeded contacts, customers and vendors together.
    pub contacts: usize,
    /// Whether seeded items have images; about one in seven has none even then.
    pub with_images: bool,
    /// Size in bytes of a seeded image; an image is never smaller than its pixels need, about 2 kB.
    pub image_bytes: usize,
    /// Where it listens; 127.0.0.1 unless it is asked to be seen from elsewhere.
    pub host: Ipv4Addr,
    /// Port; 0 takes any free one.
    pub port: u16,
    /// Waited before each API call is answered; calls still overlap and count as in process meanwhile.
    pub call_delay: Duration,
    /// IANA name of the organisation's time zone; times are printed in it and the day ends with it.
    pub time_zone: String,
    /// API calls in any 60 seconds before the organisation is blocked for an hour.
    pub per_minute: u32,
    /// API calls in process at once.
    pub concurrent: u32,
    /// API calls from midnight to midnight in the organisation's time zone.
    pub per_day: u32,
}

impl Default for ZohoSettings {
    fn default() -> Self {
        Self {
            items: 2075,
            contacts: 805,
            with_images: true,
            image_bytes: 60_000,
            host: Ipv4Addr::LOCALHOST,
            port: 0,
            call_delay: Duration::ZERO,
            time_zone: "America/New_York".to_owned(),
            per_minute: 100,
            concurrent: 10,
            per_day: 10_000,
        }
    }
}
