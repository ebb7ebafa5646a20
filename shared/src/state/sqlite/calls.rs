//! The calls that work on records, images and letters by the rules, and what is outstanding.

use jiff::Timestamp;

use super::{SqliteState, outstanding, work};
use crate::failure::Failure;
use crate::job::Attempt;
use crate::record::{PipelineName, RecordKey, Version};
use crate::state::rules::{self, Needs};
use crate::state::{
    Claim, Claimant, Claimed, ClaimedImage, DeadLetter, ImageClaim, LetterKey, Outstanding, OutstandingImage,
    Raised, Run, Settled, SettledImage, Want, Wanted, Weighed,
};

impl SqliteState {
    pub(in crate::state) async fn want(
        &self,
        run: &Run,
        wants: &[Want],
        lost: bool,
    ) -> Result<Vec<Wanted>, Failure> {
        let (run, wants) = (run.clone(), wants.to_vec());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::want(&run, &wants);
            Ok(work::apply(transaction, &run.pipeline, needs, |work| rules::want(work, &run, &wants, lost))??)
        })
        .await
    }

    pub(in crate::state) async fn weigh(
        &self,
        name: &PipelineName,
        wants: &[Want],
        force: bool,
        lost: bool,
    ) -> Result<Vec<Weighed>, Failure> {
        let (name, wants) = (name.clone(), wants.to_vec());
        self.write(move |transaction| {
            let needs = |head: &_| Needs::weigh(head, &wants);
            work::apply(transaction, &name, needs, |work| rules::weigh(work, &wants, force, lost))
        })
        .await
    }

    pub(in crate::state) async fn outstanding(
        &self,
        name: &PipelineName,
        before: Version,
        limit: usize,
    ) -> Result<Vec<Outstanding>, Failure> {
        let name = name.clone();
        self.read(move |connection| outstanding::records(connection, &name, before, limit)).await
    }

    pub(in crate::state) async fn withdraw(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
    ) -> Result<Vec<RecordKey>, Failure> {
        let (name, keys) = (name.clone(), keys.to_vec());
        self.write(move |transaction| {
            let needs = |head: &_| Needs::withdraw(head, &keys);
            work::apply(transaction, &name, needs, |work| rules::withdraw(work, &keys))
        })
        .await
    }

    pub(in crate::state) async fn claim(
        &self,
        name: &PipelineName,
        claims: &[Claim],
        claimant: &Claimant,
    ) -> Result<Vec<Claimed>, Failure> {
        let (name, claims, claimant) = (name.clone(), claims.to_vec(), claimant.clone());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::claim(&claims);
            work::apply(transaction, &name, needs, |work| rules::claim(work, &claims, &claimant))
        })
        .await
    }

    pub(in crate::state) async fn release(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
        claimant: &Claimant,
        unsure: bool,
    ) -> Result<(), Failure> {
        let (name, keys, claimant) = (name.clone(), keys.to_vec(), claimant.clone());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::records(&keys);
            work::apply(transaction, &name, needs, |work| rules::release(work, &keys, &claimant, unsure))
        })
        .await
    }

    pub(in crate::state) async fn settle(
        &self,
        name: &PipelineName,
        settled: &[Settled],
    ) -> Result<Vec<OutstandingImage>, Failure> {
        let (name, settled) = (name.clone(), settled.to_vec());
        self.write(move |transaction| {
            let needs = |head: &_| Needs::settle(head, &settled);
            work::apply(transaction, &name, needs, |work| rules::settle(work, &settled))
        })
        .await
    }

    pub(in crate::state) async fn outstanding_images(
        &self,
        name: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        let name = name.clone();
        self.read(move |connection| outstanding::images(connection, &name, after, limit)).await
    }

    pub(in crate::state) async fn changed_images(
        &self,
        name: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        let name = name.clone();
        self.read(move |connection| outstanding::changed_images(connection, &name, after, limit)).await
    }

    pub(in crate::state) async fn next_image_retry(
        &self,
        name: &PipelineName,
    ) -> Result<Option<Timestamp>, Failure> {
        let name = name.clone();
        self.read(move |connection| outstanding::next_image_retry(connection, &name)).await
    }

    pub(in crate::state) async fn claim_images(
        &self,
        name: &PipelineName,
        claims: &[ImageClaim],
        under_way: usize,
        claimant: &Claimant,
    ) -> Result<Vec<ClaimedImage>, Failure> {
        let (name, claims, claimant) = (name.clone(), claims.to_vec(), claimant.clone());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::claim_images(&claims);
            work::apply(transaction, &name, needs, |work| {
                rules::claim_images(work, &claims, under_way, &claimant)
            })
        })
        .await
    }

    pub(in crate::state) async fn forget_images(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
    ) -> Result<(), Failure> {
        let (name, keys) = (name.clone(), keys.to_vec());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::images(keys.iter());
            work::apply(transaction, &name, needs, |work| rules::forget_images(work, &keys))
        })
        .await
    }

    pub(in crate::state) async fn release_images(
        &self,
        name: &PipelineName,
        keys: &[RecordKey],
        claimant: &Claimant,
    ) -> Result<(), Failure> {
        let (name, keys, claimant) = (name.clone(), keys.to_vec(), claimant.clone());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::images(keys.iter());
            work::apply(transaction, &name, needs, |work| rules::release_images(work, &keys, &claimant))
        })
        .await
    }

    pub(in crate::state) async fn hold_images(
        &self,
        name: &PipelineName,
        held: &[(RecordKey, Version)],
        until: Timestamp,
    ) -> Result<(), Failure> {
        let (name, held) = (name.clone(), held.to_vec());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::images(held.iter().map(|(key, _)| key));
            work::apply(transaction, &name, needs, |work| rules::hold_images(work, &held, until))
        })
        .await
    }

    pub(in crate::state) async fn mature(&self, name: &PipelineName) -> Result<Vec<RecordKey>, Failure> {
        let name = name.clone();
        self.write(move |transaction| {
            let keys = outstanding::doubts(transaction, &name, rules::DOUBTS_AT_ONCE)?;
            let needs = |_: &_| Needs::records(&keys);
            work::apply(transaction, &name, needs, |work| rules::mature(work, &keys))
        })
        .await
    }

    pub(in crate::state) async fn next_doubt(
        &self,
        name: &PipelineName,
    ) -> Result<Option<Timestamp>, Failure> {
        let name = name.clone();
        self.read(move |connection| outstanding::next_doubt(connection, &name)).await
    }

    pub(in crate::state) async fn settle_images(
        &self,
        name: &PipelineName,
        settled: &[SettledImage],
    ) -> Result<(), Failure> {
        let (name, settled) = (name.clone(), settled.to_vec());
        self.write(move |transaction| {
            let needs = |head: &_| Needs::settle_images(head, &settled);
            work::apply(transaction, &name, needs, |work| rules::settle_images(work, &settled))
        })
        .await
    }

    pub(in crate::state) async fn retry_image(
        &self,
        name: &PipelineName,
        key: &RecordKey,
        version: Version,
        retry_at: Timestamp,
        failure: &Attempt,
    ) -> Result<(), Failure> {
        let (name, key, failure) = (name.clone(), key.clone(), failure.clone());
        self.write(move |transaction| {
            let needs = |_: &_| Needs::images(std::iter::once(&key));
            work::apply(transaction, &name, needs, |work| {
                rules::retry_image(work, &key, version, retry_at, &failure);
            })
        })
        .await
    }

    pub(in crate::state) async fn redrive(
        &self,
        name: &PipelineName,
        letters: &[LetterKey],
    ) -> Result<Vec<Raised>, Failure> {
        let (name, letters) = (name.clone(), letters.to_vec());
        self.write(move |transaction| {
            work::apply(transaction, &name, |_| Needs::raise(&letters), |work| rules::redrive(work, &letters))
        })
        .await
    }

    pub(in crate::state) async fn discard(
        &self,
        name: &PipelineName,
        letters: &[LetterKey],
    ) -> Result<Vec<Raised>, Failure> {
        let (name, letters) = (name.clone(), letters.to_vec());
        self.write(move |transaction| {
            work::apply(transaction, &name, |_| Needs::raise(&letters), |work| rules::discard(work, &letters))
        })
        .await
    }

    pub(in crate::state) async fn bury(&self, letters: &[DeadLetter]) -> Result<(), Failure> {
        let letters = letters.to_vec();
        self.write(move |transaction| {
            for (name, letters) in rules::by_pipeline(&letters) {
                let needs = |_: &_| Needs::bury(&letters);
                work::apply(transaction, name, needs, |work| rules::bury(work, &letters))?;
            }
            Ok(())
        })
        .await
    }
}
