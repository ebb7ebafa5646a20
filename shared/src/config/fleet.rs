//! `[fleet]`: where the broker and the state of many processes are. Without it everything is on one machine.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::check::in_file;
use super::file::{self, Span};
use super::secret;
use crate::failure::Failure;
use crate::queue::{Lane, RabbitSettings};
use crate::state::RedisSettings;

/// The variable of the broker's password; also read with `_FILE` behind it.
pub(super) const BROKER_PASSWORD: &str = "CATALOG_SYNC_BROKER_PASSWORD";

/// The variable of the password of Redis; also read with `_FILE` behind it.
pub(super) const REDIS_PASSWORD: &str = "CATALOG_SYNC_REDIS_PASSWORD";

/// The state is near, and answers at once: what takes longer is asked again.
const STATE_TIMEOUT: Duration = Duration::from_secs(3);

/// The two services that the processes of a fleet meet at.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// `amqp://` or `amqps://` with host, port and virtual host, without a password.
    pub broker: String,
    /// Who signs in to the broker.
    pub broker_user: String,
    /// With which password, where one is set.
    pub broker_password: Option<SecretString>,
    /// `redis://` or `rediss://` with host, port and number of the database, without a password.
    pub redis: String,
    /// Who signs in to Redis; the default user where none is named.
    pub redis_user: Option<String>,
    /// With which password, where one is set.
    pub redis_password: Option<SecretString>,
    /// Begins the names of all queues and keys: one per deployment.
    pub prefix: String,
    /// Jobs that may wait in one queue; then the producer waits.
    pub capacity: u64,
    /// Outstanding work older than this whose queue is empty counts as lost and is read again.
    pub lost_after: Duration,
    /// What a worker may take to end what it has in hand once it is told to stop.
    pub grace: Duration,
}

impl Fleet {
    /// What the queue is opened with, for a process of this name and these lanes.
    ///
    /// # Errors
    /// No password is set.
    pub fn rabbit(
        &self,
        lanes: Vec<Lane>,
        name: String,
        job_bytes_max: usize,
    ) -> Result<RabbitSettings, Failure> {
        let password = self.broker_password.clone().ok_or_else(|| {
            Failure::configuration("no password of the broker is set").advise(format!(
                "set {BROKER_PASSWORD} in the environment (or {BROKER_PASSWORD}_FILE, naming a file that holds it)"
            ))
        })?;
        Ok(RabbitSettings {
            url: self.broker.clone(),
            user: self.broker_user.clone(),
            password,
            prefix: self.prefix.clone(),
            lanes,
            capacity: self.capacity,
            job_bytes_max,
            name,
        })
    }

    /// What the state is opened with.
    pub fn redis(&self) -> RedisSettings {
        RedisSettings {
            url: self.redis.clone(),
            user: self.redis_user.clone(),
            password: self.redis_password.clone(),
            prefix: self.prefix.clone(),
            timeout: STATE_TIMEOUT,
        }
    }

    /// What `[fleet]` says, with the passwords of the environment.
    pub(super) fn check(
        keys: &file::Fleet,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        address(&keys.broker, "broker", ["amqp://", "amqps://"], BROKER_PASSWORD, path)?;
        address(&keys.redis, "redis", ["redis://", "rediss://"], REDIS_PASSWORD, path)?;
        let prefix = keys.prefix.clone().unwrap_or_else(|| "catalog".to_owned());
        let fits = (1..=40).contains(&prefix.len())
            && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        if !fits {
            return Err(in_file(path, format!("fleet.prefix is '{prefix}'"))
                .advise("use 1 to 40 of a-z, 0-9, '_' and '-'"));
        }
        let capacity = keys.capacity.unwrap_or(100_000);
        if capacity < 1_000 {
            return Err(in_file(path, format!("fleet.capacity is {capacity}"))
                .advise("let a queue hold at least 1000 jobs"));
        }
        let span = |span: Option<Span>, usual: Duration| span.map_or(usual, |Span(span)| span);
        Ok(Self {
            broker: keys.broker.clone(),
            broker_user: keys.broker_user.clone().unwrap_or_else(|| "guest".to_owned()),
            broker_password: secret::read(BROKER_PASSWORD, environment)?,
            redis: keys.redis.clone(),
            redis_user: keys.redis_user.clone(),
            redis_password: secret::read(REDIS_PASSWORD, environment)?,
            prefix,
            capacity,
            lost_after: span(keys.lost_after, Duration::from_mins(5)),
            grace: span(keys.grace, Duration::from_secs(25)),
        })
    }
}

/// An address of the right kind that holds no password: files are copied and shown.
fn address(url: &str, key: &str, schemes: [&str; 2], variable: &str, path: &Path) -> Result<(), Failure> {
    let [plain, encrypted] = schemes;
    let Some(rest) = url.strip_prefix(plain).or_else(|| url.strip_prefix(encrypted)) else {
        return Err(in_file(path, format!("fleet.{key} does not begin with {plain} or {encrypted}"))
            .advise(format!("write it as {plain}host:port")));
    };
    if rest.contains('@') {
        return Err(in_file(path, format!("fleet.{key} holds a user or a password")).advise(format!(
            "write {plain}host:port, name the user in fleet.{key}_user and set {variable}"
        )));
    }
    Ok(())
}
