//! A small picture of the last runs: one bar each, what was written above what failed.

use shared::decimal::grouped;
use shared::state::RunSummary;

use super::run::kind;

/// Units of the picture: it is scaled to its place.
const STEP: u32 = 8;
const BAR: u32 = 6;
const HEIGHT: u32 = 48;

/// Runs that it has room for.
const BARS: usize = 40;

/// One run.
#[derive(Debug, Clone)]
pub(in crate::page) struct ChartBar {
    pub(in crate::page) x: u32,
    pub(in crate::page) written: (u32, u32),
    pub(in crate::page) failed: (u32, u32),
    pub(in crate::page) title: String,
}

#[derive(Debug, Clone)]
pub(in crate::page) struct Chart {
    pub(in crate::page) width: u32,
    pub(in crate::page) height: u32,
    pub(in crate::page) bar: u32,
    pub(in crate::page) bars: Vec<ChartBar>,
    /// The same in words.
    pub(in crate::page) words: String,
}

impl Chart {
    /// Of runs, newest first; the newest stands at the right. Heights grow with the square root: a full run of a million
    /// records does not make the daily ones vanish.
    pub(in crate::page) fn of(runs: &[RunSummary]) -> Self {
        let shown: Vec<&RunSummary> = runs.iter().take(BARS).rev().collect();
        let written = |run: &RunSummary| run.ledger.created + run.ledger.updated;
        let failed = |run: &RunSummary| run.ledger.dead;
        let most = shown.iter().map(|run| written(run) + failed(run)).max().unwrap_or(0);
        let first = BARS - shown.len();
        let bars = shown.iter().enumerate().map(|(at, run)| {
            let whole = height(written(run) + failed(run), most);
            let bad = if failed(run) == 0 { 0 } else { height(failed(run), most).min(whole) };
            ChartBar {
                x: u32::try_from(first + at).unwrap_or_default() * STEP,
                written: (HEIGHT - whole, whole - bad),
                failed: (HEIGHT - bad, bad),
                title: format!(
                    "run {}, {}: {} created, {} updated, {} failed",
                    run.id,
                    kind(run.kind),
                    grouped(run.ledger.created),
                    grouped(run.ledger.updated),
                    grouped(failed(run))
                ),
            }
        });
        let all: u64 = shown.iter().map(|run| written(run)).sum();
        let bad: u64 = shown.iter().map(|run| failed(run)).sum();
        let words = format!(
            "The last {} runs: {} records written, {} failed",
            shown.len(),
            grouped(all),
            grouped(bad)
        );
        Self {
            width: u32::try_from(BARS).unwrap_or_default() * STEP,
            height: HEIGHT,
            bar: BAR,
            bars: bars.collect(),
            words,
        }
    }
}

/// One unit at least, so that a run that wrote nothing is seen to have been.
fn height(count: u64, most: u64) -> u32 {
    if count == 0 || most == 0 {
        return 1;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a picture's height"
    )]
    let height = ((count as f64 / most as f64).sqrt() * f64::from(HEIGHT)).round() as u32;
    height.clamp(2, HEIGHT)
}
