//! Where a redirect may lead: back to the host that was asked, or on to a host that the configuration names. Never to a
//! private address unless it is named, too, and never does a token go along to another host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::place::host;
use crate::failure::{Failure, Reason};

/// Most redirects of one call.
pub(super) const MOST: usize = 3;

/// The hosts that were named.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    redirect: Vec<String>,
    private: Arc<[String]>,
}

impl Guard {
    pub(super) fn new(redirect: &[String], private: &[String]) -> Self {
        let lower = |hosts: &[String]| hosts.iter().map(|host| host.to_ascii_lowercase()).collect::<Vec<_>>();
        Self { redirect: lower(redirect), private: lower(private).into() }
    }

    /// Nothing but the host that was asked.
    pub(super) fn none() -> Self {
        Self::new(&[], &[])
    }

    /// The address that `location` means, seen from `here`, on behalf of a call to `origin`.
    ///
    /// # Errors
    /// A configuration failure for a host that is not named, or a private one that is not allowed.
    pub(super) fn next(&self, origin: &Url, here: &Url, location: &str) -> Result<Url, Failure> {
        let from = host(origin);
        let target = here.join(location).map_err(|error| {
            Failure::permanent(Reason::Protocol, format!("{from} redirects to what is no address"))
                .advise("check that no proxy changes its answers")
                .because(error)
        })?;
        if is_same_origin(origin, &target) {
            return Ok(target);
        }
        let to = host(&target);
        let refuse = |why: &str| Failure::configuration(format!("{from} redirects to {to}, {why}"));
        if !matches!(target.scheme(), "http" | "https") || !self.redirect.contains(&to) {
            return Err(refuse("which is not among the hosts it may redirect to")
                .advise(format!("add \"{to}\" to `redirect_hosts` if that is right")));
        }
        let allowed = self.private.contains(&to);
        if target.scheme() == "http" && !allowed {
            return Err(refuse("without TLS")
                .advise(format!("add \"{to}\" to `private_hosts` if it may be asked without")));
        }
        let address = target.host_str().and_then(literal);
        if address.is_some_and(|address| !is_public(address)) && !allowed {
            return Err(refuse("which is a private address")
                .advise(format!("add \"{to}\" to `private_hosts` if that is right")));
        }
        Ok(target)
    }

    /// Looks names up and hides private addresses, so that a name which is allowed cannot lead inside.
    pub(super) fn resolver(&self) -> PublicOnly {
        PublicOnly { private: Arc::clone(&self.private) }
    }
}

/// Whether a token for the one may go to the other.
pub(super) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && host(one).eq_ignore_ascii_case(&host(other))
}

/// A resolver without private addresses.
#[derive(Debug)]
pub(super) struct PublicOnly {
    private: Arc<[String]>,
}

/// A name that leads to private addresses only.
#[derive(Debug, thiserror::Error)]
#[error("the host has a private address, and is not allowed one in `private_hosts`")]
pub(super) struct PrivateAddress;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_ascii_lowercase();
        let allowed = self.private.iter().any(|host| without_port(host) == name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            let public: Vec<SocketAddr> =
                found.into_iter().filter(|address| allowed || is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// An address written as the host.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address is one of the open internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    // What a translator (RFC 6052) makes of an IPv4 address.
    if (first, second) == (0x64, 0xff9b) && [third, fourth, fifth, sixth] == [0; 4] {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || [first, second, third, fourth, fifth, sixth] == [0; 6])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(redirect: &[&str], private: &[&str]) -> Guard {
        let owned = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
        Guard::new(&owned(redirect), &owned(private))
    }

    fn next(guard: &Guard, location: &str) -> Result<String, Failure> {
        let origin = Url::parse("https://www.zohoapis.eu/inventory/v1/items/1/image").unwrap();
        guard.next(&origin, &origin, location).map(String::from)
    }

    #[test]
    fn redirects_stay_where_they_began_or_go_where_they_may() {
        let guard = guard(&["Files.example", "cdn.example:8443"], &[]);
        for location in
            ["/x", "https://www.zohoapis.eu:443/x", "https://files.EXAMPLE/x", "https://cdn.example:8443/"]
        {
            assert!(next(&guard, location).is_ok(), "{location}");
        }
        for location in [
            "http://www.zohoapis.eu/x",
            "https://evil.example/",
            "https://files.example.evil.example/",
            "https://files.example:8443/",
            "https://cdn.example/",
            "http://files.example/",
            "file:///etc/passwd",
            "//evil.example/x",
            "https://www.zohoapis.eu@evil.example/",
        ] {
            let failure = next(&guard, location).unwrap_err();
            assert_eq!(failure.reason, Reason::Configuration, "{location}");
        }
    }

    #[test]
    fn private_addresses_need_a_permission_of_their_own() {
        let private = [
            "127.0.0.1",
            "10.0.0.8",
            "172.20.1.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[fe80::1]",
            "[fd00::1]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::a00:1]",
        ];
        for host in private {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            let name = url.host_str().unwrap();
            assert!(next(&guard(&[name], &[]), url.as_str()).is_err(), "{host}");
            assert!(next(&guard(&[name], &[name]), url.as_str()).is_ok(), "{host}");
        }
        let name = "8.8.8.8";
        assert!(next(&guard(&[name], &[]), "https://8.8.8.8/").is_ok());
        assert!(next(&guard(&["127.0.0.1"], &[]), "https://2130706433/").is_err());
    }

    #[tokio::test]
    async fn name_of_a_private_address_is_not_resolved() {
        let resolve = |guard: Guard| async move {
            guard.resolver().resolve("localhost".parse().unwrap()).await.map(Iterator::count)
        };
        let error = resolve(guard(&["localhost"], &[])).await.unwrap_err();
        assert!(error.is::<PrivateAddress>());
        assert!(resolve(guard(&[], &["localhost:4000"])).await.unwrap() > 0);
    }
}
