//! Dead letters: listed, found, tried again, discarded.
//!
//! Redriving first makes a record outstanding in the state and then enqueues its job, as enumerating does: whoever dies in
//! between leaves outstanding work whose job is lost, which is read again from the source and enqueued by the next run (on
//! one machine at once, in a fleet after `lost_after`). So it may be broken off and repeated at any time.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::crash::{self, Point};
use shared::failure::{Failure, Reason};
use shared::job::{Attempt, JobKind};
use shared::queue::Queue;
use shared::record::{PipelineName, RecordKey};
use shared::state::{DeadLetter, FiledLetter, LetterKey, Raised, Sight, State};

/// Letters read and changed at once.
const PAGE: usize = 200;

/// Failures that go along with a job that is tried again.
const FAILURES_MAX: usize = 10;

/// A page of a pipeline's dead letters.
#[derive(Debug, Clone, Serialize)]
pub struct LetterPage {
    /// Of which pipeline.
    pub pipeline: PipelineName,
    /// How many there are in all.
    pub kept: u64,
    /// How many there are of each reason.
    pub reasons: Vec<ReasonCount>,
    /// Newest first.
    pub letters: Vec<Line>,
    /// The next page begins below this number; `None` after the last one.
    pub next: Option<u64>,
}

/// How many dead letters have a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// Which.
    pub reason: Reason,
    /// How many.
    pub letters: u64,
}

/// A dead letter without its values.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Of the pipeline's letters, in the order of their coming.
    pub number: u64,
    /// A record, or the image of one.
    pub kind: JobKind,
    /// Which record.
    pub key: RecordKey,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub failure: Attempt,
}

impl From<FiledLetter> for Line {
    fn from(FiledLetter { number, letter }: FiledLetter) -> Self {
        let attempts = if letter.unmapped { 0 } else { letter.job.attempt };
        Self { number, kind: letter.job.kind, key: letter.job.key, attempts, failure: letter.failure }
    }
}

/// Which dead letters of a pipeline are meant.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// All that are there now.
    All,
    /// Those with a reason.
    Reason(Reason),
    /// Those of these records, and of their images.
    Keys(&'a [RecordKey]),
}

/// What became of the letters that were meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Tried again, or discarded.
    pub done: u64,
    /// Of these, records that could not be mapped: the next run reads them again from the source.
    pub read_again: u64,
    /// Left as they are: they are being tried again already.
    pub under_way: u64,
}

/// Lists a pipeline's letters below the number `before`; costs the same whatever their number.
///
/// # Errors
/// The state's.
pub async fn list(
    state: &State,
    pipeline: &PipelineName,
    reason: Option<Reason>,
    before: Option<u64>,
    limit: usize,
) -> Result<LetterPage, Failure> {
    let letters = state.letters(pipeline, reason, before, limit).await?;
    let next = letters.last().filter(|_| letters.len() == limit).map(|filed| filed.number);
    let mut reasons: Vec<ReasonCount> = state
        .letter_counts(pipeline)
        .await?
        .into_iter()
        .map(|(reason, letters)| ReasonCount { reason, letters })
        .collect();
    reasons.sort_by_key(|count| (std::cmp::Reverse(count.letters), count.reason.label()));
    Ok(LetterPage {
        pipeline: pipeline.clone(),
        kept: reasons.iter().map(|count| count.letters).sum(),
        reasons,
        letters: letters.into_iter().map(Line::from).collect(),
        next,
    })
}

/// The letters of a record and of its image.
///
/// # Errors
/// The state's.
pub async fn of_record(
    state: &State,
    pipeline: &PipelineName,
    key: &RecordKey,
) -> Result<Vec<DeadLetter>, Failure> {
    let Some(Sight { letter, image_letter, .. }) = state.look(pipeline, key).await? else {
        return Ok(Vec::new());
    };
    Ok([letter, image_letter].into_iter().flatten().collect())
}

/// Tries what was given up once more, with all attempts ahead of it. Jobs of records go to `queue`; without one (on one
/// machine) the next run enqueues them.
///
/// # Errors
/// `Reason::Missing` where a record that was named has no letter: nothing was changed. The state's and the queue's.
pub async fn redrive(
    state: &State,
    queue: Option<&Queue>,
    pipeline: &PipelineName,
    which: Which<'_>,
) -> Result<Outcomes, Failure> {
    let mut outcomes = Outcomes::default();
    let mut walk = Walk::new(state, pipeline, which).await?;
    while let Some(letters) = walk.next().await? {
        let keys: Vec<LetterKey> = letters.iter().map(LetterKey::of).collect();
        let raised = state.redrive(pipeline, &keys).await?;
        crash::point(Point::Redriven);
        outcomes.add(&raised);
        let done = letters.into_iter().zip(raised).filter(|(_, raised)| *raised == Raised::Done);
        let records: Vec<DeadLetter> =
            done.map(|(letter, _)| letter).filter(|letter| letter.job.kind == JobKind::Record).collect();
        outcomes.read_again += records.iter().filter(|letter| letter.unmapped).count() as u64;
        if let Some(queue) = queue {
            enqueue(queue, records).await?;
        }
    }
    Ok(outcomes)
}

/// Takes letters away, and what they are about is no longer wanted: see [`State::discard`].
///
/// # Errors
/// As [`redrive`].
pub async fn discard(state: &State, pipeline: &PipelineName, which: Which<'_>) -> Result<Outcomes, Failure> {
    let mut outcomes = Outcomes::default();
    let mut walk = Walk::new(state, pipeline, which).await?;
    while let Some(letters) = walk.next().await? {
        let keys: Vec<LetterKey> = letters.iter().map(LetterKey::of).collect();
        outcomes.add(&state.discard(pipeline, &keys).await?);
    }
    Ok(outcomes)
}

/// Jobs of letters, confirmed and routed. What could not be mapped is no job that a sink may see.
async fn enqueue(queue: &Queue, letters: Vec<DeadLetter>) -> Result<(), Failure> {
    let mut receipts = Vec::with_capacity(letters.len());
    for DeadLetter { mut job, failure, unmapped } in letters {
        if unmapped {
            continue;
        }
        job.attempt = 1;
        job.failures.push(failure);
        let surplus = job.failures.len().saturating_sub(FAILURES_MAX);
        job.failures.drain(..surplus);
        receipts.push(queue.publish(job).await?);
    }
    for receipt in receipts {
        receipt.durable().await?;
    }
    Ok(())
}

impl Outcomes {
    fn add(&mut self, raised: &[Raised]) {
        let count = |which| raised.iter().filter(|raised| **raised == which).count() as u64;
        self.done += count(Raised::Done);
        self.under_way += count(Raised::UnderWay);
    }
}

/// Pages of the letters that are meant, newest first. What dies meanwhile has a higher number and is not met.
pub struct Walk<'a> {
    state: &'a State,
    pipeline: &'a PipelineName,
    reason: Option<Reason>,
    before: Option<u64>,
    /// Those of named records.
    named: Option<Vec<DeadLetter>>,
    over: bool,
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}

impl<'a> Walk<'a> {
    /// Nothing is read yet but the letters of named records.
    ///
    /// # Errors
    /// As [`redrive`].
    pub async fn new(
        state: &'a State,
        pipeline: &'a PipelineName,
        which: Which<'_>,
    ) -> Result<Self, Failure> {
        let mut walk = Self { state, pipeline, reason: None, before: None, named: None, over: false };
        match which {
            Which::All => {}
            Which::Reason(reason) => walk.reason = Some(reason),
            Which::Keys(keys) => {
                let mut named = Vec::new();
                for key in keys.iter().collect::<BTreeSet<_>>() {
                    let letters = of_record(state, pipeline, key).await?;
                    if letters.is_empty() {
                        return Err(nothing_of(pipeline, key));
                    }
                    named.extend(letters);
                }
                walk.named = Some(named);
            }
        }
        Ok(walk)
    }

    /// The next page; `None` after the last one.
    ///
    /// # Errors
    /// The state's.
    pub async fn next(&mut self) -> Result<Option<Vec<DeadLetter>>, Failure> {
        if self.over {
            return Ok(None);
        }
        if let Some(named) = self.named.take() {
            self.over = true;
            return Ok(Some(named));
        }
        let page = self.state.letters(self.pipeline, self.reason, self.before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.before = Some(last.number);
        self.over = page.len() < PAGE;
        Ok(Some(page.into_iter().map(|filed| filed.letter).collect()))
    }
}

/// In words.
pub fn nothing_of(pipeline: &PipelineName, key: &RecordKey) -> Failure {
    Failure::configuration(format!("record '{key}' of {pipeline} is not in the dead letters")).advise(
        "`catalog-sync dead list` names those that are; `catalog-sync why` tells what became of a record",
    )
}

#[cfg(test)]
mod tests {
    use shared::checksum::Checksum;
    use shared::failure::Class;
    use shared::state::{Binding, NewRun, Run, RunKind, Want, Wanted, Window};

    use super::*;

    fn items() -> PipelineName {
        "items".parse().unwrap()
    }

    async fn begin(state: &State) -> Run {
        let binding = Binding { source: "a".to_owned(), sink: "b".to_owned(), mapping: sum(0) };
        let window = Window { start: None, end: "2026-11-26T00:00:00Z".parse().unwrap() };
        let new =
            NewRun { pipeline: items(), kind: RunKind::Full, window, binding, force: false, reset: false };
        state.begin_run(&new).await.unwrap()
    }

    fn sum(number: u64) -> Checksum {
        Checksum::of_value(&number.into())
    }

    /// A record that was given up, with two attempts behind it.
    async fn bury(state: &State, run: &Run, id: u64, reason: Reason, unmapped: bool) -> DeadLetter {
        let want = Want { key: id.into(), checksum: sum(id), image: None };
        let Wanted::Enqueue { version, place } = state.want(run, &[want], false).await.unwrap()[0] else {
            panic!("{id} is new");
        };
        let failure = Attempt::of(&Failure::new(Class::Permanent, reason, format!("record {id} is refused")));
        let job = serde_json::json!({
            "format": 1, "kind": "record", "pipeline": "items", "key": id.to_string(), "version": version,
            "checksum": sum(id), "run": run.id, "place": place, "attempt": 3, "values": {"name": "x"},
            "failures": [failure],
        });
        let letter = DeadLetter { job: serde_json::from_value(job).unwrap(), failure, unmapped };
        state.bury(std::slice::from_ref(&letter)).await.unwrap();
        letter
    }

    #[tokio::test]
    async fn redriven_jobs_have_all_attempts_ahead_and_are_enqueued_once() {
        let state = State::open_memory().await.unwrap();
        let run = begin(&state).await;
        let letter = bury(&state, &run, 1, Reason::BadRecord, false).await;
        bury(&state, &run, 2, Reason::Timeout, false).await;
        bury(&state, &run, 3, Reason::BadRecord, true).await;
        let queue = Queue::memory(10);
        let which = Which::Reason(Reason::BadRecord);
        // In a queue in memory a job is durable once it was settled.
        let mut consumer = queue.consume(&items(), JobKind::Record, 10);
        let worked = tokio::spawn(async move {
            let mut delivery = consumer.next().await.unwrap();
            let job = delivery.take_job().unwrap();
            delivery.ack().await.unwrap();
            (job, consumer.try_next().is_some())
        });
        let outcomes = redrive(&state, Some(&queue), &items(), which).await.unwrap();
        assert_eq!(outcomes, Outcomes { done: 2, read_again: 1, under_way: 0 });
        let (job, more) = worked.await.unwrap();
        assert_eq!((job.key, job.attempt, job.version, more), (1.into(), 1, letter.job.version, false));
        assert_eq!(job.failures, [letter.failure.clone(), letter.failure], "the last one is told, too");
        let again = redrive(&state, Some(&queue), &items(), which).await.unwrap();
        assert_eq!(again, Outcomes { under_way: 2, ..Outcomes::default() });
        assert_eq!(state.counts(&items()).await.unwrap().outstanding, 2);
        let page = list(&state, &items(), None, None, 2).await.unwrap();
        assert_eq!((page.kept, page.letters.len()), (3, 2));
        assert_eq!(page.reasons[0], ReasonCount { reason: Reason::BadRecord, letters: 2 });
        assert_eq!((page.letters[0].attempts, page.letters[1].attempts), (0, 3));
        let rest = list(&state, &items(), None, page.next, 2).await.unwrap();
        assert_eq!((rest.letters.len(), rest.next), (1, None));
    }

    #[tokio::test]
    async fn a_record_without_a_letter_stops_all_that_were_named() {
        let state = State::open_memory().await.unwrap();
        let run = begin(&state).await;
        bury(&state, &run, 1, Reason::BadRecord, false).await;
        let keys = [1.into(), 2.into()];
        for failure in [
            redrive(&state, None, &items(), Which::Keys(&keys)).await.unwrap_err(),
            discard(&state, &items(), Which::Keys(&keys)).await.unwrap_err(),
        ] {
            assert!(failure.what().contains("record '2' of items"), "{failure}");
        }
        let counts = state.counts(&items()).await.unwrap();
        assert_eq!((counts.outstanding, counts.dead), (0, 1));
        discard(&state, &items(), Which::Keys(&keys[..1])).await.unwrap();
        assert_eq!(state.counts(&items()).await.unwrap().dead, 0);
    }

    #[tokio::test]
    async fn more_than_a_page_is_walked_to_its_end() {
        let state = State::open_memory().await.unwrap();
        let run = begin(&state).await;
        for id in 1..=450 {
            bury(&state, &run, id, Reason::BadRecord, false).await;
        }
        let outcomes = redrive(&state, None, &items(), Which::All).await.unwrap();
        assert_eq!(outcomes, Outcomes { done: 450, ..Outcomes::default() });
        assert_eq!(discard(&state, &items(), Which::All).await.unwrap().under_way, 450);
    }
}
