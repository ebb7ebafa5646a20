use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::config::Rhythm;
use shared::failure::{Class, Failure, Reason};

use super::{DisabledBy, Interval, Kind, Next, Note, Overrides, Past};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn rhythm() -> Rhythm {
    Rhythm {
        every: Duration::from_hours(6),
        compare_every: Some(Duration::from_hours(24)),
        full_every: Some(Duration::from_hours(7 * 24)),
        sweep_every: None,
    }
}

fn noon() -> Timestamp {
    "2026-03-28T12:00:00Z".parse().unwrap()
}

fn next(note: &Note, now: Timestamp) -> Option<Next> {
    note.next(rhythm(), Past::default(), now)
}

fn began(kind: Kind, at: Timestamp) -> Note {
    let mut note = Note::default();
    note.begin(kind, at);
    note
}

fn down() -> Failure {
    Failure::systemic(Reason::Unreachable, "no connection")
}

/// A failed run; whether the schedule disabled itself.
fn fails(note: &mut Note, failure: &Failure, now: Timestamp) -> bool {
    note.begin(Kind::Incremental, now);
    note.fail(Kind::Incremental, failure, rhythm(), Some(5), now)
}

#[test]
fn a_pipeline_that_never_ran_or_was_broken_off_is_due_at_once() {
    assert_eq!(next(&Note::default(), noon()), Some(Next { at: noon(), kind: Kind::Incremental }));
    let past = Past { broken_off: true, last_run: Some(noon()), ..Past::default() };
    assert_eq!(Note::default().next(rhythm(), past, noon()).unwrap().at, noon());
    let past = Past { broken_off: false, ..past };
    assert_eq!(
        Note::default().next(rhythm(), past, noon()).unwrap().at,
        noon() + HOUR * 6,
        "the history's rhythm"
    );
}

#[test]
fn intervals_are_elapsed_time_and_what_was_missed_runs_once() {
    let mut note = began(Kind::Full, noon());
    // The night to daylight saving in Europe: six hours stay six hours.
    assert_eq!(next(&note, noon() + HOUR), Some(Next { at: noon() + HOUR * 6, kind: Kind::Incremental }));
    let late = noon() + HOUR * 23;
    assert!(next(&note, late).unwrap().at < late);
    note.begin(Kind::Incremental, late);
    assert!(next(&note, late).unwrap().at > late, "three were missed, one was run");
    let note = began(Kind::Full, noon() + HOUR * 1000);
    assert_eq!(
        next(&note, noon()).unwrap().at,
        noon() + HOUR * 6,
        "a clock that went back waits for one interval"
    );
}

#[test]
fn the_strongest_run_that_is_due_does_the_work_of_the_others() {
    let note = began(Kind::Full, noon());
    let day = next(&note, noon() + HOUR * 25).unwrap();
    assert_eq!(day.kind, Kind::Compare);
    assert_eq!(next(&note, noon() + HOUR * 24 * 8).unwrap().kind, Kind::Full);
    let mut note = note;
    note.begin(Kind::Compare, noon() + HOUR * 25);
    assert_eq!(next(&note, noon() + HOUR * 31).unwrap().kind, Kind::Incremental);
    note.overrides.compare_every = Some(Interval::Never);
    note.overrides.full_every = Some(Interval::Never);
    assert_eq!(next(&note, noon() + HOUR * 24 * 100).unwrap().kind, Kind::Incremental);
}

#[test]
fn a_sweep_is_due_a_week_after_the_first_run_although_everything_is_compared_daily() {
    let rhythm = Rhythm { full_every: None, sweep_every: Some(Duration::from_hours(7 * 24)), ..rhythm() };
    let mut note = began(Kind::Incremental, noon());
    let mut swept = Vec::new();
    let mut now = noon();
    while now < noon() + HOUR * 24 * 15 {
        // The newest run over everything is never more than a day old.
        let past = Past { last_full: Some(now), ..Past::default() };
        let next = note.next(rhythm, past, now).unwrap();
        now = next.at.max(now);
        note.begin(next.kind, now);
        if next.kind == Kind::Sweep {
            swept.push(now.duration_since(noon()).as_hours() / 24);
        }
    }
    assert_eq!(swept, [7, 14]);
    // It compares everything, too; but it is no full run.
    assert!(
        Kind::Sweep.does(Kind::Compare) && !Kind::Sweep.does(Kind::Full) && !Kind::Full.does(Kind::Sweep)
    );
}

#[test]
fn a_sweep_that_was_broken_off_is_begun_anew() {
    let note = began(Kind::Sweep, noon());
    let past = Past { broken_off: true, sweep_broken_off: true, ..Past::default() };
    let next = note.next(rhythm(), past, noon() + HOUR);
    assert_eq!(next, Some(Next { at: noon() + HOUR, kind: Kind::Sweep }));
}

#[test]
fn what_an_operator_set_stays_until_it_is_set_again() {
    let set = Overrides { every: Some(Interval::Seconds(60)), ..Overrides::default() };
    let more = Overrides { full_every: Some(Interval::Never), ..Overrides::default() };
    let holds = set.or_newer(more).over(rhythm());
    let expected = Rhythm { every: Duration::from_mins(1), full_every: None, ..rhythm() };
    assert_eq!(holds, expected);
}

#[test]
fn five_failed_runs_in_a_row_disable_it_until_it_is_enabled() {
    let mut note = began(Kind::Full, noon());
    let mut now = noon();
    for failed in 1..=4 {
        now += HOUR * 6;
        assert!(!fails(&mut note, &down(), now));
        assert_eq!(note.failed, failed);
    }
    now += HOUR * 6;
    assert!(fails(&mut note, &down(), now));
    let disabled = note.disabled.clone().unwrap();
    assert_eq!((disabled.by, disabled.since), (DisabledBy::Failures, now));
    assert!(
        disabled.why.contains("5 runs in a row failed") && disabled.why.contains("no connection"),
        "{disabled:?}"
    );
    assert_eq!(next(&note, now + HOUR * 1000), None);
    note.asked = Some(Kind::Full);
    assert_eq!(next(&note, now).unwrap().kind, Kind::Full, "asked for, it runs all the same");
    assert!(!fails(&mut note, &down(), now + HOUR * 7), "it is disabled already");
    note.enable();
    assert_eq!(note.failed, 0);
    assert!(next(&note, now + HOUR * 8).unwrap().at < now, "due at once");
}

#[test]
fn one_that_ends_well_begins_the_count_anew() {
    let mut note = began(Kind::Full, noon());
    for run in 0..20 {
        let now = noon() + HOUR * 6 * run;
        if run % 5 == 4 { note.succeed(now) } else { assert!(!fails(&mut note, &down(), now), "{run}") }
    }
}

#[test]
fn retries_of_an_outage_are_one_failed_run() {
    let mut note = began(Kind::Full, noon());
    let mut now = noon() + HOUR * 6;
    let mut waits = Vec::new();
    while now < noon() + HOUR * 12 {
        assert!(!fails(&mut note, &down(), now));
        let at = next(&note, now).unwrap().at;
        waits.push(at.duration_since(now).as_secs());
        now = at;
    }
    assert_eq!(note.failed, 1);
    assert_eq!(waits[..7], [1, 2, 5, 30, 120, 600, 600]);
}

#[test]
fn throttling_locks_and_our_own_services_are_no_failed_runs() {
    let throttled = Failure::new(Class::Throttled, Reason::Throttled, "quota").after(Duration::from_hours(2));
    let locked = Failure::systemic(Reason::Locked, "somebody else enumerates");
    let mut note = began(Kind::Full, noon());
    for run in 1..50 {
        let now = noon() + HOUR * 6 * run;
        assert!(!fails(&mut note, &throttled, now));
        assert_eq!(next(&note, now).unwrap().at, now + HOUR * 2, "as told");
        assert!(!fails(&mut note, &locked, now));
        assert!(!note.fail(Kind::Full, &down(), rhythm(), None, now));
    }
    assert_eq!((note.failed, note.failure), (0, None));
}

#[test]
fn a_note_of_a_newer_version_keeps_what_is_understood() {
    let text = r#"{"overrides":{"every":{"seconds":60},"moon":1},"unheard":true}"#;
    assert_eq!(super::read(Some(text)).overrides.every, Some(Interval::Seconds(60)));
    let note = began(Kind::Compare, noon());
    assert_eq!(super::read(Some(&serde_json::to_string(&note).unwrap())), note);
    assert_eq!(super::read(Some("no JSON")), Note::default());
}
