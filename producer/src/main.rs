//! `catalog-producer`: enumerates what changed and enqueues it; a second one stands by.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use shared::config::Config;

/// Enumerates the pipelines of a fleet when they are due, until it is told to stop (SIGTERM, Ctrl-C).
///
/// Example: catalog-producer --config catalog-sync.toml
#[derive(Debug, Parser)]
#[command(name = "catalog-producer", version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, env = "CATALOG_SYNC_CONFIG", default_value = "catalog-sync.toml", value_name = "FILE")]
    config: PathBuf,
    /// Tell details on standard error.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    shared::process::run_role("catalog-producer", arguments.verbose, |stop| async move {
        let config = Config::load(&arguments.config)?;
        producer::role::run(Arc::new(config), stop).await
    })
}
