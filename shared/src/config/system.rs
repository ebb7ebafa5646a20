//! Remote systems and how to sign in to them.

use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;
use crate::odoo::{OdooConfig, OdooSecret, Transport};
use crate::record::Values;
use crate::zoho::{DataCenter, Place, ZohoConfig, ZohoSecret};

use super::check::in_file;
use super::file::{self, Span};
use super::secret;

/// Who leaves more than this of an organisation's day to others, in percent, has nearly nothing to work with.
const RESERVE_MAX: u8 = 90;

/// An Odoo server and how to sign in.
#[derive(Debug, Clone)]
pub struct OdooServer {
    /// Name of its table.
    pub name: String,
    /// Base address.
    pub url: String,
    /// Database name.
    pub database: String,
    /// Login; not needed with an API key over JSON-2.
    pub user: Option<String>,
    /// Password or API key, where one is set.
    pub secret: Option<OdooSecret>,
    /// Which API is used.
    pub transport: Transport,
    /// Bound of one call.
    pub timeout: Option<Duration>,
    /// Odoo's own bound of one call (its setting `limit_time_real`): until then it may carry out a call whose answer
    /// was lost.
    pub limit_time_real: Duration,
    /// Sent with each call (`lang`, `allowed_company_ids`, ...).
    pub context: Values,
}

impl OdooServer {
    /// Checks the table of this name.
    pub(super) fn check(
        name: &str,
        server: &file::Odoo,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        if !server.url.starts_with("http://") && !server.url.starts_with("https://") {
            return Err(in_file(path, format!("odoo.{name}.url is '{}'", server.url))
                .advise("start it with https:// (or http:// on a trusted network)"));
        }
        Ok(Self {
            name: name.to_owned(),
            url: server.url.clone(),
            database: server.database.clone(),
            user: server.user.clone(),
            secret: secret::odoo(name, environment)?,
            transport: server.transport.unwrap_or_default(),
            timeout: server.timeout.map(|Span(span)| span),
            limit_time_real: server.limit_time_real.map_or(Duration::from_mins(2), |Span(span)| span),
            context: file::values(&server.context),
        })
    }

    /// What the client needs.
    ///
    /// # Errors
    /// `Reason::Configuration` where no secret is set, naming the variables.
    pub fn connection(&self) -> Result<OdooConfig, Failure> {
        let secret = self.secret.clone().ok_or_else(|| {
            Failure::configuration(format!("no password or API key is set for [odoo.{}]", self.name))
                .advise(format!("set {} in the environment", secret::variables(&self.name)))
        })?;
        let mut config = OdooConfig::new(&self.url, &self.database, secret);
        config.user.clone_from(&self.user);
        config.transport = self.transport;
        config.timeout = self.timeout.unwrap_or(config.timeout);
        config.context.clone_from(&self.context);
        Ok(config)
    }
}

/// A Zoho organisation and how to sign in.
#[derive(Debug, Clone)]
pub struct ZohoAccount {
    /// Name of its table.
    pub name: String,
    /// Where the account lives.
    pub data_center: DataCenter,
    /// Id of the organisation.
    pub organization_id: String,
    /// Client id, client secret and refresh token, where all are set.
    pub secret: Option<ZohoSecret>,
    /// Instead of the data centre's address for tokens.
    pub accounts_url: Option<String>,
    /// Instead of the data centre's API address.
    pub api_url: Option<String>,
    /// Calls of all processes in any minute.
    pub calls_per_minute: Option<usize>,
    /// Calls of all processes at the same time.
    pub concurrent_calls: Option<usize>,
    /// Part of a day's calls that is left to others.
    pub reserve_percent: Option<u8>,
    /// Hosts that an image may be redirected to.
    pub redirect_hosts: Vec<String>,
    /// Those of them that may be plain http or have a private address.
    pub private_hosts: Vec<String>,
}

impl ZohoAccount {
    /// Checks the table of this name.
    pub(super) fn check(
        name: &str,
        account: &file::Zoho,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        if account.reserve_percent.is_some_and(|percent| percent > RESERVE_MAX) {
            return Err(in_file(path, format!("zoho.{name}.reserve_percent is more than {RESERVE_MAX}"))
                .advise("leave it out: 5 is usual"));
        }
        Ok(Self {
            name: name.to_owned(),
            data_center: account.data_center,
            organization_id: account.organization_id.clone(),
            secret: secret::zoho(name, &account.client_id, environment)?,
            accounts_url: account.accounts_url.clone(),
            api_url: account.api_url.clone(),
            calls_per_minute: account.calls_per_minute,
            concurrent_calls: account.concurrent_calls,
            reserve_percent: account.reserve_percent,
            redirect_hosts: account.redirect_hosts.clone(),
            private_hosts: account.private_hosts.clone(),
        })
    }

    /// Where the organisation is; nobody has to sign in to know that.
    ///
    /// # Errors
    /// An address that is none.
    pub fn place(&self) -> Result<Place, Failure> {
        let nothing = String::new;
        let nobody = ZohoSecret {
            client_id: nothing(),
            client_secret: nothing().into(),
            refresh_token: nothing().into(),
        };
        Place::new(&self.with(nobody))
    }

    /// Calls of all processes in a minute.
    pub fn calls_per_minute(&self) -> usize {
        self.calls_per_minute.unwrap_or(ZohoConfig::CALLS_PER_MINUTE)
    }

    /// Part of a day's calls, in percent, that is left to others.
    pub fn reserve_percent(&self) -> u8 {
        self.reserve_percent.unwrap_or(ZohoConfig::RESERVE_PERCENT)
    }

    /// What the client needs.
    ///
    /// # Errors
    /// `Reason::Configuration` where a secret is missing, naming the variables.
    pub fn connection(&self) -> Result<ZohoConfig, Failure> {
        let secret = self.secret.clone().ok_or_else(|| {
            Failure::configuration(format!("the secrets of [zoho.{}] are not all set", self.name))
                .advise(format!("set {} in the environment", secret::zoho_variables(&self.name)))
        })?;
        Ok(self.with(secret))
    }

    fn with(&self, secret: ZohoSecret) -> ZohoConfig {
        let mut config = ZohoConfig::new(self.data_center, &self.organization_id, secret);
        config.accounts_url.clone_from(&self.accounts_url);
        config.api_url.clone_from(&self.api_url);
        config.calls_per_minute = self.calls_per_minute();
        config.concurrent_calls = self.concurrent_calls.unwrap_or(config.concurrent_calls);
        config.reserve_percent = self.reserve_percent();
        config.redirect_hosts.clone_from(&self.redirect_hosts);
        config.private_hosts.clone_from(&self.private_hosts);
        config
    }
}
