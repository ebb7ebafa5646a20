//! The few things that differ between operating systems. Windows compiles the other branch of each and was not run.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes the entries of a folder durable (a rename is on disk only after this). Windows has no such call: there the
/// rename itself is journalled by the file system.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(folder)?.sync_all() }
}

/// Renames `from` over `to` and makes it durable. On Windows a reader that holds `to` open without sharing makes the
/// rename fail with "access denied"; it is tried for two seconds before it is given up.
pub fn replace_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        match std::fs::rename(from, to) {
            Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied && tries < 20 => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    match to.parent() {
        Some(folder) if folder.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Resolves when the process is asked to stop: Ctrl-C anywhere, SIGTERM where it exists.
pub(crate) async fn stop_requested() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await
    }
}

/// What this machine is called; in a container its id, in Kubernetes the pod's name.
pub fn host() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    let fits = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = told.as_deref().unwrap_or("").trim().chars().map(fits).take(40).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
