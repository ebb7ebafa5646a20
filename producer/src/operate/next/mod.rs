//! What happens next to a record, in one sentence: follows from what is known, without asking anybody.

mod image;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use shared::checksum::Checksum;
use shared::fleet::Pause;
use shared::job::Attempt;
use shared::queue::TIERS;
use shared::state::{Begun, Sight, Stage};
use shared::utc::in_utc;

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
        in_utc(latest)
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
            in_utc(doubt)
        ),
        (SourceStand::Same, _) => "Nothing: the sink has what the source has.".to_owned(),
        (SourceStand::Unknown, _) => "Nothing: the sink has what is wanted, as far as is known.".to_owned(),
    };
    match image::next(of, sight) {
        Some(image) if of.source == SourceStand::Same => image,
        Some(image) => format!("{record} {image}"),
        None => record,
    }
}

fn because(failure: &Attempt) -> String {
    format!(" ({}: {})", failure.reason.label(), failure.message)
}

fn run(of: &Situation<'_>) -> String {
    match of.next_run {
        Some(at) if at <= of.now => "the run that is due now".to_owned(),
        Some(at) => format!("the next run, at {},", in_utc(at)),
        None if of.fleet => "the next run".to_owned(),
        None => "the next sync".to_owned(),
    }
}

fn until(pause: &Pause) -> String {
    match pause.probe_at {
        Some(at) => format!("and is tried again at {}", in_utc(at)),
        None => "until a person resumes it".to_owned(),
    }
}

fn since(since: Option<Timestamp>) -> String {
    since.map_or_else(String::new, |since| format!(", since {}", in_utc(since)))
}

fn times_of(times: u32) -> String {
    if times == 1 { "begun once".to_owned() } else { format!("begun {times} times") }
}
