//! Every situation gets its sentence.

use shared::failure::{Class, Reason};
use shared::fleet::PausedBy;
use shared::record::Version;
use shared::state::{DeadLetter, ImageSight, Known, Stand};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-26T12:00:00Z")
}

fn version() -> Version {
    Version { epoch: 1, sequence: 1 }
}

fn sight(stage: Stage) -> Sight {
    let known = Known {
        key: 7.into(),
        stage,
        wanted: None,
        wanted_image: None,
        applied: None,
        sink_id: None,
        image_stage: Stage::Unknown,
        applied_image: None,
    };
    Sight {
        known,
        run: None,
        since: None,
        begun: None,
        dirty: false,
        doubt_until: None,
        image: None,
        letter: None,
        image_letter: None,
    }
}

fn with_image(stage: Stage, image: ImageSight) -> Sight {
    let mut sight = Sight { image: Some(image), ..sight(Stage::Applied) };
    sight.known.image_stage = stage;
    sight
}

fn image_sight() -> ImageSight {
    ImageSight {
        version: version(),
        reference: None,
        since: None,
        attempt: 1,
        retry_at: None,
        failures: vec![],
        begun: None,
    }
}

fn failed() -> Attempt {
    Attempt { at: now(), class: Class::Permanent, reason: Reason::BadRecord, message: "no name".to_owned() }
}

fn letter() -> DeadLetter {
    let job = serde_json::json!({
        "format": 1, "kind": "record", "pipeline": "items", "key": "7", "version": version(),
        "checksum": Checksum::of_value(&1.into()), "run": 1, "place": 0, "attempt": 1, "values": {},
    });
    DeadLetter { job: serde_json::from_value(job).unwrap(), failure: failed(), unmapped: false }
}

fn begun(alive: bool) -> Begun {
    Begun { version: version(), times: 2, worker: Some("w-1".parse().unwrap()), alive }
}

fn pause(probe_at: Option<Timestamp>) -> Pause {
    let by = if probe_at.is_some() { PausedBy::System } else { PausedBy::Hand };
    Pause { by, reason: None, why: "quota".to_owned(), since: now(), probe_at, probes: 0 }
}

fn fleet(sight: Option<&Sight>, source: SourceStand) -> Situation<'_> {
    Situation {
        sight,
        source,
        paused: None,
        images_paused: None,
        fleet: true,
        next_run: Some(at("2026-11-26T13:00:00Z")),
        now: now(),
    }
}

fn says(of: &Situation<'_>, words: &[&str]) {
    let sentence = next(of);
    for word in words {
        assert!(sentence.contains(word), "{sentence} does not say {word}");
    }
}

#[test]
fn what_was_never_seen() {
    says(&fleet(None, SourceStand::Changed), &["never seen", "2026-11-26 13:00:00 UTC"]);
    says(&Situation { next_run: Some(now()), ..fleet(None, SourceStand::Changed) }, &["due now"]);
    says(
        &Situation { next_run: None, fleet: false, ..fleet(None, SourceStand::Changed) },
        &["the next sync"],
    );
    says(&fleet(None, SourceStand::Gone), &["neither the source nor the state"]);
    says(&fleet(None, SourceStand::Unknown), &["never seen it", "did not say"]);
}

#[test]
fn what_is_in_step_and_what_changed_since() {
    let applied = sight(Stage::Applied);
    says(&fleet(Some(&applied), SourceStand::Same), &["Nothing: the sink has what the source has"]);
    says(&fleet(Some(&applied), SourceStand::Unknown), &["as far as is known"]);
    says(&fleet(Some(&applied), SourceStand::Changed), &["something else", "13:00:00"]);
    says(&fleet(Some(&applied), SourceStand::Gone), &["no longer has it", "until a sweep finds it"]);
    let mut swept = sight(Stage::Applied);
    swept.known.applied = Some(Stand { version: version(), checksum: Checksum::GONE });
    says(&fleet(Some(&swept), SourceStand::Gone), &["Nothing", "a sweep has seen to it"]);
    let pause = pause(None);
    let paused = Situation { paused: Some(&pause), ..fleet(Some(&applied), SourceStand::Changed) };
    says(&paused, &["paused (quota)", "until a person resumes"]);
    let doubtful = Sight { doubt_until: Some(at("2026-11-26T12:02:00Z")), ..sight(Stage::Applied) };
    says(&fleet(Some(&doubtful), SourceStand::Same), &["broken off", "12:02:00"]);
}

#[test]
fn what_is_outstanding() {
    let waiting = Sight { since: Some(now()), ..sight(Stage::Outstanding) };
    says(&fleet(Some(&waiting), SourceStand::Same), &["in the queue", "since 2026-11-26 12:00:00"]);
    let first = ["attempt 2 of 6", "between now and 2026-11-26 12:00:01 UTC"];
    says(&fleet(Some(&waiting), SourceStand::Same), &first);
    // Tiers of 1, 5, 30 and 120 seconds: after 40 the fourth may be its own.
    let since = Some(at("2026-11-26T11:59:20Z"));
    let longer = Sight { since, ..waiting.clone() };
    let later = ["attempt 2 to 5 of 6", "between now and 2026-11-26 12:02:00 UTC"];
    says(&fleet(Some(&longer), SourceStand::Same), &later);
    let longest = Sight { since: Some(at("2026-11-26T03:00:00Z")), ..waiting.clone() };
    says(&fleet(Some(&longest), SourceStand::Same), &["attempt 2 to 6 of 6", "12:10:00 UTC"]);
    let alone = Situation { fleet: false, ..fleet(Some(&waiting), SourceStand::Same) };
    says(&alone, &["sync", "brings it"]);
    let claimed = Sight { begun: Some(begun(true)), ..sight(Stage::Outstanding) };
    says(&fleet(Some(&claimed), SourceStand::Same), &["w-1 has it in hand"]);
    let orphan = Sight { begun: Some(begun(false)), ..sight(Stage::Outstanding) };
    says(&fleet(Some(&orphan), SourceStand::Same), &["no sign of life (begun 2 times)"]);
    let dirty = Sight { dirty: true, ..sight(Stage::Outstanding) };
    says(&fleet(Some(&dirty), SourceStand::Same), &["older write", "repairs"]);
    let pause = pause(Some(at("2026-11-26T12:05:00Z")));
    let paused = Situation { paused: Some(&pause), ..fleet(Some(&claimed), SourceStand::Same) };
    says(&paused, &["paused (quota)", "12:05:00"]);
}

#[test]
fn what_was_given_up() {
    let dead = Sight { letter: Some(letter()), ..sight(Stage::Dead) };
    says(&fleet(Some(&dead), SourceStand::Same), &["bad_record: no name", "dead redrive 7"]);
    says(&fleet(Some(&dead), SourceStand::Changed), &["bad_record", "tries the new values"]);
    says(&fleet(Some(&dead), SourceStand::Gone), &["dead discard 7"]);
}

#[test]
fn what_waits_for_its_image() {
    let of = |stage, image| with_image(stage, image);
    let waiting = of(Stage::Outstanding, image_sight());
    says(&fleet(Some(&waiting), SourceStand::Same), &["in the sink", "waits for its turn"]);
    let pause = pause(Some(at("2026-11-27T00:00:00Z")));
    let paused = Situation { images_paused: Some(&pause), ..fleet(Some(&waiting), SourceStand::Same) };
    says(&paused, &["images are paused (quota)", "2026-11-27 00:00:00"]);
    let retry_at = Some(at("2026-11-26T12:10:00Z"));
    let held = of(Stage::Outstanding, ImageSight { retry_at, ..image_sight() });
    says(&fleet(Some(&held), SourceStand::Same), &["in the queue", "12:10:00"]);
    let retried = ImageSight { retry_at, failures: vec![failed()], attempt: 3, ..image_sight() };
    says(&fleet(Some(&of(Stage::Outstanding, retried)), SourceStand::Same), &["12:10:00", "attempt 3"]);
    let in_hand = ImageSight { begun: Some(begun(true)), ..image_sight() };
    says(&fleet(Some(&of(Stage::Outstanding, in_hand)), SourceStand::Same), &["w-1 brings its image"]);
    let dead = Sight { image_letter: Some(letter()), ..of(Stage::Dead, image_sight()) };
    says(&fleet(Some(&dead), SourceStand::Same), &["image was given up", "no name", "dead redrive 7"]);
    says(&fleet(Some(&dead), SourceStand::Changed), &["something else", "image was given up"]);
    let brought = of(Stage::Applied, image_sight());
    says(&fleet(Some(&brought), SourceStand::Same), &["Nothing"]);
}
