//! `catalog-sync`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    catalog_sync::run(catalog_sync::Arguments::parse())
}
