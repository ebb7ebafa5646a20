//! catalog-sync on one machine, and the operator's commands. The binary is this library's [`run`].

mod arguments;
mod check;
mod counts;
mod demo;
mod exit;
mod output;
mod status;
mod sync;
mod unbind;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use shared::config::{Config, EXAMPLE};
use shared::failure::Failure;
use tokio_util::sync::CancellationToken;

pub use arguments::Arguments;
use arguments::{Command, ConfigCommand};
use exit::Exit;
use output::Output;

/// Runs one command to its end and gives the process's exit code: 0 done, 1 some records failed, 2 usage or
/// configuration, 3 a system was unreachable, 130 stopped by a signal.
pub fn run(arguments: &Arguments) -> ExitCode {
    start_log(arguments.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Exit::of_error(&error.to_string()).into(),
    };
    let exit = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        match command(arguments, &stop).await {
            Ok(exit) => exit,
            Err(failure) => Exit::of_failure(&failure),
        }
    });
    exit.into()
}

async fn command(arguments: &Arguments, stop: &CancellationToken) -> Result<Exit, Failure> {
    let config = || Config::load(&arguments.config).map(Arc::new);
    match &arguments.command {
        Command::Demo(demo) => Box::pin(demo::run(demo, stop)).await,
        Command::Sync(sync) => {
            let output = Output::new(sync.json);
            let reports = Box::pin(sync::run(&config()?, &sync.pipelines, sync.full, &output, stop)).await?;
            output.text(&sync::summary::text(&reports));
            output.object(&sync::summary::object(&reports));
            Ok(sync::exit(&reports))
        }
        Command::Status(look) => status::run(&config()?, &Output::new(look.json)).await,
        Command::Check(look) => check::run(&config()?, &Output::new(look.json)).await,
        Command::Counts(look) => counts::run(&config()?, &Output::new(look.json)).await,
        Command::Unbind(unbind) => unbind::run(&config()?, unbind).await,
        Command::Config(ConfigCommand::Example) => {
            Output::new(false).text(EXAMPLE);
            Ok(Exit::Done)
        }
        Command::Config(ConfigCommand::Check) => {
            let config = config()?;
            Output::new(false).line(format!(
                "{}: {} pipelines, {} Odoo servers",
                arguments.config.display(),
                config.pipelines.len(),
                config.odoo.len()
            ));
            Ok(Exit::Done)
        }
    }
}

/// The first signal asks for a drain; the second ends the process at once, which loses nothing either.
async fn stop_on_signal(stop: CancellationToken) {
    while let Ok(()) = shared::platform::stop_requested().await {
        if stop.is_cancelled() {
            std::process::abort();
        }
        tracing::warn!("stopping: what is in hand is ended first; a second signal ends at once");
        stop.cancel();
    }
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CATALOG_SYNC_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    // A second subscriber in one process (tests call `run` more than once) is refused, which is right.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    );
}
