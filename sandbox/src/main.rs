//! The stand-in servers as a program.

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use sandbox::{OdooSandbox, OdooSettings, OdooVersion, ZohoSettings, serve_zoho};
use serde_json::{Value as Json, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Stand-in servers that behave like the real ones, for demos, tests and benches.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Arguments {
    #[command(subcommand)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Server {
    /// A stand-in Odoo; prints its address and credentials as one line of JSON.
    Odoo {
        /// The imitated release.
        #[arg(long, value_enum, default_value = "17")]
        version: Release,
        /// Where it listens; its password is no secret.
        #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
        host: Ipv4Addr,
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
    /// A stand-in Zoho; prints its addresses and credentials as one line of JSON.
    Zoho {
        /// Where it listens; its secrets are none.
        #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
        host: Ipv4Addr,
        /// Port; 0 takes any free one.
        #[arg(long, default_value_t = 8070)]
        port: u16,
        /// Seeded items.
        #[arg(long, default_value_t = 2075)]
        items: usize,
        /// Seeded contacts.
        #[arg(long, default_value_t = 805)]
        contacts: usize,
        /// API calls a minute before the organisation is blocked for an hour.
        #[arg(long, default_value_t = 100)]
        per_minute: u32,
        /// API calls a day.
        #[arg(long, default_value_t = 10_000)]
        per_day: u32,
        /// IANA name of the organisation's time zone.
        #[arg(long, default_value = "America/New_York")]
        time_zone: String,
        /// Milliseconds waited before each API call.
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
    let terminate = signal(SignalKind::terminate())?;
    match Arguments::parse().server {
        Server::Odoo { version, host, port, customers, products, call_delay_millis } => {
            let call_delay = Duration::from_millis(call_delay_millis);
            let version = version.into();
            let settings = OdooSettings {
                version,
                customers,
                products,
                host,
                port,
                call_delay,
                ..OdooSettings::default()
            };
            let server = OdooSandbox::start(settings).await?;
            print(&json!({
                "url": server.url(),
                "database": server.database(),
                "login": server.login(),
                "password": server.password(),
                "api_key": server.api_key(),
            }))?;
            stopped(terminate).await;
            Ok(())
        }
        Server::Zoho { host, port, items, contacts, per_minute, per_day, time_zone, call_delay_millis } => {
            let call_delay = Duration::from_millis(call_delay_millis);
            let settings = ZohoSettings {
                items,
                contacts,
                host,
                port,
                call_delay,
                time_zone,
                per_minute,
                per_day,
                ..ZohoSettings::default()
            };
            serve_zoho(settings, print, stopped(terminate)).await
        }
    }
}

fn print(line: &Json) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

async fn stopped(mut terminate: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        // Without a handler for it, Ctrl-C ends the program by itself.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}
