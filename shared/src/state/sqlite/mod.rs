//! The state in one `SQLite` file: a single connection of this process, in write-ahead mode, so that other processes
//! (`status`) read while it writes.
//!
//! Every call is one transaction on tokio's blocking threads. Totals and ledgers are kept inside the same transactions
//! as the records that they count.

mod column;
mod dead_letter;
mod failure;
mod image;
mod image_job;
mod image_row;
mod layout;
mod lock;
mod memo;
mod pipeline;
mod record;
mod run;
mod settle;
mod tally;
mod want;

#[cfg(test)]
mod faults;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    Claim, Claimed, ClaimedImage, Counts, DeadLetter, ImageClaim, NewRun, Outstanding, OutstandingImage,
    Page, PipelineState, Run, RunEnd, RunSummary, Settled, SettledImage, Want, Wanted,
};
use crate::failure::Failure;
use crate::job::Attempt;
use crate::record::{PipelineName, RecordKey, RunId, Version};
use failure::StoreError;

pub use lock::EnumerationLock;

/// An opened file, or a state in memory.
#[derive(Debug, Clone)]
pub struct SqliteState {
    connection: Arc<Mutex<Connection>>,
    /// `None`: in memory.
    path: Option<Arc<PathBuf>>,
    memory_lock: Arc<tokio::sync::Mutex<()>>,
}

impl SqliteState {
    pub(super) async fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let path = path.map(|path| Arc::new(path.to_owned()));
        let file = path.clone();
        let connection = on_blocking_thread(move || {
            let file = file.as_deref().map(PathBuf::as_path);
            layout::open(file).map_err(|error| error.into_failure(name(file)))
        })
        .await?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path, memory_lock: Arc::default() })
    }

    pub(super) async fn lock_enumeration(&self) -> Result<EnumerationLock, Failure> {
        match self.path.clone() {
            Some(path) => on_blocking_thread(move || lock::lock_file(&path)).await,
            None => lock::lock_memory(&self.memory_lock),
        }
    }

    pub(super) async fn pipeline(&self, name: &PipelineName) -> Result<Option<PipelineState>, Failure> {
        let name = name.clone();
        self.read(move |connection| pipeline::state(connection, &name)).await
    }

    pub(super) async fn begin_run(&self, new: &NewRun) -> Result<Run, Failure> {
        let new = new.clone();
        self.write(move |transaction| run::begin(transaction, &new)).await
    }

    pub(super) async fn resume_run(&self, name: &PipelineName) -> Result<Option<Run>, Failure> {
        let name = name.clone();
        self.write(move |transaction| run::resume(transaction, &name)).await
    }

    pub(super) async fn want(&self, run: &Run, wants: &[Want], lost: bool) -> Result<Vec<Wanted>, Failure> {
        let (run, wants) = (run.clone(), wants.to_vec());
        self.write(move |transaction| want::want(transaction, &run, &wants, lost)).await
    }

    pub(super) async fn outstanding(
        &self,
        name: &PipelineName,
        before: Version,
        limit: usize,
    ) -> Result<Vec<Outstanding>, Failure> {
        let name = name.clone();
        self.read(move |connection| want::outstanding(connection, &name, before, limit)).await
    }

    pub(super) async fn withdraw(&self, name: &PipelineName, keys: &[RecordKey]) -> Result<(), Failure> {
        let (name, keys) = (name.clone(), keys.to_vec());
        self.write(move |transaction| want::withdraw(transaction, &name, &keys)).await
    }

    pub(super) async fn advance(&self, run: &Run, page: &Page) -> Result<(), Failure> {
        let (run, page) = (run.clone(), page.clone());
        self.write(move |transaction| run::advance(transaction, &run, &page)).await
    }

    pub(super) async fn finish_run(&self, run: &Run, end: &RunEnd) -> Result<RunSummary, Failure> {
        let (run, end) = (run.clone(), end.clone());
        self.write(move |transaction| run::finish(transaction, &run, &end)).await
    }

    pub(super) async fn claim(&self, name: &PipelineName, claims: &[Claim]) -> Result<Vec<Claimed>, Failure> {
        let (name, claims) = (name.clone(), claims.to_vec());
        self.write(move |transaction| settle::claim(transaction, &name, &claims)).await
    }

    pub(super) async fn release(&self, name: &PipelineName, keys: &[RecordKey]) -> Result<(), Failure> {
        let (name, keys) = (name.clone(), keys.to_vec());
        self.write(move |transaction| settle::release(transaction, &name, &keys)).await
    }

    pub(super) async fn settle(&self, name: &PipelineName, settled: &[Settled]) -> Result<(), Failure> {
        let (name, settled) = (name.clone(), settled.to_vec());
        self.write(move |transaction| settle::settle(transaction, &name, &settled)).await
    }

    pub(super) async fn outstanding_images(
        &self,
        name: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        let name = name.clone();
        self.read(move |connection| image_job::outstanding(connection, &name, after, limit)).await
    }

    pub(super) async fn next_image_retry(&self, name: &PipelineName) -> Result<Option<Timestamp>, Failure> {
        let name = name.clone();
        self.read(move |connection| image_job::next_retry(connection, &name)).await
    }

    pub(super) async fn claim_images(
        &self,
        name: &PipelineName,
        claims: &[ImageClaim],
    ) -> Result<Vec<ClaimedImage>, Failure> {
        let (name, claims) = (name.clone(), claims.to_vec());
        self.write(move |transaction| image_job::claim(transaction, &name, &claims)).await
    }

    pub(super) async fn release_images(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
    ) -> Result<(), Failure> {
        let (name, keys) = (name.clone(), keys.to_vec());
        self.write(move |transaction| image_job::release(transaction, &name, &keys)).await
    }

    pub(super) async fn settle_images(
        &self,
        name: &PipelineName,
        settled: &[SettledImage],
    ) -> Result<(), Failure> {
        let (name, settled) = (name.clone(), settled.to_vec());
        self.write(move |transaction| image_job::settle(transaction, &name, &settled)).await
    }

    pub(super) async fn retry_image(
        &self,
        name: &PipelineName,
        key: &RecordKey,
        version: Version,
        retry_at: Timestamp,
        failure: &Attempt,
    ) -> Result<(), Failure> {
        let (name, key, failure) = (name.clone(), key.clone(), failure.clone());
        self.write(move |transaction| image_job::retry(transaction, &name, &key, version, retry_at, &failure))
            .await
    }

    pub(super) async fn bury(&self, letters: &[DeadLetter]) -> Result<(), Failure> {
        let letters = letters.to_vec();
        self.write(move |transaction| dead_letter::bury(transaction, &letters)).await
    }

    pub(super) async fn dead_letters(
        &self,
        name: &PipelineName,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Failure> {
        let name = name.clone();
        self.read(move |connection| dead_letter::newest(connection, &name, limit)).await
    }

    pub(super) async fn counts(&self, name: &PipelineName) -> Result<Counts, Failure> {
        let name = name.clone();
        self.read(move |connection| {
            Ok(pipeline::Pipeline::find(connection, &name)?
                .map(|pipeline| pipeline.counts)
                .unwrap_or_default())
        })
        .await
    }

    pub(super) async fn runs(
        &self,
        name: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<RunSummary>, Failure> {
        let name = name.cloned();
        self.read(move |connection| run::history(connection, name.as_ref(), limit)).await
    }

    pub(super) async fn run(&self, id: RunId) -> Result<Option<RunSummary>, Failure> {
        self.read(move |connection| run::summary(connection, id)).await
    }

    pub(super) async fn memo(&self, name: &str) -> Result<Option<String>, Failure> {
        let name = name.to_owned();
        self.read(move |connection| memo::get(connection, &name)).await
    }

    pub(super) async fn set_memo(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        let (name, text) = (name.to_owned(), text.map(str::to_owned));
        self.write(move |transaction| memo::set(transaction, &name, text.as_deref())).await
    }

    pub(super) async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(Timestamp::now())
    }

    pub(super) async fn swap_memo(
        &self,
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<bool, Failure> {
        let (name, before, after) = (name.to_owned(), before.map(str::to_owned), after.map(str::to_owned));
        self.write(move |transaction| memo::swap(transaction, &name, before.as_deref(), after.as_deref()))
            .await
    }

    pub(super) async fn memos(&self, prefix: &str) -> Result<Vec<(String, String)>, Failure> {
        let prefix = prefix.to_owned();
        self.read(move |connection| memo::all(connection, &prefix)).await
    }

    /// One read of the file as it is at one moment: each is a single statement.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with_connection(move |connection| work(connection)).await
    }

    /// One transaction; the write lock is taken at its start, so that it never has to be given up half-way because another
    /// process wrote in between.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with_connection(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }

    async fn with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let Self { connection, path, .. } = self.clone();
        on_blocking_thread(move || {
            // A panic inside a transaction has rolled it back: the connection behind a poisoned lock is sound.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
                .map_err(|error| error.into_failure(name(path.as_deref().map(PathBuf::as_path))))
        })
        .await
    }
}

/// The file's name for people.
fn name(path: Option<&Path>) -> &Path {
    path.unwrap_or(Path::new("in memory"))
}

async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Failure::interrupted("the process ended before the state was asked")),
        },
    }
}
