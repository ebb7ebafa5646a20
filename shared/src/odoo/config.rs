//! How to reach one Odoo database, and which way in fits its version and our secret.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Row;
use super::place::Place;
use super::version::ServerVersion;
use crate::failure::Failure;

/// What we prove ourselves with. They are not interchangeable: a session refuses an API key and JSON-2 refuses a
/// password (measured on Odoo 17 to 19).
#[derive(Debug, Clone)]
pub enum OdooSecret {
    /// The password that the user types at the login page.
    Password(SecretString),
    /// A key made under the user's preferences, "Account Security".
    ApiKey(SecretString),
}

impl OdooSecret {
    pub(super) fn text(&self) -> &SecretString {
        match self {
            Self::Password(secret) | Self::ApiKey(secret) => secret,
        }
    }
}

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// The fastest that fits: JSON-2 for an API key on Odoo 19, a session for a password, else `execute_kw`.
    #[default]
    Auto,
    /// A login session, then `/web/dataset/call_kw`. Needs a password.
    Session,
    /// `/jsonrpc`, `object.execute_kw`. Takes a password or an API key, and Odoo hashes it again after every change of
    /// products (half a second of its time).
    ExecuteKw,
    /// `/json/2`, from Odoo 19 on. Needs an API key.
    Json2,
}

/// One Odoo database and how to talk to it.
#[derive(Clone)]
pub struct OdooConfig {
    /// `http` or `https` address of the server, with a path prefix where Odoo lives under one, without `/web`.
    pub url: String,
    /// Name of the database.
    pub database: String,
    /// Login of the user; not needed for JSON-2, where the key says whose it is.
    pub user: Option<String>,
    /// Password or API key.
    pub secret: OdooSecret,
    /// The way in.
    pub transport: Transport,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for one whole call, answer included.
    pub timeout: Duration,
    /// Largest answer that is read, in bytes.
    pub max_answer_bytes: u64,
    /// Odoo context of every call, such as `lang`, `allowed_company_ids` or `tracking_disable`.
    pub context: Row,
}

impl OdooConfig {
    /// Usual limits and no context: 10 s to connect, 180 s per call (Odoo itself gives up after 120 s by default),
    /// answers up to 256 MiB.
    pub fn new(url: impl Into<String>, database: impl Into<String>, secret: OdooSecret) -> Self {
        Self {
            url: url.into(),
            database: database.into(),
            user: None,
            secret,
            transport: Transport::Auto,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(3),
            max_answer_bytes: 256 << 20,
            context: Row::new(),
        }
    }

    /// The same for this login.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The way in to a server of this version.
    ///
    /// # Errors
    /// A configuration failure that says what to set when the transport does not fit the secret, the user or the version.
    pub(crate) fn transport_for(&self, version: &ServerVersion) -> Result<Transport, Failure> {
        let is_key = matches!(self.secret, OdooSecret::ApiKey(_));
        let transport = match self.transport {
            Transport::Auto if is_key && version.has_json2() => Transport::Json2,
            Transport::Auto if is_key => Transport::ExecuteKw,
            Transport::Auto => Transport::Session,
            forced => forced,
        };
        match transport {
            Transport::Json2 if !is_key => {
                Err(Failure::configuration("transport json2 needs an API key, and a password is set")
                    .advise("set the API key instead of the password, or transport = \"auto\""))
            }
            Transport::Json2 if !version.has_json2() => Err(Failure::configuration(format!(
                "transport json2 needs Odoo 19 or newer, and this server is {version}"
            ))
            .advise("set transport = \"auto\"")),
            Transport::Session if is_key => Err(Failure::configuration(
                "transport session needs a password: Odoo refuses an API key there",
            )
            .advise("set the password instead of the API key, or transport = \"auto\"")),
            Transport::Session | Transport::ExecuteKw if self.user.is_none() => Err(Failure::configuration(
                format!("Odoo {version} needs the login of the user, and none is set"),
            )
            .advise("set `user` to the login that the password or API key belongs to")),
            fits => Ok(fits),
        }
    }
}

impl fmt::Debug for OdooConfig {
    /// Without the secret, and without a password that was written into the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OdooConfig")
            .field("place", &Place::new(&self.url, &self.database, self.user.as_deref()))
            .field("transport", &self.transport)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_answer_bytes", &self.max_answer_bytes)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    fn config(secret: OdooSecret, transport: Transport) -> OdooConfig {
        OdooConfig { transport, ..OdooConfig::new("https://erp.example", "shop", secret).with_user("admin") }
    }

    fn password() -> OdooSecret {
        OdooSecret::Password("secret".into())
    }

    fn key() -> OdooSecret {
        OdooSecret::ApiKey("secret".into())
    }

    fn version(major: u32) -> ServerVersion {
        ServerVersion { major, text: format!("{major}.0") }
    }

    #[test]
    fn auto_takes_the_fastest_way_that_fits() {
        let chosen = |secret: OdooSecret, major| {
            config(secret, Transport::Auto).transport_for(&version(major)).unwrap()
        };
        assert_eq!(chosen(key(), 19), Transport::Json2);
        assert_eq!(chosen(key(), 20), Transport::Json2);
        assert_eq!(chosen(key(), 18), Transport::ExecuteKw);
        assert_eq!(chosen(password(), 17), Transport::Session);
        assert_eq!(chosen(password(), 19), Transport::Session);
    }

    #[test]
    fn transport_that_cannot_work_says_what_to_set() {
        for (secret, transport, major, advice) in [
            (password(), Transport::Json2, 19, "set the API key instead"),
            (key(), Transport::Json2, 18, "transport = \"auto\""),
            (key(), Transport::Session, 17, "set the password instead"),
        ] {
            let failure = config(secret, transport).transport_for(&version(major)).unwrap_err();
            assert_eq!(failure.reason, Reason::Configuration);
            assert!(failure.to_string().contains(advice), "{failure}");
        }
        let without_user = OdooConfig::new("https://erp.example", "shop", key());
        let failure = without_user.transport_for(&version(18)).unwrap_err();
        assert!(failure.to_string().contains("set `user`"), "{failure}");
        assert_eq!(without_user.transport_for(&version(19)).unwrap(), Transport::Json2);
    }

    #[test]
    fn debug_form_shows_no_secret() {
        let mut config = config(password(), Transport::Auto);
        config.url = "https://me:secret@erp.example".to_owned();
        let shown = format!("{config:?}");
        assert!(shown.contains("erp.example") && !shown.contains("secret"), "{shown}");
    }
}
