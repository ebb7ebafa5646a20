//! `catalog-sync`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = catalog_sync::spelt_out(std::env::args_os());
    catalog_sync::run(&catalog_sync::Arguments::parse_from(arguments))
}
