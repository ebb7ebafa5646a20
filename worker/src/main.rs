//! `catalog-worker`: takes jobs from the broker and brings them to their sinks; as many processes as you like.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use shared::config::Config;

/// Works on the jobs of a fleet until it is told to stop (SIGTERM, Ctrl-C), then ends what is in hand.
///
/// Example: catalog-worker --config catalog-sync.toml items
#[derive(Debug, Parser)]
#[command(name = "catalog-worker", version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, env = "CATALOG_SYNC_CONFIG", default_value = "catalog-sync.toml", value_name = "FILE")]
    config: PathBuf,
    /// Tell details on standard error.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Which pipelines (default: all).
    #[arg(value_name = "PIPELINE")]
    pipelines: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    shared::process::run_role("catalog-worker", arguments.verbose, |stop| async move {
        let config = Config::load(&arguments.config)?;
        worker::role::run(Arc::new(config), &arguments.pipelines, stop).await
    })
}
