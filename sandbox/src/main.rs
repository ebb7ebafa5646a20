//! The stand-in servers as a program.

use std::io::Write;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use sandbox::{OdooSandbox, OdooSettings, OdooVersion};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// Stand-in servers that behave like the real ones, for demos, tests and benches.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Server {
    /// A stand-in Odoo on 127.0.0.1; prints its address and credentials as one line of JSON.
    Odoo {
        /// The imitated release.
        #[arg(long, value_enum, default_value = "17")]
        version: Release,
        /// Port; 0 takes any free one.
        #[arg(long, default_value_t = 8069)]
        port: u16,
        /// Seeded contacts.
        #[arg(long, default_value_t = 805)]
        customers: usize,
        /// Seeded products.
        #[arg(long, default_value_t = 2075)]
        products: usize,
        /// Milliseconds waited before each model call.
        #[arg(long, default_value_t = 0)]
        call_delay_millis: u64,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Release {
    #[value(name = "17")]
    V17,
    #[value(name = "18")]
    V18,
    #[value(name = "19")]
    V19,
}

impl From<Release> for OdooVersion {
    fn from(release: Release) -> Self {
        match release {
            Release::V17 => Self::V17,
            Release::V18 => Self::V18,
            Release::V19 => Self::V19,
        }
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let Server::Odoo {
        version,
        port,
        customers,
        products,
        call_delay_millis,
    } = Arguments::parse().server;
    let call_delay = Duration::from_millis(call_delay_millis);
    let mut terminate = signal(SignalKind::terminate())?;
    let settings = OdooSettings {
        version: version.into(),
        customers,
        products,
        port,
        call_delay,
    };
    let server = OdooSandbox::start(settings).await?;
    let line = json!({
        "url": server.url(),
        "database": server.database(),
        "login": server.login(),
        "password": server.password(),
        "api_key": server.api_key(),
    });
    writeln!(std::io::stdout(), "{line}")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
