//! The state of a fleet in Redis.
//!
//! Reading and writing: a call reads what its rule needs in one request, applies the rule in this process, and sends
//! what changed as one commit (`commit.lua`), which writes all of it where everything that was read is still so, and else
//! nothing: then the call begins anew. So each call is a transaction, whatever the number of processes, and the rules are
//! written once for every store. A commit has a name that is remembered for some minutes: one whose answer was lost is
//! sent again and found done. [`keys`] tells how everything is laid out.
//!
//! While the server is away a call waits for some seconds and then fails as transient. A server that was wiped is a state
//! that knows nothing: the producer's next call says that it was taken over, workers go on with what they have.

mod answers;
mod bytes;
mod commit;
mod failure;
mod garbage;
mod head;
mod history;
mod image_value;
mod index;
mod keys;
mod layout;
mod letter;
mod link;
mod memo;
mod outstanding;
mod record_value;
mod run;
mod run_fields;
mod settings;
mod sight;
mod stray;
mod value;
mod work;

#[cfg(test)]
mod stand;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::rules::{self, Needs};
use super::{
    Claim, Claimant, Claimed, ClaimedImage, Counts, DeadLetter, EnumerationLock, Exclusive, ImageClaim,
    LetterKey, OutstandingImage, Raised, Run, Settled, SettledImage, Want, Wanted, Weighed,
};
use crate::failure::{DEFECT, Failure, Reason};
use crate::job::Attempt;
use crate::record::{PipelineName, RecordKey, Version};
use commit::{Answer, Commit, Committed};
use head::HeadRow;
use keys::Keys;
use layout::LAYOUT;
use link::{Link, PATIENCE};

pub use settings::RedisSettings;

/// An opened state.
#[derive(Debug)]
pub struct RedisState {
    link: Link,
    keys: Keys,
    /// Names this process's commits, with a number behind it.
    process: u64,
    commits: AtomicU64,
    /// Pipelines as they were read last: what a call needs is guessed by them.
    known: Mutex<HashMap<PipelineName, HeadRow>>,
}

impl RedisState {
    pub(super) async fn open(settings: &RedisSettings) -> Result<Self, Failure> {
        Self::open_with(settings, PATIENCE).await
    }

    /// `patience`: how long later calls go on trying.
    pub(super) async fn open_with(settings: &RedisSettings, patience: Duration) -> Result<Self, Failure> {
        settings.check_prefix()?;
        let link = Link::open(settings, patience).await?;
        let keys = Keys::new(&settings.prefix);
        layout::prepare(&link, &keys).await?;
        let process = RandomState::new().hash_one(std::process::id());
        Ok(Self { link, keys, process, commits: AtomicU64::new(0), known: Mutex::default() })
    }

    pub(super) async fn lock(&self, _what: Exclusive) -> Result<EnumerationLock, Failure> {
        std::future::ready(Err(
            Failure::systemic(Reason::Locked, "a fleet has leases and no locks").advise(DEFECT)
        ))
        .await
    }

    pub(super) async fn now(&self) -> Result<Timestamp, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("TIME");
        head::time(self.link.ask(&commands).await?.next()?)
    }

    pub(super) async fn counts(&self, name: &PipelineName) -> Result<Counts, Failure> {
        Ok(self.head(name).await?.1.head.counts)
    }

    pub(super) async fn want(&self, run: &Run, wants: &[Want], lost: bool) -> Result<Vec<Wanted>, Failure> {
        self.apply(&run.pipeline, |_| Needs::want(run, wants), |work| rules::want(work, run, wants, lost))
            .await?
    }

    pub(super) async fn weigh(
        &self,
        name: &PipelineName,
        wants: &[Want],
        force: bool,
        lost: bool,
    ) -> Result<Vec<Weighed>, Failure> {
        self.apply(name, |head| Needs::weigh(head, wants), |work| rules::weigh(work, wants, force, lost))
            .await
    }

    pub(super) async fn withdraw(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
    ) -> Result<Vec<RecordKey>, Failure> {
        self.apply(name, |head| Needs::withdraw(head, keys), |work| rules::withdraw(work, keys)).await
    }

    pub(super) async fn claim(
        &self,
        name: &PipelineName,
        claims: &[Claim],
        claimant: &Claimant,
    ) -> Result<Vec<Claimed>, Failure> {
        self.apply(name, |_| Needs::claim(claims), |work| rules::claim(work, claims, claimant)).await
    }

    pub(super) async fn release(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
        claimant: &Claimant,
        unsure: bool,
    ) -> Result<(), Failure> {
        self.apply(name, |_| Needs::records(keys), |work| rules::release(work, keys, claimant, unsure)).await
    }

    pub(super) async fn settle(
        &self,
        name: &PipelineName,
        settled: &[Settled],
    ) -> Result<Vec<OutstandingImage>, Failure> {
        self.apply(name, |head| Needs::settle(head, settled), |work| rules::settle(work, settled)).await
    }

    pub(super) async fn claim_images(
        &self,
        name: &PipelineName,
        claims: &[ImageClaim],
        under_way: usize,
        claimant: &Claimant,
    ) -> Result<Vec<ClaimedImage>, Failure> {
        let needs = |_: &_| Needs::claim_images(claims);
        self.apply(name, needs, |work| rules::claim_images(work, claims, under_way, claimant)).await
    }

    pub(super) async fn forget_images(&self, name: &PipelineName, keys: &[RecordKey]) -> Result<(), Failure> {
        self.apply(name, |_| Needs::images(keys.iter()), |work| rules::forget_images(work, keys)).await
    }

    pub(super) async fn release_images(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
        claimant: &Claimant,
    ) -> Result<(), Failure> {
        self.apply(name, |_| Needs::images(keys.iter()), |work| rules::release_images(work, keys, claimant))
            .await
    }

    pub(super) async fn hold_images(
        &self,
        name: &PipelineName,
        images: &[(RecordKey, Version)],
        until: Timestamp,
    ) -> Result<(), Failure> {
        let needs = |_: &rules::Head| Needs::images(images.iter().map(|(key, _)| key));
        self.apply(name, needs, |work| rules::hold_images(work, images, until)).await
    }

    pub(super) async fn settle_images(
        &self,
        name: &PipelineName,
        settled: &[SettledImage],
    ) -> Result<(), Failure> {
        self.apply(
            name,
            |head| Needs::settle_images(head, settled),
            |work| rules::settle_images(work, settled),
        )
        .await
    }

    pub(super) async fn retry_image(
        &self,
        name: &PipelineName,
        key: &RecordKey,
        version: Version,
        retry_at: Timestamp,
        failure: &Attempt,
    ) -> Result<(), Failure> {
        let rule = |work: &mut rules::Work| rules::retry_image(work, key, version, retry_at, failure);
        self.apply(name, |_| Needs::images(std::iter::once(key)), rule).await
    }

    /// Letters of several pipelines are written pipeline by pipeline.
    pub(super) async fn bury(&self, letters: &[DeadLetter]) -> Result<(), Failure> {
        for (name, letters) in rules::by_pipeline(letters) {
            self.apply(name, |_| Needs::bury(&letters), |work| rules::bury(work, &letters)).await?;
        }
        Ok(())
    }

    pub(super) async fn redrive(
        &self,
        name: &PipelineName,
        letters: &[LetterKey],
    ) -> Result<Vec<Raised>, Failure> {
        self.apply(name, |_| Needs::raise(letters), |work| rules::redrive(work, letters)).await
    }

    pub(super) async fn discard(
        &self,
        name: &PipelineName,
        letters: &[LetterKey],
    ) -> Result<Vec<Raised>, Failure> {
        self.apply(name, |_| Needs::raise(letters), |work| rules::discard(work, letters)).await
    }

    /// The server's clock and a pipeline.
    async fn head(&self, name: &PipelineName) -> Result<(Timestamp, HeadRow), Failure> {
        let mut commands = redis::pipe();
        head::ask(&mut commands, &self.keys, name);
        let found = head::read(&mut self.link.ask(&commands).await?)?;
        self.remember(name, &found.1);
        Ok(found)
    }

    /// Writes all of it or nothing.
    async fn commit(&self, commit: &Commit) -> Result<Committed, Failure> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let operation = format!("{:x}-{number}", self.process);
        match self.link.run(&commit.call(&self.keys, &operation, LAYOUT)).await? {
            Answer::Layout(found) => Err(layout::refused(&found)),
            Answer::Decided(committed) => Ok(committed),
        }
    }

    /// A moment for the others, longer the more often they were in the way.
    async fn step_aside(&self, conflicts: u32) {
        let spread = u64::from(conflicts + 1).min(50);
        let millis = RandomState::new().hash_one(self.process) % spread;
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn recalled(&self, name: &PipelineName) -> HeadRow {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().unwrap_or_default()
    }

    fn remember(&self, name: &PipelineName, row: &HeadRow) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.clone(), row.clone());
    }
}
