//! Keeping a redirect out of our own network: the address of an image may come from whoever keeps a catalogue, and what
//! it answers would be shown in a shop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Attempt, Policy};

const REDIRECTS_MAX: usize = 5;

/// A host that is not allowed by name has a private address.
#[derive(Debug, thiserror::Error)]
#[error("{0} has a private address")]
pub(super) struct PrivateAddress(pub(super) String);

/// Follows a few redirects, to public addresses and to hosts of these names. Names are checked by [`Resolver`], addresses
/// in figures here, since they are never looked up.
pub(super) fn redirects(allowed: Vec<String>) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error("too many redirects");
        }
        let host = attempt.url().host_str().unwrap_or_default().to_owned();
        let figures = host.trim_start_matches('[').trim_end_matches(']');
        match figures.parse() {
            Ok(address) if !is_public(address) && !allowed.contains(&host) => {
                attempt.error(PrivateAddress(host))
            }
            _ => attempt.follow(),
        }
    })
}

/// Looks names up, and hides private addresses of all but a few.
#[derive(Debug)]
pub(super) struct Resolver {
    allowed: Vec<String>,
}

impl Resolver {
    pub(super) fn new(allowed: Vec<String>) -> Self {
        Self { allowed }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let is_allowed = self.allowed.contains(&host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> =
                found.filter(|address| is_allowed || is_public(address.ip())).collect();
            if kept.is_empty() {
                return Err(PrivateAddress(host).into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the open Internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let inside = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        // This network, shared by providers, protocol assignments, benchmarks, reserved and broadcast.
        || matches!(
            address.octets(),
            [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..]
        );
    !inside
}

/// Only the block that is given out for the Internet, without its parts that lead elsewhere: documentation, and the two
/// ways to write an IPv4 address into it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0 | 0xdb8, ..] | [0x2002, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_open_internet_are_public() {
        for public in ["93.184.216.34", "100.128.0.1", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn addresses_of_our_own_networks_are_private() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[tokio::test]
    async fn private_name_is_looked_up_only_where_it_is_allowed() {
        let resolve = |allowed: Vec<String>| Resolver::new(allowed).resolve("localhost".parse().unwrap());
        let error = resolve(Vec::new()).await.map(|_| ()).unwrap_err();
        assert!(error.downcast_ref::<PrivateAddress>().is_some(), "{error}");
        assert!(resolve(vec!["localhost".to_owned()]).await.is_ok());
    }
}
