//! The budget by itself, and over a Zoho that counts as the real one does.

use std::collections::VecDeque;

use super::*;

const ALLOWED: Allowed = Allowed { per_minute: 80, at_once: 5, reserve_percent: 5 };

fn at(seconds: i64) -> Timestamp {
    later("2026-11-26T12:00:00Z".parse().unwrap(), SignedDuration::from_secs(seconds))
}

fn quota(limit: u64, remaining: u64, reset: i64) -> Quota {
    Quota { limit, remaining, resets_at: at(reset), told_at: at(0) }
}

fn admitted(budget: &mut Budget, class: CallClass, now: Timestamp) -> u64 {
    match budget.admit(class, ALLOWED, now) {
        Verdict::Go(seat) => seat,
        other => panic!("{other:?}"),
    }
}

fn made(budget: &mut Budget, class: CallClass, now: Timestamp, quota: Option<Quota>, told: Told) {
    let seat = admitted(budget, class, now);
    budget.end(Ended { seat, quota, told }, now);
}

fn left(budget: &Budget, now: Timestamp) -> u64 {
    budget.limits(now).day.unwrap().remaining
}

#[test]
fn calls_beyond_a_minute_wait_for_the_oldest_to_be_gone() {
    let mut budget = Budget::default();
    for second in 0..80 {
        made(&mut budget, CallClass::List, at(second / 4), None, Told::Well);
    }
    let Verdict::Wait { until, seat: false } = budget.admit(CallClass::List, ALLOWED, at(20)) else {
        panic!()
    };
    assert_eq!(until, at(62), "those of the first second count for 61 seconds after it");
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(61)), Verdict::Wait { .. }));
    for _ in 0..4 {
        made(&mut budget, CallClass::List, at(62), None, Told::Well);
    }
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(62)), Verdict::Wait { .. }));
}

#[test]
fn seats_are_taken_freed_renewed_and_those_of_the_killed_run_out() {
    let mut budget = Budget::default();
    let seats: Vec<u64> = (0..5).map(|_| admitted(&mut budget, CallClass::List, at(0))).collect();
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(0)), Verdict::Wait { seat: true, .. }));
    budget.end(Ended { seat: seats[0], quota: None, told: Told::Well }, at(1));
    admitted(&mut budget, CallClass::List, at(1));
    budget.renew(seats[1], at(6));
    for _ in 0..3 {
        admitted(&mut budget, CallClass::List, at(8));
    }
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(8)), Verdict::Wait { seat: true, .. }));
}

#[test]
fn each_class_leaves_some_of_the_day_to_the_more_urgent_ones_and_the_reserve_to_others() {
    let floors = CallClass::ALL.map(|class| class.floor(5_000, 5));
    assert_eq!(floors, [250, 300, 350, 400]);
    for (class, floor) in CallClass::ALL.into_iter().zip(floors) {
        let mut budget = Budget::default();
        made(&mut budget, CallClass::List, at(0), Some(quota(5_000, floor + 1, 3_600)), Told::Well);
        made(&mut budget, class, at(1), None, Told::Well);
        let Verdict::Refused { until, why: Why::Kept, .. } = budget.admit(class, ALLOWED, at(2)) else {
            panic!("{class:?}")
        };
        assert_eq!(until, at(3_602));
        if class > CallClass::List {
            admitted(&mut budget, CallClass::List, at(2));
        }
        admitted(&mut budget, class, at(3_602));
        assert!(left(&budget, at(3_602)) > 4_990, "a new day has all of its calls");
    }
}

#[test]
fn what_zoho_says_is_left_is_the_truth_whoever_used_it_and_in_whatever_order_it_is_heard() {
    let mut budget = Budget::default();
    let [first, second, third] = [0, 0, 0].map(|second| admitted(&mut budget, CallClass::List, at(second)));
    let end = |budget: &mut Budget, seat, remaining| {
        budget.end(Ended { seat, quota: Some(quota(5_000, remaining, 3_600)), told: Told::Well }, at(1));
    };
    end(&mut budget, second, 3_000);
    assert_eq!(left(&budget, at(1)), 2_999, "the third may not be in it");
    end(&mut budget, first, 3_001);
    assert_eq!(left(&budget, at(1)), 2_999, "an older answer is no news");
    end(&mut budget, third, 2_000);
    assert_eq!(left(&budget, at(1)), 2_000, "others used some");
    made(&mut budget, CallClass::List, at(2), Some(quota(1_000, 900, 3_600)), Told::Well);
    assert_eq!(left(&budget, at(2)), 900, "a plan may shrink");
    made(&mut budget, CallClass::List, at(2), Some(quota(57_500, 57_000, 3_600)), Told::Well);
    assert_eq!(left(&budget, at(2)), 57_000, "or grow");
    made(&mut budget, CallClass::List, at(3), None, Told::Well);
    assert_eq!(left(&budget, at(3)), 56_999, "an answer without headers was a call all the same");
}

#[test]
fn calls_that_zoho_counts_in_another_order_than_they_were_admitted_are_each_counted_once() {
    // The second of two was counted first; both orders in which that is heard.
    for heard in [[0, 1], [1, 0]] {
        let mut budget = Budget::default();
        made(&mut budget, CallClass::List, at(0), Some(quota(100, 90, 3_600)), Told::Well);
        let seats = [0, 1].map(|_| admitted(&mut budget, CallClass::List, at(1)));
        let told = [88, 89];
        for at_once in heard {
            let quota = Some(quota(100, told[at_once], 3_600));
            budget.end(Ended { seat: seats[at_once], quota, told: Told::Well }, at(2));
        }
        assert_eq!(left(&budget, at(2)), 88, "{heard:?}");
        // What a later call is told is newer, also where it is more.
        made(&mut budget, CallClass::List, at(3), Some(quota(100, 95, 3_600)), Told::Well);
        assert_eq!(left(&budget, at(3)), 95);
    }
}

#[test]
fn an_answer_of_the_day_before_does_not_spoil_the_new_day() {
    let mut budget = Budget::default();
    made(&mut budget, CallClass::List, at(0), Some(quota(5_000, 10, 2)), Told::Well);
    let [late, early] = [4, 4].map(|second| admitted(&mut budget, CallClass::List, at(second)));
    let new = Quota { limit: 5_000, remaining: 4_999, resets_at: at(86_402), told_at: at(2) };
    budget.end(Ended { seat: early, quota: Some(new), told: Told::Well }, at(5));
    budget.end(Ended { seat: late, quota: Some(quota(5_000, 9, 1)), told: Told::Well }, at(5));
    assert_eq!(left(&budget, at(5)), 4_999);
}

#[test]
fn a_block_is_only_made_longer_within_its_cause_and_one_call_tries_first_when_it_is_over() {
    let mut budget = Budget::default();
    let seats = [0; 4].map(|_| admitted(&mut budget, CallClass::List, at(0)));
    let end = |budget: &mut Budget, seat: u64, told| budget.end(Ended { seat, quota: None, told }, at(1));
    end(&mut budget, seats[0], Told::Minute(Duration::from_hours(1)));
    end(&mut budget, seats[1], Told::Minute(Duration::from_mins(1)));
    end(&mut budget, seats[2], Told::Well);
    end(&mut budget, seats[3], Told::Nothing);
    let Verdict::Refused { until, left, why: Why::Minute } = budget.admit(CallClass::List, ALLOWED, at(2))
    else {
        panic!()
    };
    assert_eq!((until, left.as_secs()), (at(3_601), 3_599));
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(3_598)), Verdict::Wait { .. }), "soon over");
    let trial = admitted(&mut budget, CallClass::List, at(3_601));
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(3_601)), Verdict::Wait { seat: true, .. }));
    budget.end(Ended { seat: trial, quota: None, told: Told::Well }, at(3_602));
    for _ in 0..5 {
        admitted(&mut budget, CallClass::List, at(3_602));
    }
}

#[test]
fn a_day_that_is_used_up_comes_back_at_the_reset_or_is_tried_each_hour_where_nobody_says_when() {
    let mut known = Budget::default();
    made(&mut known, CallClass::List, at(0), Some(quota(5_000, 4_000, 7_200)), Told::Well);
    made(&mut known, CallClass::List, at(1), None, Told::Spent(Some(Duration::from_hours(9))));
    let verdict = known.admit(CallClass::List, ALLOWED, at(2));
    assert!(matches!(verdict, Verdict::Refused { until, why: Why::Spent, .. } if until == at(7_202)));
    admitted(&mut known, CallClass::List, at(7_202));
    let mut unknown = Budget::default();
    made(&mut unknown, CallClass::List, at(1), None, Told::Spent(None));
    let verdict = unknown.admit(CallClass::List, ALLOWED, at(2));
    assert!(matches!(verdict, Verdict::Refused { until, .. } if until == at(3_601)));
}

#[test]
fn too_many_at_once_narrow_the_way_for_a_while() {
    let mut budget = Budget::default();
    let seats = [0; 4].map(|_| admitted(&mut budget, CallClass::List, at(0)));
    for seat in seats {
        let told = if seat == seats[0] { Told::Crowded } else { Told::Well };
        budget.end(Ended { seat, quota: None, told }, at(1));
    }
    for _ in 0..3 {
        admitted(&mut budget, CallClass::List, at(2));
    }
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(2)), Verdict::Wait { seat: true, .. }));
    for _ in 0..5 {
        admitted(&mut budget, CallClass::List, at(602));
    }
}

#[test]
fn images_that_hang_leave_one_call_for_lists_and_details() {
    for class in [CallClass::Changed, CallClass::Backfill] {
        let mut budget = Budget::default();
        for _ in 0..4 {
            admitted(&mut budget, class, at(0));
        }
        assert!(matches!(budget.admit(class, ALLOWED, at(1)), Verdict::Wait { seat: true, .. }));
        admitted(&mut budget, CallClass::List, at(1));
        assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(1)), Verdict::Wait { seat: true, .. }));
    }
    // Where only one call is allowed at once, it is everybody's.
    let alone = Allowed { at_once: 1, ..ALLOWED };
    assert!(matches!(Budget::default().admit(CallClass::Backfill, alone, at(0)), Verdict::Go(_)));
}

#[test]
fn a_list_goes_before_the_images_that_wait_with_it() {
    let mut budget = Budget::default();
    for _ in 0..80 {
        made(&mut budget, CallClass::Backfill, at(0), None, Told::Well);
    }
    for class in [CallClass::Backfill, CallClass::List, CallClass::Backfill] {
        assert!(matches!(budget.admit(class, ALLOWED, at(1)), Verdict::Wait { .. }));
    }
    assert!(matches!(budget.admit(CallClass::Backfill, ALLOWED, at(62)), Verdict::Wait { .. }));
    admitted(&mut budget, CallClass::List, at(62));
    admitted(&mut budget, CallClass::Backfill, at(62));
    for _ in 0..2 {
        admitted(&mut budget, CallClass::List, at(62));
    }
}

#[test]
fn a_list_that_gave_up_waiting_holds_nobody_up() {
    let mut budget = Budget::default();
    for _ in 0..80 {
        made(&mut budget, CallClass::Backfill, at(0), None, Told::Well);
    }
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(1)), Verdict::Wait { .. }));
    admitted(&mut budget, CallClass::Backfill, at(65));
}

#[test]
fn a_clock_that_was_set_back_leaves_nobody_waiting_for_the_future() {
    let mut budget = Budget::default();
    let day = 86_400;
    for _ in 0..80 {
        made(&mut budget, CallClass::List, at(day), Some(quota(5_000, 4_000, 3_600)), Told::Well);
    }
    admitted(&mut budget, CallClass::List, at(day + 63));
    assert!(matches!(budget.admit(CallClass::List, ALLOWED, at(0)), Verdict::Go(_)), "as made now");
    let seat = admitted(&mut budget, CallClass::List, at(1));
    budget.end(Ended { seat, quota: None, told: Told::Minute(Duration::from_hours(1)) }, at(day));
    let Verdict::Refused { until, .. } = budget.admit(CallClass::List, ALLOWED, at(10)) else { panic!() };
    assert_eq!(until, at(10 + 3_600));
    assert!(budget.limits(at(10)).day.unwrap().resets_at <= at(10 + 25 * 3_600));
    let mut jumped = Budget::default();
    for _ in 0..80 {
        made(&mut jumped, CallClass::List, at(0), None, Told::Well);
    }
    jumped.distrust_times(at(day));
    assert!(matches!(jumped.admit(CallClass::List, ALLOWED, at(day + 60)), Verdict::Wait { .. }));
    admitted(&mut jumped, CallClass::List, at(day + 62));
}

#[test]
fn it_is_the_same_after_the_state_had_it_and_small_however_much_is_called() {
    let mut budget = Budget::default();
    for second in 0..10_000 {
        let seat = budget.admit(CallClass::List, ALLOWED, at(second));
        if let Verdict::Go(seat) = seat {
            let told = if second == 9_999 { Told::Crowded } else { Told::Well };
            budget.end(Ended { seat, quota: Some(quota(5_000, 4_000, 9_000)), told }, at(second));
        }
    }
    let text = serde_json::to_string(&budget).unwrap();
    assert!(text.len() < 2_000, "{}", text.len());
    assert_eq!(serde_json::from_str::<Budget>(&text).unwrap(), budget);
    serde_json::from_str::<Budget>("{}").unwrap();
}

/// Counts as Zoho does: the calls of any 60 seconds with an hour's penalty, and those of a day until midnight.
struct Strict {
    calls: VecDeque<Timestamp>,
    day: i64,
    used: u64,
    per_day: u64,
    refused: u64,
}

impl Strict {
    fn new(per_day: u64) -> Self {
        Self { calls: VecDeque::new(), day: 0, used: 0, per_day, refused: 0 }
    }

    fn called(&mut self, now: Timestamp) -> (Option<Quota>, Told) {
        let (day, second) = (now.as_second().div_euclid(86_400), now.as_second().rem_euclid(86_400));
        if day != self.day {
            (self.day, self.used) = (day, 0);
        }
        self.calls.retain(|call| now.duration_since(*call).as_secs_f64() < 60.0);
        if self.calls.len() >= 100 {
            self.refused += 1;
            return (None, Told::Minute(Duration::from_hours(1)));
        }
        if self.used >= self.per_day {
            self.refused += 1;
            return (None, Told::Spent(None));
        }
        self.used += 1;
        self.calls.push_back(now);
        let quota = Quota {
            limit: self.per_day,
            remaining: self.per_day - self.used,
            resets_at: later(now, SignedDuration::from_secs(86_400 - second)),
            told_at: now,
        };
        (Some(quota), Told::Well)
    }
}

#[test]
fn twenty_thousand_images_on_five_thousand_calls_a_day_are_there_on_day_five_and_no_call_is_refused() {
    let (mut budget, mut zoho) = (Budget::default(), Strict::new(5_000));
    let start = "2026-11-26T01:00:00Z".parse().unwrap();
    let mut now: Timestamp = start;
    let (mut lists, mut images, mut calls) = (100, 20_000, 0);
    let mut fields_there = None;
    while images > 0 {
        let class = if lists > 0 { CallClass::List } else { CallClass::Backfill };
        match budget.admit(class, ALLOWED, now) {
            Verdict::Go(seat) => {
                let (quota, told) = zoho.called(now);
                budget.end(Ended { seat, quota, told }, now);
                calls += 1;
                if lists > 0 { lists -= 1 } else { images -= 1 }
            }
            Verdict::Wait { until, .. } | Verdict::Refused { until, .. } => now = until,
        }
        if lists == 0 {
            fields_there.get_or_insert(now);
        }
    }
    assert_eq!((calls, zoho.refused), (20_100, 0));
    let day =
        |time: Timestamp| time.as_second().div_euclid(86_400) - start.as_second().div_euclid(86_400) + 1;
    assert_eq!((day(fields_there.unwrap()), day(now)), (1, 5));
}
