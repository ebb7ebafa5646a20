//! What is asked of the bench.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// One kind of work that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Everything but `build` and `soak`.
    All,
    /// Until a process is of use, and the program's size.
    Start,
    /// Publish, consume, claim, record and ack, beside a bare loop over the same broker.
    Queue,
    /// A worker's CPU for records with images, from and to stand-ins that keep connections and do little, beside a bare loop of
    /// the same libraries, which guarantees nothing; with `--peer` beside another worker doing that work, too.
    Overhead,
    /// One to sixteen workers on an Odoo that takes 50 ms a call.
    Scaling,
    /// A hundred workers on one broker.
    Crowd,
    /// Calls and bytes per 1,000 records of Zoho into Odoo.
    Odoo,
    /// Sizes of batches and numbers of workers on an Odoo that costs what a real one does.
    Sweep,
    /// Odoo into JSON files: the main job on one machine.
    MainJob,
    /// The JSON sink alone.
    Json,
    /// The state in a file.
    Sqlite,
    /// The state in Redis.
    Redis,
    /// The operator's page and /metrics over a million records and 100,000 dead letters.
    Page,
    /// What an operator asks on the command line, over 250,000 records and 25,000 dead letters.
    Operate,
    /// Plan and verify of a file: memory, calls, and one changed field among all.
    Verify,
    /// Images from Zoho into Odoo: memory and calls.
    Images,
    /// Pictures made as large as Odoo keeps them; with `--python` beside Pillow.
    Pictures,
    /// A million records of Odoo enumerated, mapped, hashed and enqueued.
    Producer,
    /// A cold build of the program.
    Build,
    /// A fleet at work for `--minutes`, reconnecting every 20 s: does its memory grow?
    Soak,
    /// Nothing is measured: the pages are written anew from docs/performance.json.
    Docs,
}

impl Part {
    /// Those of [`Part::All`].
    pub(crate) fn of_all() -> impl Iterator<Item = Self> {
        let others = [Self::All, Self::Build, Self::Soak, Self::Docs];
        Self::value_variants().iter().copied().filter(move |part| !others.contains(part))
    }

    /// What takes longer never ends.
    pub(crate) fn limit(self, arguments: &Arguments) -> Duration {
        Duration::from_mins(match self {
            Self::Soak => arguments.minutes + 3,
            Self::Build => 30,
            Self::Producer | Self::Page => 10,
            _ => 6,
        })
    }
}

#[derive(Debug, Parser)]
#[command(name = "bench", about)]
pub(crate) struct Arguments {
    /// What is measured.
    #[arg(value_enum, default_value = "all")]
    pub(crate) parts: Vec<Part>,
    /// A tenth of the work: for a first look.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Keep the figures in docs/performance.json, beside those of other parts there, and write docs/performance.md, its chart and
    /// README's table anew.
    #[arg(long)]
    pub(crate) docs: bool,
    /// The same of a folder of your own: performance.json, performance.md and performance.svg.
    #[arg(long, conflicts_with = "docs")]
    pub(crate) out: Option<PathBuf>,
    /// The folder of another worker's runner, `run.sh JOBS PROCESSES`, which prints its CPU seconds per 1,000 jobs.
    #[arg(long)]
    pub(crate) peer: Option<PathBuf>,
    /// A Python that has Pillow.
    #[arg(long)]
    pub(crate) python: Option<PathBuf>,
    /// How long `soak` takes.
    #[arg(long, default_value_t = 30)]
    pub(crate) minutes: u64,
    /// Where a part that is run by itself leaves its figures.
    #[arg(long, hide = true)]
    pub(crate) into: Option<PathBuf>,
}

impl Arguments {
    /// The parts to run, each once.
    pub(crate) fn chosen(&self) -> Vec<Part> {
        let mut chosen = Vec::new();
        for part in &self.parts {
            let parts = if *part == Part::All { Part::of_all().collect() } else { vec![*part] };
            for part in parts {
                if part != Part::Docs && !chosen.contains(&part) {
                    chosen.push(part);
                }
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_everything_but_what_takes_long_and_each_is_run_once() {
        let chosen = |words: &[&str]| {
            let words = std::iter::once("bench").chain(words.iter().copied());
            Arguments::try_parse_from(words).unwrap().chosen()
        };
        let all = chosen(&[]);
        assert!(all.contains(&Part::Producer) && !all.contains(&Part::Soak) && !all.contains(&Part::Build));
        assert_eq!(chosen(&["queue", "all"]).len(), all.len());
        assert_eq!(chosen(&["soak", "docs"]), [Part::Soak]);
    }
}
