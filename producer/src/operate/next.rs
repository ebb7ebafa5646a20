//! What happens next to a record, in one sentence: follows from what is known, without asking anybody.

use std::time::Duration;

use jiff::Timestamp;
use shared::checksum::Checksum;
use shared::fleet::Pause;
use shared::job::Attempt;
use shared::queue::TIERS;
use shared::state::{Begun, Sight, Stage};

/// What the source says of a record, beside what is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceStand {
    /// It has what is wanted.
    Same,
    /// It has something else.
    Changed,
    /// It has no such record.
    Gone,
    /// It was not asked, or gave no answer.
    Unknown,
}

/// What is known of a record, and of what concerns it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'a> {
    /// By the state.
    pub(super) sight: Option<&'a Sight>,
    /// By the source.
    pub(super) source: SourceStand,
    /// The pipeline stands still.
    pub(super) paused: Option<&'a Pause>,
    /// Its images do.
    pub(super) images_paused: Option<&'a Pause>,
    /// Workers take jobs from a broker; else `sync` does everything.
    pub(super) fleet: bool,
    /// When the next run is due, where runs start by themselves.
    pub(super) next_run: Option<Timestamp>,
    /// The state's clock.
    pub(super) now: Timestamp,
}

/// In one sentence, or two where the image waits for something else than its record.
pub(super) fn next(of: &Situation<'_>) -> String {
    let Some(sight) = of.sight else {
        return unknown(of);
    };
    match sight.known.stage {
        Stage::Dead => dead(of, sight),
        Stage::Outstanding => outstanding(of, sight),
        Stage::Applied => applied(of, sight),
        Stage::Unknown => {
            "A worker has a job of it of which the state knows nothing: it is known again when that ends."
                .to_owned()
        }
    }
}

fn unknown(of: &Situation<'_>) -> String {
    match of.source {
        SourceStand::Gone => "Nothing: neither the source nor the state knows it.".to_owned(),
        SourceStand::Unknown => {
            "The state has never seen it, and the source did not say whether it has it.".to_owned()
        }
        SourceStand::Same | SourceStand::Changed => {
            format!("It was never seen: {} brings it, as soon as it reads it.", run(of))
        }
    }
}

fn dead(of: &Situation<'_>, sight: &Sight) -> String {
    let why = sight.letter.as_ref().map_or_else(String::new, |letter| because(&letter.failure));
    match of.source {
        SourceStand::Changed => {
            format!(
                "It was given up{why}, and has changed in the source since: {} tries the new values.",
                run(of)
            )
        }
        SourceStand::Gone => format!(
            "It was given up{why}, and the source no longer has it: `catalog-sync dead discard {}` forgets it.",
            sight.known.key
        ),
        SourceStand::Same | SourceStand::Unknown => format!(
            "Nothing by itself: it was given up{why}; it is tried again when it changes, or by `catalog-sync dead redrive {}`.",
            sight.known.key
        ),
    }
}

fn outstanding(of: &Situation<'_>, sight: &Sight) -> String {
    if let Some(pause) = of.paused {
        return format!("It waits: the pipeline is paused ({}) {}.", pause.why, until(pause));
    }
    if sight.dirty {
        return format!(
            "An older write may have gone over the newest one: {} compares it with the sink and repairs it.",
            run(of)
        );
    }
    match (&sight.begun, of.fleet) {
        (Some(Begun { worker: Some(worker), alive: true, .. }), _) => {
            format!("The worker {worker} has it in hand and brings it now.")
        }
        (Some(Begun { times, .. }), true) => format!(
            "Its worker shows no sign of life ({}): another one takes it over when the broker delivers its job again.",
            times_of(*times)
        ),
        (_, true) => format!(
            "Its job waits in the queue or for its next attempt{}{}; should it be lost, a run enqueues it again.",
            since(sight.since),
            next_attempt(sight.since, of.now)
        ),
        (_, false) => format!("The sync that is running, or the next one, brings it{}.", since(sight.since)),
    }
}

/// When a job that failed before is tried again at the latest. How often it failed is known to the broker alone; it has not
/// failed more often than the retry tiers allow in the time that it has been outstanding.
fn next_attempt(since: Option<Timestamp>, now: Timestamp) -> String {
    let Some(waited) = since.and_then(|since| Duration::try_from(now.duration_since(since)).ok()) else {
        return String::new();
    };
    let (mut attempt, mut least) = (2, Duration::ZERO);
    for (after, tier) in (2..).zip(TIERS) {
        // In its tier since it has gone through all shorter ones.
        if least > waited {
            break;
        }
        attempt = after;
        least += tier;
    }
    let Some(tier) = TIERS.get(attempt - 2) else { return String::new() };
    let latest = now + *tier;
    let attempts = if attempt == 2 { "attempt 2".to_owned() } else { format!("attempt 2 to {attempt}") };
    format!(
        " (where attempts failed, {attempts} of {} comes between now and {}, unless a system asked for a longer wait)",
        TIERS.len() + 1,
        time(latest)
    )
}

fn applied(of: &Situation<'_>, sight: &Sight) -> String {
    let record = match (of.source, sight.doubt_until) {
        (SourceStand::Changed, _) => match of.paused {
            Some(pause) => format!(
                "The source has something else by now, and the pipeline is paused ({}) {}.",
                pause.why,
                until(pause)
            ),
            None => format!("The source has something else by now: {} brings it.", run(of)),
        },
        (SourceStand::Gone, _)
            if sight.known.applied.is_some_and(|applied| applied.checksum == Checksum::GONE) =>
        {
            "Nothing: the source no longer has it, and a sweep has seen to it in the sink.".to_owned()
        }
        (SourceStand::Gone, _) => {
            "The source no longer has it: it stays in the sink until a sweep finds it gone.".to_owned()
        }
        (_, Some(doubt)) if doubt > of.now => format!(
            "The sink has what is wanted; a call that was broken off may still come until {}, and then it is looked at again.",
            time(doubt)
        ),
        (SourceStand::Same, _) => "Nothing: the sink has what the source has.".to_owned(),
        (SourceStand::Unknown, _) => "Nothing: the sink has what is wanted, as far as is known.".to_owned(),
    };
    match image(of, sight) {
        Some(image) if of.source == SourceStand::Same => image,
        Some(image) => format!("{record} {image}"),
        None => record,
    }
}

/// Of an image that is not in the sink though its record is.
fn image(of: &Situation<'_>, sight: &Sight) -> Option<String> {
    let wanted = sight.image.as_ref()?;
    match sight.known.image_stage {
        Stage::Dead => {
            let why = sight.image_letter.as_ref().map_or_else(String::new, |letter| because(&letter.failure));
            Some(format!(
                "The record is in the sink, its image was given up{why}: it is tried again when it changes, or by \
                 `catalog-sync dead redrive {}`.",
                sight.known.key
            ))
        }
        Stage::Outstanding => Some(match (of.paused.or(of.images_paused), &wanted.begun, wanted.retry_at) {
            (Some(pause), _, _) => {
                format!(
                    "The record is in the sink, its image waits: images are paused ({}) {}.",
                    pause.why,
                    until(pause)
                )
            }
            (None, Some(Begun { worker: Some(worker), alive: true, .. }), _) => {
                format!("The record is in the sink, and the worker {worker} brings its image now.")
            }
            (None, _, Some(retry)) if retry > of.now && !wanted.failures.is_empty() => format!(
                "The record is in the sink, its image is tried again at {} (attempt {}).",
                time(retry),
                wanted.attempt
            ),
            (None, _, Some(retry)) if retry > of.now => format!(
                "The record is in the sink, the job of its image is in the queue; should it be lost, it is enqueued again at {}.",
                time(retry)
            ),
            _ => "The record is in the sink, its image waits for its turn.".to_owned(),
        }),
        Stage::Applied | Stage::Unknown => None,
    }
}

fn because(failure: &Attempt) -> String {
    format!(" ({}: {})", failure.reason.label(), failure.message)
}

fn run(of: &Situation<'_>) -> String {
    match of.next_run {
        Some(at) if at <= of.now => "the run that is due now".to_owned(),
        Some(at) => format!("the next run, at {},", time(at)),
        None if of.fleet => "the next run".to_owned(),
        None => "the next sync".to_owned(),
    }
}

fn until(pause: &Pause) -> String {
    match pause.probe_at {
        Some(at) => format!("and is tried again at {}", time(at)),
        None => "until a person resumes it".to_owned(),
    }
}

fn since(since: Option<Timestamp>) -> String {
    since.map_or_else(String::new, |since| format!(", since {}", time(since)))
}

fn times_of(times: u32) -> String {
    if times == 1 { "begun once".to_owned() } else { format!("begun {times} times") }
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
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
        Attempt {
            at: now(),
            class: Class::Permanent,
            reason: Reason::BadRecord,
            message: "no name".to_owned(),
        }
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
}
