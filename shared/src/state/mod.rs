//! The state: what is wanted and what is applied of every record, the cursors, the runs with their ledgers and the dead
//! letters. It is a cache of the truth: with it wiped, the next run costs time and nothing else.
//!
//! One closed set of stores behind one contract: [`State`] forwards to the store that was opened, and one conformance
//! suite (`conformance`) runs over each. Every write is one transaction and may be repeated: a caller that does not
//! know whether a write arrived sends it again.

mod claim;
mod image;
mod kinds;
mod redis;
mod rules;
mod sight;
mod sqlite;
mod stray;

#[cfg(test)]
mod conformance;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::checksum::Checksum;
use crate::failure::{Failure, Reason};
use crate::job::Attempt;
use crate::record::{PipelineName, RecordKey, RunId, Version};

pub use claim::{Claim, Claimant, Claimed, Settled};
pub use image::{ClaimedImage, ImageClaim, ImageCounts, OutstandingImage, SettledImage};
pub use kinds::*;
pub use redis::RedisSettings;
pub use rules::Stage;
pub use sight::{Begun, ImageSight, ImageStand, Known, KnownPage, Sight, Stand};
pub use sqlite::{EnumerationLock, Exclusive};
pub use stray::Stray;

/// An opened store. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub enum State {
    /// One file on this machine.
    Sqlite(sqlite::SqliteState),
    /// A Redis that a fleet shares.
    Redis(Arc<redis::RedisState>),
}

macro_rules! forward {
    ($self:ident.$call:ident($($argument:expr),*)) => {
        match $self {
            State::Sqlite(store) => store.$call($($argument),*).await,
            // In a box: what a call has read is large, and part of it.
            State::Redis(store) => Box::pin(store.$call($($argument),*)).await,
        }
    };
}

impl State {
    /// Opens the file, creates it where it is missing and migrates older layouts.
    ///
    /// # Errors
    /// `Reason::File` where the file cannot be opened, `Reason::Configuration` where it is no state of ours or of a
    /// newer layout: each says what to do.
    pub async fn open_file(path: &Path) -> Result<Self, Failure> {
        Ok(Self::Sqlite(sqlite::SqliteState::open(Some(path)).await?))
    }

    /// A state that ends with its last clone: for tests and for runs that only look.
    pub async fn open_memory() -> Result<Self, Failure> {
        Ok(Self::Sqlite(sqlite::SqliteState::open(None).await?))
    }

    /// Opens the state of a fleet: a few tries within some seconds, so that all of it may start at once.
    ///
    /// # Errors
    /// Systemic: `Reason::Unreachable` where nobody answers, `Reason::Credentials` where user or password are rejected,
    /// `Reason::Configuration` where a setting is wrong or a newer version keeps its state there.
    pub async fn open_redis(settings: &RedisSettings) -> Result<Self, Failure> {
        Ok(Self::Redis(Arc::new(redis::RedisState::open(settings).await?)))
    }

    /// The lock that keeps two enumerations over one state apart. It is the operating system's: a killed process
    /// leaves none behind.
    ///
    /// # Errors
    /// `Reason::Locked`, naming the process that holds it and since when.
    pub async fn lock_enumeration(&self) -> Result<EnumerationLock, Failure> {
        self.lock(Exclusive::Enumeration).await
    }

    /// A lock as [`State::lock_enumeration`], for any of what one process of a machine does at a time. They know
    /// nothing of each other.
    ///
    /// # Errors
    /// `Reason::Locked`, naming the process that holds it and since when. In a fleet always: it has leases.
    pub async fn lock(&self, what: Exclusive) -> Result<EnumerationLock, Failure> {
        forward!(self.lock(what))
    }

    /// The store's clock: what is alive, due or over is so by it.
    pub async fn now(&self) -> Result<Timestamp, Failure> {
        forward!(self.now())
    }

    /// What is known of a pipeline; `None` where it never ran.
    pub async fn pipeline(&self, pipeline: &PipelineName) -> Result<Option<PipelineState>, Failure> {
        forward!(self.pipeline(pipeline))
    }

    /// Starts a run under a new epoch. An open run of the pipeline is closed as interrupted first. With
    /// [`NewRun::reset`] everything that is about the former source or sink is forgotten in the same transaction: all
    /// records, images and dead letters of the pipeline, its cursor and its last full run. Jobs of older epochs are superseded
    /// from then on.
    pub async fn begin_run(&self, run: &NewRun) -> Result<Run, Failure> {
        forward!(self.begin_run(run))
    }

    /// Goes on with the open run of a pipeline from its position, under a new epoch. `None` where none is open.
    pub async fn resume_run(&self, pipeline: &PipelineName) -> Result<Option<Run>, Failure> {
        forward!(self.resume_run(pipeline))
    }

    /// Compares mapped records with what is wanted and notes what is new: the answers are in the order of `wants`.
    /// The same is the same checksum and the same image, or still none. The rules, first match:
    ///
    /// | in the state | answer |
    /// |---|---|
    /// | nothing, another checksum, or another image | [`Wanted::Enqueue`] with a new version; a dead letter of the record is kept until it succeeds |
    /// | the same, applied or dead, noted by this run | [`Wanted::Already`] |
    /// | the same, dead | [`Wanted::Dead`], or [`Wanted::Enqueue`] where `run.force` |
    /// | the same, outstanding since a newer version was overwritten (see [`State::settle`]) | [`Wanted::Enqueue`] with a new version |
    /// | the same, outstanding, of this epoch | [`Wanted::Already`] |
    /// | the same, outstanding, of an older epoch, its job is known to be gone (`lost`) | [`Wanted::Enqueue`] with a new version |
    /// | the same, outstanding, noted by this run | [`Wanted::Already`] |
    /// | the same, outstanding | [`Wanted::Unchanged`] |
    /// | the same, applied | [`Wanted::Unchanged`], or [`Wanted::Enqueue`] where `run.force` |
    ///
    /// A record that this run had noted already keeps its place and is not counted as enqueued twice. Where it was
    /// outstanding from an older run, its place there counts as superseded.
    ///
    /// # Errors
    /// `Reason::Locked` where another process has begun or resumed a run of the pipeline since: versions are given by
    /// the newest epoch only.
    pub async fn want(&self, run: &Run, wants: &[Want], lost: bool) -> Result<Vec<Wanted>, Failure> {
        forward!(self.want(run, wants, lost))
    }

    /// What [`State::want`] would answer in a run that begins now, and what would become of the images: nothing is
    /// noted. `force` as in [`NewRun::force`], `lost` as in [`State::want`]; without it, what is outstanding is told from
    /// what would be enqueued.
    pub async fn weigh(
        &self,
        pipeline: &PipelineName,
        wants: &[Want],
        force: bool,
        lost: bool,
    ) -> Result<Vec<Weighed>, Failure> {
        forward!(self.weigh(pipeline, wants, force, lost))
    }

    /// Records that are wanted and neither applied nor dead, with a version below `before`; oldest first, at most
    /// `limit`.
    pub async fn outstanding(
        &self,
        pipeline: &PipelineName,
        before: Version,
        limit: usize,
    ) -> Result<Vec<Outstanding>, Failure> {
        forward!(self.outstanding(pipeline, before, limit))
    }

    /// Withdraws what is wanted of outstanding records that the source no longer has: they go back to what is applied,
    /// or are forgotten where nothing is. Their places count as superseded, their dead letters go. Of their images
    /// the sink keeps what it has; what it lacks is no longer wanted, until the source has the record again.
    ///
    /// The answer is those of them that are wanted as gone ([`Checksum::GONE`](crate::checksum::Checksum::GONE)): they stay outstanding, and are to be
    /// enqueued again.
    pub async fn withdraw(
        &self,
        pipeline: &PipelineName,
        keys: &[RecordKey],
    ) -> Result<Vec<RecordKey>, Failure> {
        forward!(self.withdraw(pipeline, keys))
    }

    /// The cursor passes a page: its position and its counts, in one transaction. A position that is not beyond the
    /// stored one (`page.number`) changes nothing, so that a repeated call counts nothing twice.
    ///
    /// # Errors
    /// As [`State::want`].
    pub async fn advance(&self, run: &Run, page: &Page) -> Result<(), Failure> {
        forward!(self.advance(run, page))
    }

    /// Ends a run. A complete one moves the cursor to the window's end and, where it was full, notes so. A failed or
    /// interrupted one stays open. A run that is no longer open stays as it ended.
    ///
    /// # Errors
    /// As [`State::want`].
    pub async fn finish_run(&self, run: &Run, end: &RunEnd) -> Result<RunSummary, Failure> {
        forward!(self.finish_run(run, end))
    }

    /// Claims jobs before their work: the answers are in the order of `claims`. What may go on gets a started mark of
    /// the claimant in the same transaction. A job of which the state knows nothing (it was wiped meanwhile) may go on.
    /// The rules, first match:
    ///
    /// | job or record | answer |
    /// |---|---|
    /// | a newer version is wanted, or it is about another source or sink than now | [`Claimed::Superseded`] |
    /// | it, or a newer version, is applied | [`Claimed::Applied`] |
    /// | the mark of another worker, which is alive, stands | [`Claimed::Held`], not marked |
    /// | its version is marked, once and it is in a batch of more than ten, or more often and it is not alone | [`Claimed::Suspect`], not marked |
    /// | else | [`Claimed::Go`], marked |
    ///
    /// [`Claimed::Go`] tells of a record that comes back: it was claimed as gone ([`Checksum::GONE`](crate::checksum::Checksum::GONE)) once, and no values
    /// were applied since while no call was in doubt. So an archiving call that lands late is repaired, too.
    ///
    /// The same values wanted again under a new version keep their marks. Where the mark of another worker is taken
    /// over, which died in the middle of a call, the record is in doubt for as long as [`Claimant::late`]: see
    /// [`State::mature`].
    pub async fn claim(
        &self,
        pipeline: &PipelineName,
        claims: &[Claim],
        claimant: &Claimant,
    ) -> Result<Vec<Claimed>, Failure> {
        forward!(self.claim(pipeline, claims, claimant))
    }

    /// Takes the claimant's started marks back (others stay): the jobs were not worked on to an end (retry, give back).
    /// `unsure`: a call to the sink was broken off and may still be carried out; the records are in doubt as after a
    /// death.
    pub async fn release(
        &self,
        pipeline: &PipelineName,
        keys: &[RecordKey],
        claimant: &Claimant,
        unsure: bool,
    ) -> Result<(), Failure> {
        forward!(self.release(pipeline, keys, claimant, unsure))
    }

    /// Looks at doubts whose time is over, at most 1,000 of them, and answers which records are dirty.
    ///
    /// A doubt is about the version of a call that was broken off (several: about the oldest of them, until the last of
    /// their times). A write that came late has gone over a newer version where one was applied in that time: such a
    /// record is dirty, that is outstanding again, and its next [`State::want`] enqueues it, to be compared with what
    /// the sink really has. Where no newer version was applied there is nothing to repair. While a newer version is
    /// being written, the doubt is kept and looked at again after half a minute.
    pub async fn mature(&self, pipeline: &PipelineName) -> Result<Vec<RecordKey>, Failure> {
        forward!(self.mature(pipeline))
    }

    /// When the first doubt has run out; `None` where there is none. Read to know whether [`State::mature`] has work.
    pub async fn next_doubt(&self, pipeline: &PipelineName) -> Result<Option<Timestamp>, Failure> {
        forward!(self.next_doubt(pipeline))
    }

    /// Records how jobs ended, in one transaction: `applied` moves only to a newer version, the place of each job in
    /// its run is counted once whatever is repeated, and a success takes the started marks and clears the record's dead
    /// letter. What was superseded has no mark of its own: those that stand are of somebody who works on the record, or
    /// died over it.
    ///
    /// A job that wrote (created, updated, gone) an older version than is applied may have overwritten the newer one: the
    /// record is dirty, that is outstanding again, and its next [`State::want`] enqueues it.
    ///
    /// In the same transaction the image follows the record, where the job is the newest that the sink has:
    ///
    /// | image of the job | what becomes of it |
    /// |---|---|
    /// | as wanted (outstanding, applied or dead) | nothing: what has been tried is not tried anew |
    /// | another one, applied | wanted and applied; what was outstanding or dead before is superseded |
    /// | another one | outstanding, in place of what was outstanding or dead |
    /// | none any more | what the sink has is kept; what was outstanding or dead is superseded |
    /// | any, and the sink calls the record otherwise than before | outstanding: it was made anew in the sink |
    ///
    /// The answer is the images of these records (but of those that were superseded) that are outstanding and due now:
    /// their jobs can be published. A repeated call answers them again.
    pub async fn settle(
        &self,
        pipeline: &PipelineName,
        settled: &[Settled],
    ) -> Result<Vec<OutstandingImage>, Failure> {
        forward!(self.settle(pipeline, settled))
    }

    /// Images that are wanted, neither applied nor dead, and due: never tried, or their retry time has come. Oldest
    /// first, at most `limit`; `after` is the version of the last one of the page before, so that one sweep lists each
    /// once. An image stays listed until it is settled, buried or held ([`State::hold_images`]): whoever enqueues what
    /// is listed holds it, or lets those jobs end before the next sweep, or their second jobs are taken for the work of
    /// a dead worker.
    pub async fn outstanding_images(
        &self,
        pipeline: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        forward!(self.outstanding_images(pipeline, after, limit))
    }

    /// Of the same those that take the place of another image that the sink has, in the same order: a first load's
    /// backlog may take days, and they are not to wait behind it.
    pub async fn changed_images(
        &self,
        pipeline: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        forward!(self.changed_images(pipeline, after, limit))
    }

    /// These images were published: [`State::outstanding_images`] lists them again only after `until`, when their jobs
    /// must have been lost. Attempts are untouched, a later time that was noted stays, and so does what is wanted under
    /// another version by now.
    pub async fn hold_images(
        &self,
        pipeline: &PipelineName,
        images: &[(RecordKey, Version)],
        until: Timestamp,
    ) -> Result<(), Failure> {
        forward!(self.hold_images(pipeline, images, until))
    }

    /// When the first of the images that wait for their retry time is due; `None` where none waits. Read after
    /// [`State::outstanding_images`] has listed nothing more, to know how long to wait.
    pub async fn next_image_retry(&self, pipeline: &PipelineName) -> Result<Option<Timestamp>, Failure> {
        forward!(self.next_image_retry(pipeline))
    }

    /// Claims image jobs, as [`State::claim`] does record jobs, with started marks of their own. `under_way` images are in
    /// the claimant's hand already: one that is marked is claimed alone, when none is and no other is claimed with it.
    pub async fn claim_images(
        &self,
        pipeline: &PipelineName,
        claims: &[ImageClaim],
        under_way: usize,
        claimant: &Claimant,
    ) -> Result<Vec<ClaimedImage>, Failure> {
        forward!(self.claim_images(pipeline, claims, under_way, claimant))
    }

    /// What the sink has for the images of these records is not believed any more: where one is wanted, it is outstanding
    /// again, fetched anew and compared with what the sink has.
    pub async fn forget_images(&self, pipeline: &PipelineName, keys: &[RecordKey]) -> Result<(), Failure> {
        forward!(self.forget_images(pipeline, keys))
    }

    /// Takes the claimant's started marks of images back: the jobs were not worked on to an end.
    pub async fn release_images(
        &self,
        pipeline: &PipelineName,
        keys: &[RecordKey],
        claimant: &Claimant,
    ) -> Result<(), Failure> {
        forward!(self.release_images(pipeline, keys, claimant))
    }

    /// Records how image jobs ended, in one transaction: what is applied moves to the job's image and hash, and a
    /// success takes attempts and started marks and clears the image's dead letter.
    ///
    /// A job that wrote (created, updated) an image that is no longer the wanted one may have written over it: the
    /// wanted one is outstanding again.
    pub async fn settle_images(
        &self,
        pipeline: &PipelineName,
        settled: &[SettledImage],
    ) -> Result<(), Failure> {
        forward!(self.settle_images(pipeline, settled))
    }

    /// Notes that an attempt at an image failed and when the next one is due; its started marks go. The class decides
    /// whether an attempt is spent. A redriven image is outstanding again; one that is no longer wanted stays so.
    pub async fn retry_image(
        &self,
        pipeline: &PipelineName,
        key: &RecordKey,
        version: Version,
        retry_at: Timestamp,
        failure: &Attempt,
    ) -> Result<(), Failure> {
        forward!(self.retry_image(pipeline, key, version, retry_at, failure))
    }

    /// Notes dead letters, one per record and one per image (a newer version replaces the entry, an older one does
    /// not), and counts the places of records as dead. A letter about a version that was applied meanwhile is only
    /// counted. A record whose image is dead stays applied; a letter about an image that is no longer wanted leaves no
    /// trace.
    pub async fn bury(&self, letters: &[DeadLetter]) -> Result<(), Failure> {
        forward!(self.bury(letters))
    }

    /// Dead letters of a pipeline, newest first, at most `limit`: of one reason or of all, with numbers below `before`.
    pub async fn letters(
        &self,
        pipeline: &PipelineName,
        reason: Option<Reason>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<FiledLetter>, Failure> {
        forward!(self.letters(pipeline, reason, before, limit))
    }

    /// Of the newest `newest` dead letters of a pipeline those in whose JSON text `text` stands anywhere, newest first.
    pub async fn letters_with(
        &self,
        pipeline: &PipelineName,
        text: &str,
        newest: usize,
    ) -> Result<Vec<FiledLetter>, Failure> {
        forward!(self.letters_with(pipeline, text, newest))
    }

    /// The newest dead letters of a pipeline, newest first, at most `limit`.
    pub async fn dead_letters(
        &self,
        pipeline: &PipelineName,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Failure> {
        let filed = self.letters(pipeline, None, None, limit).await?;
        Ok(filed.into_iter().map(|filed| filed.letter).collect())
    }

    /// How many dead letters of a pipeline there are of each reason that has any.
    pub async fn letter_counts(&self, pipeline: &PipelineName) -> Result<Vec<(Reason, u64)>, Failure> {
        forward!(self.letter_counts(pipeline))
    }

    /// Makes what was given up outstanding again, with no attempt spent; the answers are in the order of `letters`. A
    /// letter is kept until its record or image is brought. The record's place in its run stays counted as dead.
    ///
    /// An image whose letter is answered [`Raised::Done`] is listed by [`State::outstanding_images`] from then on. Of a
    /// record the caller enqueues the letter's job, or leaves that to whoever looks for lost work.
    pub async fn redrive(
        &self,
        pipeline: &PipelineName,
        letters: &[LetterKey],
    ) -> Result<Vec<Raised>, Failure> {
        forward!(self.redrive(pipeline, letters))
    }

    /// Takes letters away and forgets what they are about; the answers are in the order of `letters`. A record goes back
    /// to what is applied of it, or is forgotten where nothing is: as soon as it is read from the source again, it is
    /// wanted anew. Of a discarded image the sink keeps what it has, until the source has another one.
    pub async fn discard(
        &self,
        pipeline: &PipelineName,
        letters: &[LetterKey],
    ) -> Result<Vec<Raised>, Failure> {
        forward!(self.discard(pipeline, letters))
    }

    /// Everything that is known of one record and its image; `None` where nothing is.
    pub async fn look(&self, pipeline: &PipelineName, key: &RecordKey) -> Result<Option<Sight>, Failure> {
        forward!(self.look(pipeline, key))
    }

    /// Walks over all records of a pipeline, about `limit` at a time: `after` is [`KnownPage::next`] of the page before,
    /// `None` at the begin of a walk. A record that is known from the begin of the walk to its end comes once; one that
    /// changes meanwhile may come twice, as it was at both times. Nothing is kept of a walk: it may be left or gone on
    /// with at any time, by any process.
    ///
    /// # Errors
    /// `Reason::Configuration` where `after` is none of this store.
    pub async fn known(
        &self,
        pipeline: &PipelineName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<KnownPage, Failure> {
        forward!(self.known(pipeline, after, limit))
    }

    /// How many records there are in which stage; costs the same whatever their number.
    pub async fn counts(&self, pipeline: &PipelineName) -> Result<Counts, Failure> {
        forward!(self.counts(pipeline))
    }

    /// The newest runs, newest first, of one pipeline or of all.
    pub async fn runs(
        &self,
        pipeline: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<RunSummary>, Failure> {
        forward!(self.runs(pipeline, limit))
    }

    /// One run.
    pub async fn run(&self, id: RunId) -> Result<Option<RunSummary>, Failure> {
        forward!(self.run(id))
    }

    /// Forgets what became of runs of a pipeline that began before a time, but for the open one. Jobs of theirs that still come
    /// are applied as ever, and counted nowhere.
    pub async fn forget_runs(&self, pipeline: &PipelineName, before: Timestamp) -> Result<(), Failure> {
        forward!(self.forget_runs(pipeline, before))
    }

    /// A small text kept under a name (what was learnt of a remote system and is dear to ask again).
    pub async fn memo(&self, name: &str) -> Result<Option<String>, Failure> {
        forward!(self.memo(name))
    }

    /// Replaces a small text by another one (`None`: it is not there, or is not to be), if it is still `before`.
    /// `false`: something else is there, and stays.
    ///
    /// # Errors
    /// Where the call failed on its way, nobody knows whether it was done: read the memo.
    pub async fn swap_memo(
        &self,
        name: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<bool, Failure> {
        forward!(self.swap_memo(name, before, after))
    }

    /// All small texts whose names begin with `prefix`, with their names, in the order of these.
    pub async fn memos(&self, prefix: &str) -> Result<Vec<(String, String)>, Failure> {
        forward!(self.memos(prefix))
    }

    /// Keeps a message that is no job of ours, once however often it is told. The newest 10,000 are kept.
    pub async fn bury_stray(&self, stray: &Stray) -> Result<(), Failure> {
        forward!(self.bury_stray(stray))
    }

    /// Strays, newest first, at most `limit`.
    pub async fn strays(&self, limit: usize) -> Result<Vec<Stray>, Failure> {
        forward!(self.strays(limit))
    }

    /// Forgets a stray; whether it was there.
    pub async fn discard_stray(&self, id: &Checksum) -> Result<bool, Failure> {
        forward!(self.discard_stray(id))
    }

    /// How many strays are kept.
    pub async fn stray_count(&self) -> Result<u64, Failure> {
        forward!(self.stray_count())
    }

    /// Keeps a small text; `None` forgets it.
    pub async fn set_memo(&self, name: &str, text: Option<&str>) -> Result<(), Failure> {
        forward!(self.set_memo(name, text))
    }
}
