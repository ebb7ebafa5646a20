//! What every store must do, as one suite. A new store adds a fixture and one line `conformance!(name, Fixture)`.
//!
//! All clocks are the real ones: what has to pass is a millisecond, and it is waited for by asking.

mod dead_letter;
mod doubt;
mod feed;
mod file;
mod fixture;
mod fleet;
mod gone;
mod image;
mod image_end;
mod image_list;
mod late;
mod lease;
mod made;
mod memo;
mod outage;
mod property;
mod redis_server;
mod run;
mod sight;
mod stray;
mod want;
mod work;

use std::time::Duration;

use jiff::Timestamp;

use fixture::{Fixture, Memory, Redis, SqliteFile};
use made::{Made, enqueue, made, marks};

use super::*;
use crate::checksum::Checksum;
use crate::failure::{Class, Reason};
use crate::job::{Attempt, FORMAT, Job, JobKind};
use crate::record::{ImageHash, ImageReference, Outcome};

/// One module with a test per rule.
macro_rules! conformance {
    ($store:ident, $fixture:ident) => {
        mod $store {
            use super::*;
            #[test]
            fn ledgers_and_totals_balance_whatever_happens() {
                super::property::ledgers_and_totals_balance_whatever_happens::<$fixture>();
            }
            #[test]
            fn jobs_of_two_epochs_in_any_order_never_take_applied_back() {
                super::property::jobs_of_two_epochs_in_any_order_never_take_applied_back::<$fixture>();
            }
            #[test]
            fn the_newest_stays_whoever_dies_and_whatever_comes_late() {
                super::late::the_newest_stays_whoever_dies_and_whatever_comes_late::<$fixture>();
            }
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
                want: weighing_tells_what_a_run_would_enqueue_and_notes_nothing,
                want: weighing_tells_which_images_would_follow,
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
                run: runs_are_forgotten_by_their_age_and_the_open_one_is_not,
                run: force_survives_a_resumption,
                run: a_run_over_some_records_moves_neither_cursor_nor_last_full,
                run: a_run_is_over_when_it_is_complete_and_its_last_job_has_ended,
                memo: a_memo_is_kept_replaced_and_forgotten,
                memo: a_memo_is_swapped_only_where_it_is_what_it_was,
                memo: of_two_that_swap_at_once_one_wins,
                memo: memos_are_listed_by_their_beginning,
                memo: the_clock_of_the_store_goes_on,
                work: a_claimed_job_goes_on_with_its_sink_id,
                work: an_older_version_is_superseded_and_an_applied_one_is_applied,
                work: started_marks_count_until_they_are_taken_back,
                work: started_marks_belong_to_one_version,
                work: started_marks_go_on_when_the_same_values_are_enqueued_again,
                work: a_marked_job_is_to_be_claimed_with_fewer_and_fewer_others,
                work: a_job_that_the_state_does_not_know_goes_on,
                work: settling_twice_counts_once,
                work: every_outcome_has_its_place_in_the_ledger,
                work: applied_never_goes_back,
                work: a_late_write_of_an_older_version_is_repaired,
                work: an_older_job_that_wrote_nothing_leaves_nothing_to_repair,
                work: a_superseded_job_leaves_its_place_to_the_newer_version,
                work: the_sink_id_outlives_an_update_that_does_not_name_it,
                work: places_far_apart_are_counted_each,
                lease: what_a_live_worker_has_in_hand_is_held,
                lease: a_worker_that_has_ended_its_job_holds_nothing_whatever_was_wanted_meanwhile,
                lease: whoever_shows_no_sign_of_life_is_dead,
                lease: a_worker_claims_again_what_it_has_marked_itself,
                lease: a_worker_takes_back_its_own_marks_only,
                lease: the_end_of_a_superseded_job_takes_nobodys_mark,
                gone: a_record_that_is_gone_is_counted_so_and_comes_back,
                gone: a_record_that_was_archived_in_vain_is_brought_back_all_the_same,
                gone: an_archiving_call_that_lands_late_over_a_return_is_repaired,
                gone: a_worker_that_archives_after_its_lease_is_repaired,
                gone: values_that_land_late_over_a_record_that_is_gone_are_repaired,
                gone: what_is_outstanding_as_gone_is_not_withdrawn,
                gone: an_image_of_a_record_that_is_gone_is_not_wanted,
                gone: a_complete_sweep_counts_as_a_run_over_everything,
                lease: a_withdrawn_record_stays_in_the_hand_that_has_it,
                lease: images_are_held_by_live_workers_too,
                doubt: a_late_write_of_a_dead_worker_is_repaired,
                doubt: a_late_write_of_a_call_that_was_broken_off_is_repaired,
                doubt: where_nothing_can_come_late_nothing_is_in_doubt,
                doubt: where_nothing_newer_was_applied_nothing_is_repaired,
                doubt: a_doubt_lasts_until_the_last_late_write_may_have_come,
                doubt: of_several_doubts_the_oldest_version_counts,
                doubt: a_doubt_is_kept_while_something_newer_is_being_written,
                doubt: a_reset_forgets_doubts,
                doubt: doubts_of_one_pipeline_are_unknown_to_another,
                doubt: many_doubts_are_looked_at_in_turn,
                image_list: what_the_sink_keeps_of_an_image_is_remembered_and_may_be_forgotten,
                image: an_image_is_outstanding_once_its_record_stands_in_the_sink,
                image: only_an_image_that_was_wanted_can_be_removed,
                image: a_record_with_another_image_or_none_any_more_is_enqueued,
                image: the_same_image_is_brought_once,
                image: another_image_takes_the_place_of_the_one_before,
                image: an_image_that_the_source_lost_stays_in_the_sink,
                image: back_to_the_image_in_the_sink_leaves_nothing_to_bring,
                image: a_record_made_anew_in_the_sink_gets_its_image_again,
                image: an_older_record_job_says_nothing_of_the_image,
                image: a_claimed_image_goes_on_with_the_hash_of_what_the_sink_has,
                image: a_hash_that_was_not_looked_at_is_kept,
                image_end: images_have_started_marks_of_their_own,
                image_end: an_image_waits_for_its_retry_time_and_keeps_its_attempts,
                image_end: the_failures_kept_of_an_image_are_bounded,
                image_list: outstanding_images_come_oldest_first_in_pages,
                image_list: changed_images_are_listed_without_those_that_the_sink_never_had,
                image_end: a_dead_image_leaves_its_record_applied,
                image_end: a_redriven_image_is_tried_again,
                image_end: a_letter_about_an_image_that_is_not_wanted_leaves_no_trace,
                image_end: a_late_write_of_an_older_image_is_repaired,
                image_end: a_withdrawn_record_wants_no_image_until_it_is_back,
                image_end: a_reset_forgets_images_and_supersedes_their_jobs,
                image_end: an_image_job_that_the_state_does_not_know_goes_on,
                image_end: images_of_one_pipeline_are_unknown_to_another,
                feed: a_settled_record_answers_its_image_until_that_is_brought,
                feed: a_superseded_record_answers_no_image,
                feed: images_of_a_batch_are_answered_once_each,
                feed: an_image_that_waits_for_its_retry_is_not_answered,
                feed: a_held_image_is_listed_again_when_its_time_is_over,
                feed: holding_takes_no_attempt_and_a_later_time_stays,
                feed: only_what_is_outstanding_under_that_version_is_held,
                stray: a_stray_comes_back_as_it_was_and_once,
                stray: the_newest_strays_come_first,
                stray: strays_are_cut_and_bounded,
                stray: a_discarded_stray_is_gone,
                sight: a_record_is_seen_from_want_to_success,
                sight: a_dead_record_is_seen_with_its_letter,
                sight: an_image_is_seen_beside_its_record,
                sight: a_doubt_is_seen_until_it_is_over,
                sight: a_walk_meets_every_record_once,
                sight: a_walk_misses_no_record_that_changes_meanwhile,
                sight: a_record_that_is_forgotten_is_met_no_more,
                dead_letter: a_dead_letter_comes_back_as_it_was,
                dead_letter: burying_twice_counts_once,
                dead_letter: a_newer_version_replaces_the_letter_and_an_older_does_not,
                dead_letter: a_success_clears_the_letter_of_its_version,
                dead_letter: a_letter_is_kept_while_changed_values_are_tried,
                dead_letter: a_letter_about_what_was_applied_meanwhile_is_only_counted,
                dead_letter: the_newest_letters_come_first,
                dead_letter: letters_are_found_by_what_stands_in_them,
                dead_letter: a_redriven_job_is_claimed_again,
                dead_letter: letters_are_listed_and_counted_by_their_reason,
                dead_letter: a_replaced_letter_stands_under_its_new_reason_only,
                dead_letter: a_redriven_record_is_outstanding_and_keeps_its_letter_until_it_succeeds,
                dead_letter: a_redriven_record_that_fails_again_is_dead_again,
                dead_letter: a_redriven_record_whose_job_is_lost_is_enqueued_anew,
                dead_letter: what_is_being_tried_already_is_neither_redriven_nor_discarded,
                dead_letter: a_discarded_record_goes_back_to_what_is_applied_and_is_wanted_anew,
                dead_letter: a_redriven_image_is_due_at_once_and_a_discarded_one_is_not_wanted,
            );
        }
    };
    (@tests $fixture:ident; $($part:ident: $rule:ident,)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                super::$part::$rule($fixture::new().await).await;
            }
        )*
    };
}

conformance!(sqlite_memory, Memory);
conformance!(sqlite_file, SqliteFile);
conformance!(redis, Redis);

fn products() -> PipelineName {
    "products".parse().unwrap()
}

/// The worker of most tests: it shows no sign of life.
fn us() -> Claimant {
    claimant("us", Duration::ZERO)
}

fn claimant(worker: &str, late: Duration) -> Claimant {
    Claimant { worker: worker.parse().unwrap(), late }
}

/// A worker shows that it is alive, or, with a time that has passed, that it was.
async fn show(state: &State, worker: &str, until: &str) {
    let presence = format!(r#"{{"until":"{until}","host":"a"}}"#);
    state.set_memo(&format!("worker/{worker}"), Some(&presence)).await.unwrap();
}

const FAR_OFF: &str = "2999-01-01T00:00:00Z";
const PAST: &str = "2026-11-21T10:00:00Z";

/// Asks until the answer is there.
async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), asked).await;
    answer.unwrap_or_else(|_| panic!("{what}: it did not come"))
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What is wanted of a record that is gone.
const GONE: u8 = u8::MAX;

fn sum(content: u8) -> Checksum {
    if content == GONE {
        return Checksum::GONE;
    }
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
