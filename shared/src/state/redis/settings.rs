//! Where the state's Redis is and who we are there.

use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo};
use secrecy::SecretString;

use crate::failure::Failure;

/// Longest prefix, in bytes: it is part of every key.
const PREFIX_MAX: usize = 64;

/// The Redis that keeps the state of a fleet.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://host:port/database`, or `rediss://` for TLS, without credentials.
    pub url: String,
    /// `None`: the server's default user.
    pub user: Option<String>,
    /// `None`: the server asks for none.
    pub password: Option<SecretString>,
    /// Begins every key, so that deployments share a server: 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`.
    pub prefix: String,
    /// How long one request may take; a call is up to three of them, repeated while the server is away.
    pub timeout: Duration,
}

/// A checked address. Credentials are not in it.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) host: ConnectionAddr,
    pub(super) database: i64,
}

impl RedisSettings {
    pub(super) fn address(&self) -> Result<Address, Failure> {
        let wrong = |what: &str| {
            Failure::configuration(format!("the address of Redis {what}"))
                .advise("set it to redis://host:port/database, or rediss:// for TLS")
        };
        if !self.url.starts_with("redis://") && !self.url.starts_with("rediss://") {
            return Err(wrong("does not begin with redis:// or rediss://"));
        }
        // The error may repeat what somebody wrote into the address by mistake: a password.
        let info = self.url.as_str().into_connection_info().map_err(|_| wrong("cannot be read"))?;
        let redis = info.redis_settings();
        if redis.username().is_some() || redis.password().is_some() {
            return Err(wrong("holds credentials").advise(
                "take user and password out of it: they have settings of their own, which are not shown",
            ));
        }
        Ok(Address { host: info.addr().clone(), database: redis.db() })
    }

    pub(super) fn check_prefix(&self) -> Result<(), Failure> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let length = self.prefix.len();
        if (1..=PREFIX_MAX).contains(&length) && self.prefix.chars().all(allowed) {
            return Ok(());
        }
        Err(Failure::configuration(format!("'{}' is no prefix for the keys in Redis", self.prefix))
            .advise("use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Class, Reason};

    fn settings(url: &str) -> RedisSettings {
        RedisSettings {
            url: url.to_owned(),
            user: None,
            password: None,
            prefix: "shop".to_owned(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn an_address_names_host_port_database_and_tls() {
        let address = settings("redis://cache.example:6380/3").address().unwrap();
        assert_eq!((address.host.to_string().as_str(), address.database), ("cache.example:6380", 3));
        let address = settings("rediss://cache.example").address().unwrap();
        assert!(matches!(address.host, ConnectionAddr::TcpTls { insecure: false, .. }), "{address:?}");
        assert_eq!(address.host.to_string(), "cache.example:6379");
    }

    #[test]
    fn a_wrong_address_is_told_in_words_and_never_repeated() {
        for url in [
            "",
            "cache.example:6379",
            "http://cache.example",
            "unix:///run/redis.sock",
            "redis://user:s3cret@cache.example",
            "redis://:s3cret@cache.example:port",
            "redis://cache.example/s3cret",
        ] {
            let failure = settings(url).address().unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration), "{url}");
            assert!(!format!("{failure:#}").contains("s3cret"), "{failure:#}");
        }
    }

    #[test]
    fn prefixes_are_checked() {
        for (prefix, is_good) in
            [("shop", true), ("Shop-2.eu_1", true), ("", false), ("a:b", false), ("ü", false)]
        {
            let settings = RedisSettings { prefix: prefix.to_owned(), ..settings("redis://h") };
            assert_eq!(settings.check_prefix().is_ok(), is_good, "{prefix}");
        }
        let long = RedisSettings { prefix: "a".repeat(65), ..settings("redis://h") };
        assert!(long.check_prefix().is_err());
    }
}
