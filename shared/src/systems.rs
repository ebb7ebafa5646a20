//! The remote systems of a configuration: connected once per process, whatever the number of pipelines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::config::{Config, ZohoAccount};
use crate::failure::{Failure, Reason};
use crate::odoo::OdooClient;
use crate::state::State;
use crate::telemetry::{CallMeter, Telemetry};
use crate::zoho::ZohoClient;

/// A rejected password is not sent again before: Odoo locks an address out after a few, Zoho blocks the account.
const REJECTED: Duration = Duration::from_mins(10);

/// What could not be reached is tried again after this at the soonest: one try for all pipelines that ask at once.
const AWAY: Duration = Duration::from_secs(1);

/// Connections by name. A failure is remembered for a while, too: whoever asks meanwhile is told of it.
#[derive(Debug)]
pub struct Systems {
    config: Arc<Config>,
    telemetry: Telemetry,
    /// Where limits are kept together with other processes.
    state: Option<State>,
    odoo: Mutex<BTreeMap<String, Known<OdooClient>>>,
    zoho: Mutex<BTreeMap<String, Known<ZohoClient>>>,
}

/// How connecting went.
#[derive(Debug)]
struct Known<C> {
    result: Result<C, Failure>,
    at: Instant,
}

impl<C: Clone> Known<C> {
    fn now(result: Result<C, Failure>) -> Self {
        Self { result, at: Instant::now() }
    }

    /// `None`: to be tried again.
    fn get(&self) -> Option<Result<C, Failure>> {
        let holds = match &self.result {
            Ok(_) => true,
            Err(failure) if failure.reason == Reason::Credentials => self.at.elapsed() < REJECTED,
            Err(_) => self.at.elapsed() < AWAY,
        };
        holds.then(|| self.result.clone())
    }
}

impl Systems {
    /// Nothing is connected yet. Calls are counted for nobody but this command, and it keeps Zoho's limits alone.
    pub fn new(config: Arc<Config>) -> Self {
        Self::metered(config, Telemetry::new("command"))
    }

    /// The same; calls, and the work of those who use these systems, are counted here.
    pub fn metered(config: Arc<Config>, telemetry: Telemetry) -> Self {
        Self { config, telemetry, state: None, odoo: Mutex::default(), zoho: Mutex::default() }
    }

    /// The same; limits are kept together with all whose systems have this state.
    #[must_use]
    pub fn governed_by(self, state: &State) -> Self {
        Self { state: Some(state.clone()), ..self }
    }

    /// Where the work on these systems is counted.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// What is connected, and how pipelines use it.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The client of `[odoo.name]`.
    ///
    /// # Errors
    /// Why it cannot be reached or signed in to.
    pub async fn odoo(&self, name: &str) -> Result<OdooClient, Failure> {
        let mut known = self.odoo.lock().await;
        if let Some(result) = known.get(name).and_then(Known::get) {
            return result;
        }
        let server = self.config.odoo.get(name).ok_or_else(|| missing("odoo", name))?;
        let result = match server.connection() {
            Ok(connection) => {
                OdooClient::connect_metered(connection, self.telemetry.calls("odoo", name)).await
            }
            Err(failure) => Err(failure),
        };
        known.insert(name.to_owned(), Known::now(result.clone()));
        result
    }

    /// The client of `[zoho.name]`.
    ///
    /// # Errors
    /// As [`Systems::odoo`].
    pub async fn zoho(&self, name: &str) -> Result<ZohoClient, Failure> {
        let mut known = self.zoho.lock().await;
        if let Some(result) = known.get(name).and_then(Known::get) {
            return result;
        }
        let account = self.config.zoho.get(name).ok_or_else(|| missing("zoho", name))?;
        let result = self.connect_zoho(account, self.telemetry.calls("zoho", name)).await;
        if let Ok(client) = &result {
            self.telemetry.watch_zoho(name, client);
        }
        known.insert(name.to_owned(), Known::now(result.clone()));
        result
    }

    async fn connect_zoho(&self, account: &ZohoAccount, meter: CallMeter) -> Result<ZohoClient, Failure> {
        let state = match &self.state {
            Some(state) => state.clone(),
            None => State::open_memory().await?,
        };
        ZohoClient::connect_governed(account.connection()?, &state, meter).await
    }
}

fn missing(system: &str, name: &str) -> Failure {
    Failure::systemic(Reason::Configuration, format!("there is no [{system}.{name}] in the configuration"))
        .advise("add that table, or correct the pipeline that names it")
}
