//! The command line.

mod dead;
mod schedule;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use shared::record::RecordKey;

pub(crate) use dead::{DeadChosen, DeadCommand, DeadDiscard, DeadExport, DeadList, DeadShow};
pub(crate) use schedule::{ScheduleCommand, ScheduleRunNow, ScheduleSet};

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
    /// Show what a sync would create, update, archive and download, field by field, without doing it.
    ///
    /// Example: catalog-sync plan items --out plan.json
    Plan(PlanArguments),
    /// Compare source, sink and state in full, and tell what is not in step: exit code 1 then, 0 in step.
    ///
    /// Example: catalog-sync verify items --repair
    Verify(Verify),
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
    /// Example: catalog-sync check --duplicates --by sku
    Check(Check),
    /// Count records in source, sink and state, side by side.
    ///
    /// Example: catalog-sync counts
    Counts(Look),
    /// List what was given up, try it again, or forget it.
    ///
    /// Example: catalog-sync dead redrive --all
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Tell what source, state and sink know of a record, and what happens next.
    ///
    /// Example: catalog-sync why items --sku CH-OAK-NAT
    Why(WhyArguments),
    /// Undo a binding: take the external id of a source record away in Odoo. The record stays and is nobody's.
    ///
    /// Example: catalog-sync unbind items 460000000012001
    Unbind(Unbind),
    /// Show and set when pipelines are synced by themselves, and keep the schedule on one machine.
    ///
    /// Example: catalog-sync schedule set items --every 6h --full-every 7d
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Show the history: when runs began and ended, and what became of their records.
    ///
    /// Example: catalog-sync runs items --limit 10
    Runs(Runs),
    /// Take over from the scripts that catalog-sync replaces: their configuration, their schedule and the records that they
    /// have bound in Odoo, each after a look at it. Old files are only read.
    ///
    /// Example: catalog-sync import /opt/odoo --odoo-url https://erp.example.com --odoo-database example
    #[expect(clippy::doc_markdown, reason = "an address to type, not a link")]
    Import(Import),
    /// Print what a shell needs to complete our commands.
    ///
    /// Example: catalog-sync completions bash > /etc/bash_completion.d/catalog-sync
    Completions(Completions),
    /// Show or check a configuration.
    ///
    /// Example: catalog-sync config check
    #[command(subcommand)]
    Config(ConfigCommand),
}

impl Command {
    /// Whether it runs until it is told to stop, watched by its log.
    pub(crate) fn is_role(&self) -> bool {
        matches!(self, Self::Producer | Self::Worker(_) | Self::Schedule(ScheduleCommand::Start))
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
#[command(group = clap::ArgGroup::new("archiving").args(["plan", "sweep"]))]
pub(crate) struct Sync {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Compare every record with what the sink really holds, whatever is remembered.
    #[arg(long, conflicts_with = "plan")]
    pub(crate) full: bool,
    /// Do exactly what this file of `plan --out` says; refused where source or sink have moved since.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Read everything, and archive (or mark, or remove) what the source no longer has, as configured.
    #[arg(long)]
    pub(crate) sweep: bool,
    /// However many records are gone: after a look at what the sweep refused.
    #[arg(long, requires = "archiving")]
    pub(crate) allow_mass_archive: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Save the plan in this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Of everything, compared with what the sink really holds: what `sync --full` would do.
    #[arg(long)]
    pub(crate) full: bool,
    /// Also of what the source no longer has: what `sync --sweep` would archive, mark or remove.
    #[arg(long)]
    pub(crate) sweep: bool,
    /// However many records are gone; `sync --plan` asks for this flag, too.
    #[arg(long, requires = "sweep")]
    pub(crate) allow_mass_archive: bool,
    /// Show every record, field and letter, not the first of each kind.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print the plan as one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    /// Bring again exactly what was found missing, different or with another image.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Make no more calls than these for one pipeline: refused beforehand where it would surely take more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_calls: Option<u64>,
    /// Show every record and letter, not the first of each kind.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print what was found as one JSON object instead of text.
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
#[command(group = clap::ArgGroup::new("record").required(true))]
pub(crate) struct WhyArguments {
    /// Which pipeline.
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: String,
    /// The record's key in the source.
    #[arg(value_name = "RECORD", group = "record")]
    pub(crate) key: Option<RecordKey>,
    /// The record with this SKU, by the Odoo that is source or sink, the dead letters, or Zoho.
    #[arg(long, group = "record", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) sku: Option<String>,
    /// Ask neither source nor sink: only what the state knows.
    #[arg(long, conflicts_with = "sku")]
    pub(crate) offline: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Check something else: which values that tell records apart several have, in Zoho or in Odoo. Exit code 1 if any do.
    #[arg(long)]
    pub(crate) duplicates: bool,
    /// Compare by this column or field instead of `match_by`, the SKU, or email and name.
    #[arg(long, value_name = "COLUMN", requires = "duplicates")]
    pub(crate) by: Vec<String>,
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

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    /// Of which pipeline (default: all).
    #[arg(value_name = "PIPELINE")]
    pub(crate) pipeline: Option<String>,
    /// How many, the newest ones.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) limit: usize,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Show one run with its window and its ledger.
    ///
    /// Example: catalog-sync runs show 17
    Show(RunsShow),
}

#[derive(Debug, Args)]
pub(crate) struct RunsShow {
    /// Its number.
    #[arg(value_name = "RUN")]
    pub(crate) id: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The old systems' folders or files.
    #[arg(value_name = "FOLDER|FILE", required = true)]
    pub(crate) from: Vec<PathBuf>,
    /// Address of the Odoo that the old files are about; they do not say it.
    #[arg(long, value_name = "URL")]
    pub(crate) odoo_url: Option<String>,
    /// Its database.
    #[arg(long, value_name = "NAME")]
    pub(crate) odoo_database: Option<String>,
    /// Whom to sign in as, where not with an API key on Odoo 19.
    #[arg(long, value_name = "LOGIN")]
    pub(crate) odoo_user: Option<String>,
    /// Where Zoho's tokens are made, where the old files name an address that is not Zoho's own (a proxy).
    #[arg(long, value_name = "URL")]
    pub(crate) accounts_url: Option<String>,
    /// Write over a configuration that is there.
    #[arg(long, conflicts_with = "keep")]
    pub(crate) force: bool,
    /// Write no configuration: take over records by the one that is there.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Look at everything and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_has_an_example_that_is_one() {
        fn walk(command: &clap::Command, path: &str, seen: &mut Vec<String>) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                let help = sub.get_long_about().unwrap_or_else(|| panic!("{path}: no example")).to_string();
                let (_, example) =
                    help.split_once("Example: ").unwrap_or_else(|| panic!("{path}: no example"));
                assert!(example.starts_with(&path), "{path}: {example}");
                let words = example.split(" > ").next().unwrap().replace('"', "");
                let parsed = Arguments::try_parse_from(words.split_whitespace());
                assert!(parsed.is_ok() || words.contains("--why"), "{example}: {parsed:?}");
                seen.push(path.clone());
                walk(sub, &path, seen);
            }
        }
        let mut seen = Vec::new();
        walk(&Arguments::command(), "catalog-sync", &mut seen);
        assert!(seen.len() > 15 && seen.contains(&"catalog-sync runs show".to_owned()), "{seen:?}");
    }

    #[test]
    fn an_interval_of_zero_is_refused() {
        for text in ["0s", "0h", "", "six", "-1h"] {
            let parsed = Arguments::try_parse_from(["catalog-sync", "schedule", "set", "--every", text]);
            assert!(parsed.is_err(), "{text}");
        }
        assert!(
            Arguments::try_parse_from(["catalog-sync", "schedule", "set", "items"]).is_err(),
            "sets nothing"
        );
    }

    #[test]
    fn every_shell_gets_the_commands() {
        for shell in Shell::value_variants() {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "catalog-sync", &mut text);
            assert!(String::from_utf8(text).unwrap().contains("run-now"), "{shell}");
        }
    }
}
