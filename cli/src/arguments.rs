//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps a product catalogue in step, one way, and proves that nothing is missing.
///
/// Exit codes: 0 done, 1 some records failed, 2 usage or configuration, 3 a system was unreachable, 130 stopped by a
/// signal (the next run goes on where this one stopped).
#[derive(Debug, Parser)]
#[command(name = "catalog-sync", version, max_term_width = 100)]
pub struct Arguments {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "CATALOG_SYNC_CONFIG",
        default_value = "catalog-sync.toml",
        value_name = "FILE"
    )]
    pub(crate) config: PathBuf,
    /// Tell more on standard error: -v what happens, -vv details. `CATALOG_SYNC_LOG` sets a filter instead.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch a full and two incremental syncs against bundled stand-ins of Odoo and Zoho; needs nothing.
    ///
    /// Example: catalog-sync demo --dir /tmp/demo --records 20000
    Demo(Demo),
    /// Sync pipelines: what changed since the last run, or everything the first time.
    ///
    /// Example: catalog-sync sync customers products
    Sync(Sync),
    /// Enumerate the pipelines of a fleet when they are due, until told to stop.
    ///
    /// Example: catalog-sync producer
    Producer,
    /// Work on the jobs of a fleet, until told to stop.
    ///
    /// Example: catalog-sync worker items
    Worker(Role),
    /// Let a pipeline stand still: nothing of it is enumerated or written until it is resumed.
    ///
    /// Example: catalog-sync pause items --why "stock-taking"
    Pause(PauseArguments),
    /// Let a pipeline go on, whatever paused it.
    ///
    /// Example: catalog-sync resume items
    Resume(Resume),
    /// Show what the last runs did, what is outstanding and what failed.
    ///
    /// Example: catalog-sync status --json
    Status(Look),
    /// Ask the process that serves metrics where the configuration says whether it lives: exit code 0 if it does.
    ///
    /// Example: catalog-sync healthcheck --ready
    Healthcheck(Healthcheck),
    /// Check connection, credentials, rights, fields, folders and state, without changing anything.
    ///
    /// Example: catalog-sync check
    Check(Look),
    /// Count records in source, sink and state, side by side.
    ///
    /// Example: catalog-sync counts
    Counts(Look),
    /// Undo a binding: take the external id of a source record away in Odoo. The record stays and is nobody's.
    ///
    /// Example: catalog-sync unbind items 460000000012001
    Unbind(Unbind),
    /// Show or check a configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

impl Command {
    /// Whether it runs until it is told to stop, watched by its log.
    pub(crate) fn is_role(&self) -> bool {
        matches!(self, Self::Producer | Self::Worker(_))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep configuration, state and files in this folder (default: a temporary one, removed at the end).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Items with images in the stand-in Zoho.
    #[arg(long, default_value_t = 2_075, value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    pub(crate) items: u32,
    /// Records in the stand-in Odoo, customers and products together.
    #[arg(long, default_value_t = 2_880, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    pub(crate) records: u32,
    /// Which Odoo the stand-in is.
    #[arg(long, value_enum, default_value_t = DemoVersion::V19)]
    pub(crate) odoo: DemoVersion,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DemoVersion {
    #[value(name = "17")]
    V17,
    #[value(name = "18")]
    V18,
    #[value(name = "19")]
    V19,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Compare every record with what the sink really holds, whatever is remembered.
    #[arg(long)]
    pub(crate) full: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Role {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PauseArguments {
    /// Which pipeline.
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: String,
    /// Only its images; fields go on.
    #[arg(long)]
    pub(crate) images: bool,
    /// Shown to whoever wonders.
    #[arg(long, default_value = "paused by hand", value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Which pipeline.
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: String,
    /// Only its images.
    #[arg(long)]
    pub(crate) images: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Ask whether it works, too: consumes, and is not paused.
    #[arg(long)]
    pub(crate) ready: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Look {
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unbind {
    /// Which pipeline.
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: String,
    /// The records' keys in the source.
    #[arg(value_name = "RECORD", required = true)]
    pub(crate) keys: Vec<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a commented configuration with every key.
    ///
    /// Example: catalog-sync config example > catalog-sync.toml
    Example,
    /// Read the configuration and say what is wrong with it.
    ///
    /// Example: catalog-sync config check --config catalog-sync.toml
    Check,
}
