//! The state in one `SQLite` file: a single connection of this process, in write-ahead mode, so that other processes
//! (`status`) read while it writes.
//!
//! Every call is one transaction on tokio's blocking threads. Totals and ledgers are kept inside the same transactions
//! as the records that they count.

mod calls;
mod column;
mod dead_letter;
mod failure;
mod image_row;
mod layout;
mod lock;
mod memo;
mod outstanding;
mod pipeline;
mod record_row;
mod run;
mod sight;
mod stray;
mod tally;
mod work;

#[cfg(test)]
mod faults;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Counts, FiledLetter, NewRun, Page, PipelineState, Run, RunEnd, RunSummary, Stray};
use crate::checksum::Checksum;
use crate::failure::{Failure, Reason};
use crate::record::{PipelineName, RunId};
use failure::StoreError;

pub use lock::{EnumerationLock, Exclusive};

/// An opened file, or a state in memory.
#[derive(Debug, Clone)]
pub struct SqliteState {
    connection: Arc<Mutex<Connection>>,
    /// `None`: in memory.
    path: Option<Arc<PathBuf>>,
    memory_locks: [Arc<tokio::sync::Mutex<()>>; 3],
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
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path, memory_locks: Default::default() })
    }

    pub(super) async fn lock(&self, what: Exclusive) -> Result<EnumerationLock, Failure> {
        match self.path.clone() {
            Some(path) => on_blocking_thread(move || lock::lock_file(&path, what)).await,
            None => lock::lock_memory(&self.memory_locks, what),
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

    pub(super) async fn advance(&self, run: &Run, page: &Page) -> Result<(), Failure> {
        let (run, page) = (run.clone(), page.clone());
        self.write(move |transaction| run::advance(transaction, &run, &page)).await
    }

    pub(super) async fn finish_run(&self, run: &Run, end: &RunEnd) -> Result<RunSummary, Failure> {
        let (run, end) = (run.clone(), end.clone());
        self.write(move |transaction| run::finish(transaction, &run, &end)).await
    }

    pub(super) async fn letters(
        &self,
        name: &PipelineName,
        reason: Option<Reason>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<FiledLetter>, Failure> {
        let name = name.clone();
        self.read(move |connection| dead_letter::newest(connection, &name, reason, before, limit)).await
    }

    pub(super) async fn letters_with(
        &self,
        name: &PipelineName,
        text: &str,
        newest: usize,
    ) -> Result<Vec<FiledLetter>, Failure> {
        let (name, text) = (name.clone(), text.to_owned());
        self.read(move |connection| dead_letter::with(connection, &name, &text, newest)).await
    }

    pub(super) async fn letter_counts(&self, name: &PipelineName) -> Result<Vec<(Reason, u64)>, Failure> {
        let name = name.clone();
        self.read(move |connection| dead_letter::counts(connection, &name)).await
    }

    pub(super) async fn counts(&self, name: &PipelineName) -> Result<Counts, Failure> {
        let name = name.clone();
        self.read(move |connection| {
            Ok(pipeline::Pipeline::find(connection, &name)?
                .map(|pipeline| pipeline.head.counts)
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

    pub(super) async fn forget_runs(&self, name: &PipelineName, before: Timestamp) -> Result<(), Failure> {
        let name = name.clone();
        self.write(move |transaction| run::forget(transaction, &name, before)).await
    }

    pub(super) async fn memo(&self, name: &str) -> Result<Option<String>, Failure> {
        let name = name.to_owned();
        self.read(move |connection| memo::get(connection, &name)).await
    }

    pub(super) async fn set_memo(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        let (name, text) = (name.to_owned(), text.map(str::to_owned));
        self.write(move |transaction| memo::set(transaction, &name, text.as_deref())).await
    }

    pub(super) async fn swap_memo(
        &self,
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<bool, Failure> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (name, before, after) = (name.to_owned(), owned(before), owned(after));
        self.write(move |transaction| memo::swap(transaction, &name, before.as_deref(), after.as_deref()))
            .await
    }

    pub(super) async fn memos(&self, prefix: &str) -> Result<Vec<(String, String)>, Failure> {
        let prefix = prefix.to_owned();
        self.read(move |connection| memo::of_prefix(connection, &prefix)).await
    }

    pub(super) async fn bury_stray(&self, stray: &Stray) -> Result<(), Failure> {
        let stray = stray.clone();
        self.write(move |transaction| stray::bury(transaction, &stray)).await
    }

    pub(super) async fn strays(&self, limit: usize) -> Result<Vec<Stray>, Failure> {
        self.read(move |connection| stray::newest(connection, limit)).await
    }

    pub(super) async fn discard_stray(&self, id: &Checksum) -> Result<bool, Failure> {
        let id = *id;
        self.write(move |transaction| stray::discard(transaction, &id)).await
    }

    pub(super) async fn stray_count(&self) -> Result<u64, Failure> {
        self.read(stray::count).await
    }

    #[expect(clippy::unused_async, reason = "another store asks its server")]
    pub(super) async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(Timestamp::now())
    }

    /// One read of the file as it is at one moment: each is a single statement.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with_connection(move |connection| work(connection)).await
    }

    /// Several statements on the file as it is at one moment.
    async fn read_all<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with_connection(move |connection| work(&*connection.transaction()?)).await
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
