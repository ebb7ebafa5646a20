//! The remote systems of a configuration: connected once per process, whatever the number of pipelines.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::config::Config;
use crate::failure::{Failure, Reason};
use crate::odoo::OdooClient;
use crate::zoho::ZohoClient;

/// Connections by name. A failure is remembered too: a rejected password is never sent twice by one command, since
/// Odoo locks an address out after a few.
#[derive(Debug)]
pub struct Systems {
    config: Arc<Config>,
    odoo: Mutex<BTreeMap<String, Result<OdooClient, Failure>>>,
    zoho: Mutex<BTreeMap<String, Result<ZohoClient, Failure>>>,
}

impl Systems {
    /// Nothing is connected yet.
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, odoo: Mutex::default(), zoho: Mutex::default() }
    }

    /// What is connected, and how pipelines use it.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The client of `[odoo.name]`.
    ///
    /// # Errors
    /// Why it cannot be reached or signed in to, as of the first time that it was tried.
    pub async fn odoo(&self, name: &str) -> Result<OdooClient, Failure> {
        let mut known = self.odoo.lock().await;
        if let Some(result) = known.get(name) {
            return result.clone();
        }
        let server = self.config.odoo.get(name).ok_or_else(|| missing("odoo", name))?;
        let result = match server.connection() {
            Ok(connection) => OdooClient::connect(connection).await,
            Err(failure) => Err(failure),
        };
        known.insert(name.to_owned(), result.clone());
        result
    }

    /// The client of `[zoho.name]`.
    ///
    /// # Errors
    /// As [`Systems::odoo`].
    pub async fn zoho(&self, name: &str) -> Result<ZohoClient, Failure> {
        let mut known = self.zoho.lock().await;
        if let Some(result) = known.get(name) {
            return result.clone();
        }
        let account = self.config.zoho.get(name).ok_or_else(|| missing("zoho", name))?;
        let result = match account.connection() {
            Ok(connection) => ZohoClient::connect(connection).await,
            Err(failure) => Err(failure),
        };
        known.insert(name.to_owned(), result.clone());
        result
    }

    /// Lets what failed be tried again: for whoever has waited as long as a person would.
    pub async fn forget_failures(&self) {
        self.odoo.lock().await.retain(|_, result| result.is_ok());
        self.zoho.lock().await.retain(|_, result| result.is_ok());
    }
}

fn missing(system: &str, name: &str) -> Failure {
    Failure::systemic(Reason::Configuration, format!("there is no [{system}.{name}] in the configuration"))
}
