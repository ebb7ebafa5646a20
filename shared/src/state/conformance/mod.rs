//! What every store must do, as one suite. A new store adds a fixture and one line `conformance!(name, fixture)`.

mod dead_letter;
mod file;
mod image;
mod property;
mod run;
mod want;
mod work;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::checksum::Checksum;
use crate::failure::{Class, Reason};
use crate::job::{Attempt, FORMAT, Job, JobKind};
use crate::record::{ImageReference, Outcome};

/// A store that can be opened again and wiped.
trait Fixture {
    /// Opens the store. A second call sees what the first has written.
    async fn open(&self) -> State;
    /// Removes everything, as an operator would who deletes the file.
    async fn wipe(&mut self);
}

struct Memory(State);

impl Memory {
    async fn new() -> Self {
        Self(State::open_memory().await.unwrap())
    }
}

impl Fixture for Memory {
    async fn open(&self) -> State {
        self.0.clone()
    }
    async fn wipe(&mut self) {
        *self = Self::new().await;
    }
}

struct SqliteFile(TempDir);

impl SqliteFile {
    #[expect(clippy::unused_async, reason = "every fixture is made by an asynchronous call")]
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("state.db")
    }
}

impl Fixture for SqliteFile {
    async fn open(&self) -> State {
        State::open_file(&self.path()).await.unwrap()
    }
    async fn wipe(&mut self) {
        *self = Self::new().await;
    }
}

/// One module with a test per rule.
macro_rules! conformance {
    ($store:ident, $fixture:expr) => {
        mod $store {
            use super::*;
            conformance!(@tests $fixture;
                want: an_unknown_record_is_enqueued,
                want: the_same_values_are_enqueued_once_in_an_epoch,
                want: other_values_are_enqueued_under_a_newer_version_at_the_same_place,
                want: applied_values_are_unchanged_in_a_later_run,
                want: applied_values_were_enqueued_already_by_this_run,
                want: a_forced_run_enqueues_what_is_applied_and_what_is_dead_once,
                want: dead_values_stay_dead_and_changed_ones_are_tried,
                want: what_an_older_run_left_outstanding_is_enqueued_anew_only_where_its_job_is_lost,
                want: a_resumed_run_knows_what_it_had_noted,
                want: a_place_taken_over_by_a_later_run_is_superseded_in_its_own,
                want: the_answers_stand_in_the_order_of_the_wants,
                want: versions_grow_after_everything_was_deleted,
                want: outstanding_records_come_oldest_first_in_pages,
                want: a_withdrawn_record_goes_back_to_what_is_applied,
                want: a_withdrawn_record_that_was_never_applied_is_forgotten,
                want: withdrawing_what_is_not_outstanding_changes_nothing,
                want: pipelines_do_not_see_each_other,
                run: a_pipeline_that_never_ran_is_unknown,
                run: a_complete_run_moves_the_cursor,
                run: a_failed_run_stays_open_and_goes_on_from_its_position,
                run: a_new_run_closes_an_open_one_as_interrupted,
                run: a_reset_forgets_records_letters_and_cursor,
                run: a_job_from_before_a_reset_is_superseded_and_leaves_no_trace,
                run: jobs_that_came_before_the_first_run_are_forgotten_by_it,
                run: a_page_counts_once,
                run: finishing_twice_is_finishing_once,
                run: a_producer_that_was_taken_over_gives_no_versions,
                run: history_is_newest_first_and_bounded_by_the_limit,
                run: force_survives_a_resumption,
                run: a_memo_is_kept_replaced_and_forgotten,
                work: a_claimed_job_goes_on_with_its_sink_id,
                work: an_older_version_is_superseded_and_an_applied_one_is_applied,
                work: started_marks_count_until_they_are_taken_back,
                work: started_marks_belong_to_one_version,
                work: started_marks_go_on_when_the_same_values_are_enqueued_again,
                work: a_marked_job_in_a_batch_is_to_be_claimed_alone,
                work: a_job_that_the_state_does_not_know_goes_on,
                work: settling_twice_counts_once,
                work: every_outcome_has_its_place_in_the_ledger,
                work: applied_never_goes_back,
                work: a_late_write_of_an_older_version_is_repaired,
                work: an_older_job_that_wrote_nothing_leaves_nothing_to_repair,
                work: a_superseded_job_leaves_its_place_to_the_newer_version,
                work: the_sink_id_outlives_an_update_that_does_not_name_it,
                work: places_far_apart_are_counted_each,
                image: an_image_is_outstanding_once_its_record_stands_in_the_sink,
                image: a_record_with_another_image_or_none_any_more_is_enqueued,
                image: the_same_image_is_brought_once,
                image: another_image_takes_the_place_of_the_one_before,
                image: an_image_that_the_source_lost_stays_in_the_sink,
                image: back_to_the_image_in_the_sink_leaves_nothing_to_bring,
                image: a_record_made_anew_in_the_sink_gets_its_image_again,
                image: an_older_record_job_says_nothing_of_the_image,
                image: a_claimed_image_goes_on_with_the_hash_of_what_the_sink_has,
                image: a_hash_that_was_not_looked_at_is_kept,
                image: images_have_started_marks_of_their_own,
                image: an_image_waits_for_its_retry_time_and_keeps_its_attempts,
                image: the_failures_kept_of_an_image_are_bounded,
                image: outstanding_images_come_oldest_first_in_pages,
                image: a_dead_image_leaves_its_record_applied,
                image: a_redriven_image_is_tried_again,
                image: a_letter_about_an_image_that_is_not_wanted_leaves_no_trace,
                image: a_late_write_of_an_older_image_is_repaired,
                image: a_withdrawn_record_wants_no_image_until_it_is_back,
                image: a_reset_forgets_images_and_supersedes_their_jobs,
                image: an_image_job_that_the_state_does_not_know_goes_on,
                image: images_of_one_pipeline_are_unknown_to_another,
                dead_letter: a_dead_letter_comes_back_as_it_was,
                dead_letter: burying_twice_counts_once,
                dead_letter: a_newer_version_replaces_the_letter_and_an_older_does_not,
                dead_letter: a_success_clears_the_letter_of_its_version,
                dead_letter: a_letter_is_kept_while_changed_values_are_tried,
                dead_letter: a_letter_about_what_was_applied_meanwhile_is_only_counted,
                dead_letter: the_newest_letters_come_first,
                dead_letter: a_redriven_job_is_claimed_again,
            );
        }
    };
    (@tests $fixture:expr; $($part:ident: $rule:ident,)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                super::$part::$rule($fixture).await;
            }
        )*
    };
}

conformance!(sqlite_memory, Memory::new().await);
conformance!(sqlite_file, SqliteFile::new().await);

fn products() -> PipelineName {
    "products".parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn sum(content: u8) -> Checksum {
    Checksum::try_from([content; 32].as_slice()).unwrap()
}

fn binding() -> Binding {
    Binding { source: "http://erp/db".to_owned(), sink: "file 1".to_owned(), mapping: sum(0) }
}

fn new_run() -> NewRun {
    NewRun {
        pipeline: products(),
        kind: RunKind::Incremental,
        window: Window {
            start: Some(time("2026-11-20T00:00:00.123456789Z")),
            end: time("2026-11-21T00:00:00.5Z"),
        },
        binding: binding(),
        force: false,
        reset: false,
    }
}

async fn begin(state: &State) -> Run {
    state.begin_run(&new_run()).await.unwrap()
}

fn want_of(id: u64, content: u8) -> Want {
    Want { key: id.into(), checksum: sum(content), image: None }
}

async fn want(state: &State, run: &Run, id: u64, content: u8) -> Wanted {
    state.want(run, &[want_of(id, content)], false).await.unwrap()[0]
}

async fn want_lost(state: &State, run: &Run, id: u64, content: u8) -> Wanted {
    state.want(run, &[want_of(id, content)], true).await.unwrap()[0]
}

/// A job as its producer made it.
#[derive(Debug, Clone, Copy)]
struct Made {
    run: RunId,
    id: u64,
    content: u8,
    version: Version,
    place: u64,
    /// The number of its image, see [`image::image`].
    image: Option<u8>,
}

/// Wants values that must be new.
async fn enqueue(state: &State, run: &Run, id: u64, content: u8) -> Made {
    made(run, id, content, want(state, run, id, content).await)
}

fn made(run: &Run, id: u64, content: u8, answer: Wanted) -> Made {
    match answer {
        Wanted::Enqueue { version, place } => Made { run: run.id, id, content, version, place, image: None },
        other => panic!("{other:?} instead of a job for record {id}"),
    }
}

impl Made {
    fn settled(&self, outcome: Outcome) -> Settled {
        Settled {
            run: self.run,
            place: self.place,
            key: self.id.into(),
            version: self.version,
            checksum: sum(self.content),
            outcome,
            sink_id: Some(format!("sink-{}", self.id)),
            image: self.image.map(image::image),
        }
    }

    async fn settle(&self, state: &State, outcome: Outcome) {
        state.settle(&products(), &[self.settled(outcome)]).await.unwrap();
    }

    async fn claim(&self, state: &State) -> Claimed {
        let claim = Claim { key: self.id.into(), version: self.version };
        state.claim(&products(), &[claim]).await.unwrap().remove(0)
    }

    fn letter(&self, message: &str) -> DeadLetter {
        let attempt = |message: &str| Attempt {
            at: time("2026-11-21T10:00:00.25Z"),
            class: Class::Permanent,
            reason: Reason::BadRecord,
            message: message.to_owned(),
        };
        DeadLetter {
            job: Job {
                format: FORMAT,
                kind: JobKind::Record,
                pipeline: products(),
                key: self.id.into(),
                version: self.version,
                checksum: sum(self.content),
                run: self.run,
                place: self.place,
                attempt: 2,
                values: serde_json::from_str(r#"{"list_price":10.50,"uom_id":[1,"Units"]}"#).unwrap(),
                image: self.image.map(image::image),
                sink_id: None,
                source_time: Some("2026-11-20 22:41:09".to_owned()),
                failures: vec![attempt("first")],
            },
            failure: attempt(message),
        }
    }

    async fn bury(&self, state: &State, message: &str) {
        state.bury(&[self.letter(message)]).await.unwrap();
    }
}

/// The marks of a claim that may go on.
fn marks(claimed: &Claimed) -> u32 {
    match claimed {
        Claimed::Go { marks, .. } => *marks,
        other => panic!("{other:?} instead of going on"),
    }
}

async fn counts(state: &State) -> Counts {
    state.counts(&products()).await.unwrap()
}

async fn ledger(state: &State, run: RunId) -> Ledger {
    state.run(run).await.unwrap().unwrap().ledger
}

async fn finish(state: &State, run: &Run) -> RunSummary {
    state.finish_run(run, &RunEnd::Complete).await.unwrap()
}

/// All outstanding keys, oldest first.
async fn outstanding(state: &State) -> Vec<String> {
    let all = Version { epoch: u64::MAX >> 1, sequence: 0 };
    let found = state.outstanding(&products(), all, 100).await.unwrap();
    found.iter().map(|record| record.key.to_string()).collect()
}
