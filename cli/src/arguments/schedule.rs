//! The command line of `schedule`.

use std::time::Duration;

use clap::{Args, Subcommand};
use producer::schedule::Interval;
use shared::config::interval;

use super::{Look, Role};

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Show intervals, the next run, failed runs, and why a schedule is disabled.
    ///
    /// Example: catalog-sync schedule status --json
    Status(Look),
    /// Set intervals in the state, over the configuration's. Elapsed time from the begin of a run to that of the next.
    ///
    /// Example: catalog-sync schedule set items --every 6h --full-every 7d --compare-every 1d --sweep-every 7d
    Set(ScheduleSet),
    /// Let pipelines run by themselves again, whoever disabled them.
    ///
    /// Example: catalog-sync schedule enable items
    Enable(Role),
    /// Run nothing by itself until it is enabled. `sync` and `run-now` still run.
    ///
    /// Example: catalog-sync schedule disable items --why "move to the new shop"
    Disable(ScheduleDisable),
    /// Let whoever keeps the schedule run pipelines at once.
    ///
    /// Example: catalog-sync schedule run-now items --full
    RunNow(ScheduleRunNow),
    /// Run what is due on this machine until told to stop. What was missed is run once.
    ///
    /// Example: catalog-sync schedule start
    Start,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct ScheduleSet {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Runs over what changed: a number and s, m, h or d.
    #[arg(long, value_name = "SPAN", value_parser = interval, group = "what")]
    pub(crate) every: Option<Duration>,
    /// Runs that read everything and bring what differs from what is wanted; or "never".
    #[arg(long, value_name = "SPAN", value_parser = interval_or_never, group = "what")]
    pub(crate) compare_every: Option<Interval>,
    /// Runs that compare everything with what the sink really holds; or "never".
    #[arg(long, value_name = "SPAN", value_parser = interval_or_never, group = "what")]
    pub(crate) full_every: Option<Interval>,
    /// Runs that also look for what the source no longer has; or "never".
    #[arg(long, value_name = "SPAN", value_parser = interval_or_never, group = "what")]
    pub(crate) sweep_every: Option<Interval>,
}

fn interval_or_never(text: &str) -> Result<Interval, String> {
    if text == "never" { Ok(Interval::Never) } else { interval(text).map(|span| Interval::from(Some(span))) }
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleDisable {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Shown to whoever wonders.
    #[arg(long, default_value = "disabled by hand", value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleRunNow {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Compare every record with what the sink really holds.
    #[arg(long, conflicts_with_all = ["compare", "sweep"])]
    pub(crate) full: bool,
    /// Read everything, and bring what differs from what is wanted.
    #[arg(long, conflicts_with = "sweep")]
    pub(crate) compare: bool,
    /// Read everything, and look for what the source no longer has.
    #[arg(long)]
    pub(crate) sweep: bool,
}
