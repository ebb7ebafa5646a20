//! `[page]`: where the operator's page is served, and with which token one signs in.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::listen::Listen;
use super::{file, secret};
use crate::failure::Failure;

/// Takes the place of `listen`: one file is shared by processes that need an address each.
pub(super) const LISTEN: &str = "CATALOG_SYNC_PAGE_LISTEN";

/// The variable of the token that one signs in with; also read with `_FILE` behind it.
pub(super) const TOKEN: &str = "CATALOG_SYNC_PAGE_TOKEN";

/// Where it is served where nothing else is said: for this machine alone.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Nobody guesses so many.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// Where the page is, and who may see it.
#[derive(Debug, Clone)]
pub struct Page {
    /// It is served here; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Nobody asked for this address: where it is taken, the service works without its page.
    pub is_usual: bool,
    /// Who has it may see and change everything; `None`: everybody on this machine may.
    pub token: Option<SecretString>,
}

impl Page {
    /// Where it may be served.
    ///
    /// # Errors
    /// Others than this machine could see it, and there is no token.
    pub fn address(&self) -> Result<Option<SocketAddr>, Failure> {
        match self.listen {
            Some(listen) if self.token.is_none() && !listen.ip().is_loopback() => {
                Err(Failure::configuration(format!(
                    "the page is not served at {listen} without a token: everybody who reaches it could change everything"
                ))
                .advise(format!(
                    "set {TOKEN} (or {TOKEN}_FILE, naming a file that holds it), or listen at 127.0.0.1"
                )))
            }
            listen => Ok(listen),
        }
    }

    pub(super) fn check(
        keys: &file::Page,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let token = secret::read(TOKEN, environment)?;
        if token.as_ref().is_some_and(|token| token.expose_secret().chars().count() < TOKEN_CHARACTERS_MIN) {
            return Err(Failure::configuration(format!(
                "{TOKEN} has less than {TOKEN_CHARACTERS_MIN} characters"
            ))
            .advise("make one with `openssl rand -hex 16`"));
        }
        let listen = Listen::check("page.listen", LISTEN, keys.listen.as_deref(), 8080, path, environment)?;
        Ok(match listen {
            Listen::Unsaid => Self { listen: Some(USUAL), is_usual: true, token },
            Listen::Nowhere => Self { listen: None, is_usual: false, token },
            Listen::At(address) => Self { listen: Some(address), is_usual: false, token },
        })
    }
}
