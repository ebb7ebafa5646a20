//! `schedule`: when pipelines are synced by themselves.

mod daemon;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use producer::operate::overview::ScheduleView;
use producer::schedule::{Interval, Kind, Next, Note, Overrides, Schedule};
use serde::Serialize;
use shared::config::{Config, Rhythm};
use shared::failure::{Failure, Reason};
use shared::fleet::{Pause, Scope};
use shared::state::{Exclusive, State};
use shared::utc::in_utc;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::arguments::{ScheduleCommand, ScheduleRunNow, ScheduleSet};
use crate::exit::Exit;
use crate::output::Output;
use crate::state::open_state;

#[derive(Serialize)]
struct StatusJson {
    pipelines: Vec<PipelineJson>,
}

#[derive(Serialize)]
struct PipelineJson {
    pipeline: String,
    paused: Option<Pause>,
    #[serde(flatten)]
    schedule: ScheduleView,
}

pub(crate) async fn run(
    config: &Arc<Config>,
    command: &ScheduleCommand,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    match command {
        ScheduleCommand::Status(look) => status(config, Output::new(look.json)).await,
        ScheduleCommand::Set(set) => self::set(config, set).await,
        ScheduleCommand::Enable(which) => {
            let chosen = config.choose(&which.pipelines)?;
            let state = open_state(config).await?;
            for pipeline in chosen {
                Schedule::of(&state, pipeline).enable().await?;
                Output::new(false).line(format!("{}: enabled", pipeline.name));
            }
            Ok(Exit::Done)
        }
        ScheduleCommand::Disable(which) => {
            let chosen = config.choose(&which.pipelines)?;
            let state = open_state(config).await?;
            for pipeline in chosen {
                Schedule::of(&state, pipeline).disable(&which.why).await?;
                let name = &pipeline.name;
                Output::new(false).line(format!(
                    "{name}: disabled; `catalog-sync schedule enable {name}` lets it run by itself again"
                ));
            }
            Ok(Exit::Done)
        }
        ScheduleCommand::RunNow(run_now) => self::run_now(config, run_now).await,
        ScheduleCommand::Start => daemon::run(config, stop).await,
    }
}

async fn status(config: &Config, output: Output) -> Result<Exit, Failure> {
    let state = open_state(config).await?;
    let mut pipelines = Vec::new();
    for pipeline in &config.pipelines {
        let schedule = Schedule::of(&state, pipeline);
        let (note, rhythm, next) = (schedule.note().await?, schedule.rhythm().await?, schedule.next().await?);
        let paused = Pause::of(&state, &pipeline.name, Scope::Pipeline).await?;
        output.text(&text(pipeline.name.as_str(), &note, rhythm, next, paused.as_ref()));
        pipelines.push(PipelineJson {
            pipeline: pipeline.name.to_string(),
            paused,
            schedule: ScheduleView::new(note, rhythm, next),
        });
    }
    output.line("Intervals are elapsed time from the begin of a run: daylight saving moves none of them.");
    output.object(&StatusJson { pipelines });
    Ok(Exit::Done)
}

fn text(name: &str, note: &Note, rhythm: Rhythm, next: Option<Next>, paused: Option<&Pause>) -> String {
    let span = |interval: Option<Duration>| interval.map_or_else(|| "never".to_owned(), span_text);
    let mut lines = vec![
        format!("{name}:"),
        format!(
            "  every {}, compares everything: {}, full: {}, sweep: {}",
            span(Some(rhythm.every)),
            span(rhythm.compare_every),
            span(rhythm.full_every),
            span(rhythm.sweep_every)
        ),
    ];
    if let Some(disabled) = &note.disabled {
        lines.push(format!("  DISABLED since {}: {}", both(disabled.since), disabled.why));
        lines.push(format!("  `catalog-sync schedule enable {name}` lets it run by itself again"));
    }
    if let Some(pause) = paused {
        lines.push(format!("  paused since {}: {}", both(pause.since), pause.why));
    }
    if let Some(at) = note.began.values().max() {
        lines.push(format!("  last begun {}", both(*at)));
    }
    if let Some(at) = note.succeeded {
        lines.push(format!("  last ended well {}", both(at)));
    }
    if let Some(failed) = &note.failure {
        lines.push(format!("  failed {}: {}", both(failed.at), failed.why));
        lines.push(format!("  failed runs in a row: {}", note.failed));
    }
    if let Some(next) = next {
        lines.push(format!("  next: {}, {}", next.kind.label(), both(next.at)));
    }
    lines.push(String::new());
    lines.join("\n")
}

async fn set(config: &Config, set: &ScheduleSet) -> Result<Exit, Failure> {
    let overrides = Overrides {
        every: set.every.map(|span| Interval::from(Some(span))),
        compare_every: set.compare_every,
        full_every: set.full_every,
        sweep_every: set.sweep_every,
    };
    let chosen = config.choose(&set.pipelines)?;
    let state = open_state(config).await?;
    for pipeline in chosen {
        let schedule = Schedule::of(&state, pipeline);
        schedule.set(overrides).await?;
        let (note, rhythm, next) = (schedule.note().await?, schedule.rhythm().await?, schedule.next().await?);
        Output::new(false).text(&text(pipeline.name.as_str(), &note, rhythm, next, None));
    }
    Ok(Exit::Done)
}

async fn run_now(config: &Config, run_now: &ScheduleRunNow) -> Result<Exit, Failure> {
    let kind = match (run_now.full, run_now.sweep, run_now.compare) {
        (true, ..) => Kind::Full,
        (false, true, _) => Kind::Sweep,
        (false, false, true) => Kind::Compare,
        (false, false, false) => Kind::Incremental,
    };
    let chosen = config.choose(&run_now.pipelines)?;
    let state = open_state(config).await?;
    for pipeline in chosen {
        Schedule::of(&state, pipeline).ask(kind).await?;
        Output::new(false).line(format!("{}: a run ({}) is due now", pipeline.name, kind.label()));
    }
    if config.fleet.is_none() && !has_daemon(&state).await? {
        Output::new(false).line(
            "nobody keeps the schedule: it runs once `catalog-sync schedule start` does; `catalog-sync sync` runs at once",
        );
    }
    Ok(Exit::Done)
}

async fn has_daemon(state: &State) -> Result<bool, Failure> {
    match state.lock(Exclusive::Schedule).await {
        Ok(_) => Ok(false),
        Err(failure) if failure.reason == Reason::Locked => Ok(true),
        Err(failure) => Err(failure),
    }
}

/// In UTC and in the local time zone.
pub(crate) fn both(time: Timestamp) -> String {
    let local = time.to_zoned(TimeZone::system());
    format!("{} ({})", in_utc(time), local.strftime("%Y-%m-%d %H:%M:%S %Z"))
}

/// "6h", "7d", "90s": in the largest unit that is whole.
fn span_text(span: Duration) -> String {
    let seconds = span.as_secs();
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds >= length && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}
