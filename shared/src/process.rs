//! What our programs have in common as processes: log, signals, exit codes.

use std::future::Future;
use std::io::IsTerminal;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::failure::{Class, Failure, Reason};
use crate::platform;

/// Runs a role of a fleet to its end: 0 when it was told to stop, 2 for usage and configuration, 3 where the broker or
/// the state cannot be reached or signed in to.
pub fn run_role<F>(program: &str, verbose: u8, role: impl FnOnce(CancellationToken) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Failure>>,
{
    match run(true, verbose, role) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => told(program, &format!("{failure:#}"), role_exit_code(&failure)),
        Err(error) => told(program, &error.to_string(), 3),
    }
}

/// Starts the log and runs what is to be done, which the first signal asks to stop. A role has one heap, and is watched by its
/// log: what happens belongs into it.
///
/// # Errors
/// The system has no threads for it.
pub fn run<F: Future>(
    is_role: bool,
    verbose: u8,
    work: impl FnOnce(CancellationToken) -> F,
) -> std::io::Result<F::Output> {
    if is_role {
        platform::with_one_heap();
    }
    start_log(verbose.saturating_add(u8::from(is_role)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        work(stop).await
    }))
}

/// The exit code of a role that could not start.
pub fn role_exit_code(failure: &Failure) -> u8 {
    match (failure.class, failure.reason) {
        (Class::Interrupted, _) => 130,
        (_, Reason::Configuration | Reason::File) => 2,
        _ => 3,
    }
}

#[expect(clippy::print_stderr, reason = "the one line with which a program that cannot start ends")]
fn told(program: &str, message: &str, code: u8) -> ExitCode {
    eprintln!("{program}: {message}");
    ExitCode::from(code)
}

/// The first signal asks for a drain; the second ends the process at once, which loses nothing either.
async fn stop_on_signal(stop: CancellationToken) {
    while let Ok(()) = platform::stop_requested().await {
        if stop.is_cancelled() {
            std::process::abort();
        }
        tracing::warn!("stopping: what is in hand is ended first; a second signal ends at once");
        stop.cancel();
    }
}

/// Starts the log on standard error: warnings, with `verbose` 1 what happens, with 2 details. `CATALOG_SYNC_LOG` sets a
/// filter instead. `CATALOG_SYNC_LOG_FORMAT=json` writes one JSON object a line, with the fields beside the message.
fn start_log(verbose: u8) {
    // The broker's client tells of every frame, the others of every connection.
    let level = match verbose {
        0 => "warn",
        1 => "info,lapin=warn",
        _ => "debug,lapin=info,hyper=info,reqwest=info,rustls=info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("CATALOG_SYNC_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    let format = std::env::var("CATALOG_SYNC_LOG_FORMAT").unwrap_or_default();
    // A second subscriber in one process (tests run commands more than once) is refused, which is right.
    drop(if format == "json" { log.json().flatten_event(true).try_init() } else { log.try_init() });
    if !matches!(format.as_str(), "" | "json" | "text") {
        tracing::warn!("CATALOG_SYNC_LOG_FORMAT is neither 'text' nor 'json': the log is text");
    }
}
