//! catalog-sync on one machine, and the operator's commands. The binary is this library's [`run`].

mod arguments;
mod called;
mod check;
mod counts;
mod dead;
mod demo;
mod duplicates;
mod exit;
mod import;
mod output;
mod pause;
mod plan;
mod runs;
mod schedule;
mod state;
mod status;
mod sync;
mod unbind;
mod verify;
mod why;

use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;
use producer::start::Wish;
use shared::config::{Config, EXAMPLE};
use shared::failure::Failure;
use shared::process;
use shared::telemetry::healthy;
use tokio_util::sync::CancellationToken;

pub use arguments::Arguments;
use arguments::{Command, ConfigCommand, Sync as SyncArguments};
pub use called::spelt_out;
use exit::Exit;
use output::Output;
use sync::PipelineReport;

/// Runs one command to its end and gives the process's exit code: 0 done, 1 some records failed, 2 usage or
/// configuration, 3 a system was unreachable, 130 stopped by a signal.
pub fn run(arguments: &Arguments) -> ExitCode {
    let is_role = arguments.command.is_role();
    let exit = process::run(is_role, arguments.verbose, |stop| async move {
        match command(arguments, &stop).await {
            Ok(exit) => exit,
            // A role that its services do not let in says so as one that cannot reach them.
            Err(failure) if is_role && process::role_exit_code(&failure) == 3 => {
                Exit::of_error(&format!("{failure:#}"))
            }
            Err(failure) => Exit::of_failure(&failure),
        }
    });
    exit.unwrap_or_else(|error| Exit::of_error(&error.to_string())).into()
}

async fn synced(
    config: &Arc<Config>,
    arguments: &SyncArguments,
    output: &Output,
    stop: &CancellationToken,
) -> Result<Vec<PipelineReport>, Failure> {
    let asked = if let Some(path) = &arguments.plan {
        plan::asked(config, path, (&arguments.pipelines, arguments.allow_mass_archive), output).await?
    } else {
        let wish = Wish {
            full: arguments.full,
            sweep: arguments.sweep,
            allow_mass_archive: arguments.allow_mass_archive,
            ..Wish::default()
        };
        sync::asked(config, &arguments.pipelines, &wish)?
    };
    Box::pin(sync::run(config, &asked, output, stop)).await
}

async fn command(arguments: &Arguments, stop: &CancellationToken) -> Result<Exit, Failure> {
    let config = || Config::load(&arguments.config).map(Arc::new);
    match &arguments.command {
        Command::Demo(demo) => Box::pin(demo::run(demo, stop)).await,
        Command::Sync(sync) => {
            let output = Output::new(sync.json);
            let reports = Box::pin(synced(&config()?, sync, &output, stop)).await?;
            output.text(&sync::summary::text(&reports));
            output.object(&sync::summary::object(&reports));
            Ok(sync::exit(&reports))
        }
        Command::Plan(arguments) => Box::pin(plan::run(&config()?, arguments)).await,
        Command::Verify(arguments) => Box::pin(verify::run(&config()?, arguments, stop)).await,
        Command::Producer => {
            producer::role::run(config()?, stop.clone()).await?;
            Ok(Exit::Done)
        }
        Command::Worker(role) => {
            worker::role::run(config()?, &role.pipelines, stop.clone()).await?;
            Ok(Exit::Done)
        }
        Command::Pause(arguments) => pause::pause(&*config()?, arguments).await,
        Command::Resume(arguments) => pause::resume(&*config()?, arguments).await,
        Command::Healthcheck(check) => {
            let listen = config()?.metrics.listen.ok_or_else(|| {
                Failure::configuration("there is no [metrics] listen, so nothing can be asked")
                    .advise("set it, or CATALOG_SYNC_METRICS_LISTEN")
            })?;
            healthy(listen, check.ready).await?;
            Ok(Exit::Done)
        }
        Command::Status(look) => status::run(&config()?, &Output::new(look.json)).await,
        Command::Check(check) if check.duplicates => Box::pin(duplicates::run(&config()?, check)).await,
        Command::Check(check) => check::run(&config()?, &Output::new(check.json)).await,
        Command::Counts(look) => counts::run(&config()?, &Output::new(look.json)).await,
        Command::Dead(command) => Box::pin(dead::run(&config()?, command)).await,
        Command::Why(arguments) => Box::pin(why::run(&config()?, arguments)).await,
        Command::Unbind(unbind) => unbind::run(&config()?, unbind).await,
        Command::Schedule(command) => Box::pin(schedule::run(&config()?, command, stop)).await,
        Command::Runs(runs) => runs::run(&*config()?, runs).await,
        Command::Import(import) => Box::pin(import::run(&arguments.config, import)).await,
        Command::Completions(completions) => {
            let mut text = Vec::new();
            clap_complete::generate(completions.shell, &mut Arguments::command(), "catalog-sync", &mut text);
            Output::new(false).text(&String::from_utf8_lossy(&text));
            Ok(Exit::Done)
        }
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
