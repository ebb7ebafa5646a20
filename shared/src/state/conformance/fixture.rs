//! The stores that the suite is run over.

use std::time::Duration;

use tempfile::TempDir;

use super::{RedisSettings, State};

/// A store that can be opened again and wiped.
pub(super) trait Fixture: Sized {
    /// Cases of each property: fewer where a call costs more.
    const CASES: u32 = 96;
    /// An empty store.
    async fn new() -> Self;
    /// Opens the store. A second call sees what the first has written.
    async fn open(&self) -> State;
    /// Removes everything, as an operator would who deletes the file.
    async fn wipe(&mut self);
}

pub(super) struct Memory(pub(super) State);

impl Fixture for Memory {
    async fn new() -> Self {
        Self(State::open_memory().await.unwrap())
    }
    async fn open(&self) -> State {
        self.0.clone()
    }
    async fn wipe(&mut self) {
        *self = Self::new().await;
    }
}

pub(super) struct SqliteFile(pub(super) TempDir);

impl SqliteFile {
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("state.db")
    }
}

impl Fixture for SqliteFile {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    async fn open(&self) -> State {
        State::open_file(&self.path()).await.unwrap()
    }
    async fn wipe(&mut self) {
        *self = Self::new().await;
    }
}

/// A prefix of its own in the Redis that all tests of the run share.
pub(super) struct Redis(pub(super) RedisSettings);

impl Fixture for Redis {
    const CASES: u32 = 24;
    async fn new() -> Self {
        Self(RedisSettings {
            url: services::redis().url(),
            user: Some(services::USER.to_owned()),
            password: Some(services::PASSWORD.to_owned().into()),
            prefix: services::prefix(),
            timeout: Duration::from_secs(10),
        })
    }
    async fn open(&self) -> State {
        State::open_redis(&self.0).await.unwrap()
    }
    async fn wipe(&mut self) {
        *self = Self::new().await;
    }
}
