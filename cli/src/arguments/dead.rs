//! The command line of `dead`.

use clap::{Args, Subcommand};
use shared::failure::Reason;
use shared::record::RecordKey;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List dead letters, newest first, and count them by reason.
    ///
    /// Example: catalog-sync dead list --reason timeout --limit 20
    List(DeadList),
    /// Show all of a record's dead letters: values, attempts, reasons.
    ///
    /// Example: catalog-sync dead show 460000000012001 --pipeline items
    Show(DeadShow),
    /// Try again what was given up, with all attempts ahead of it. Repeating it does no harm.
    ///
    /// Example: catalog-sync dead redrive --reason timeout
    Redrive(DeadChosen),
    /// Forget what was given up: it is no longer wanted, until it is read from the source again.
    ///
    /// Example: catalog-sync dead discard 460000000012001 --pipeline items
    Discard(DeadDiscard),
    /// Print dead letters as JSON, one a line.
    ///
    /// Example: catalog-sync dead export > letters.jsonl
    Export(DeadExport),
}

#[derive(Debug, Args)]
pub(crate) struct DeadList {
    /// Of which pipeline (default: all).
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// Only those with this reason.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: Option<Reason>,
    /// How many of each pipeline, the newest ones.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) limit: usize,
    /// Only those with numbers below this one: the next page.
    #[arg(long, value_name = "NUMBER", requires = "pipeline")]
    pub(crate) before: Option<u64>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeadShow {
    /// Which record.
    #[arg(value_name = "RECORD", required_unless_present = "stray")]
    pub(crate) key: Option<RecordKey>,
    /// Of which pipeline (default: the one that has the letter).
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// A message that was no job, by the begin of its id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["key", "pipeline"])]
    pub(crate) stray: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which letters are meant.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct DeadChosen {
    /// Which records.
    #[arg(value_name = "RECORD", group = "which")]
    pub(crate) keys: Vec<RecordKey>,
    /// All with this reason.
    #[arg(long, value_parser = reason, group = "which")]
    pub(crate) reason: Option<Reason>,
    /// All.
    #[arg(long, group = "which")]
    pub(crate) all: bool,
    /// Of which pipeline (default: all; of a record, the one that has its letter).
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeadDiscard {
    #[command(flatten)]
    pub(crate) chosen: DeadChosen,
    /// A message that was no job, by the begin of its id.
    #[arg(long, value_name = "ID", group = "which", conflicts_with = "pipeline")]
    pub(crate) stray: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeadExport {
    /// Of which pipeline (default: all, and messages that were no jobs).
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// Only those with this reason.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: Option<Reason>,
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::of_label(text)
        .ok_or_else(|| format!("no such reason; there are: {}", Reason::ALL.map(Reason::label).join(", ")))
}
