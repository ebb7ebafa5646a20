//! The few things that differ between operating systems. Windows compiles the other branch of each and was not run.

use std::fs::File;
use std::io;
use std::path::Path;

/// glibc's setting of how many heaps there are.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: &str = "MALLOC_ARENA_MAX";

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

/// Begins this process anew with one heap for all of its threads, where its C library is glibc and nothing is said of heaps. To
/// be called first of all, by what runs for long.
///
/// glibc gives each thread a heap of its own, up to eight per core. What a page of records leaves in pieces in each of them,
/// and in that of every new connection's thread, does not come back: a producer grew by megabytes an hour (docs/decisions/0017).
/// glibc reads the setting before `main`, so the same program is put in this process's place, under the same id.
pub(crate) fn with_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::os::unix::process::CommandExt as _;
        let is_said = [HEAPS, "GLIBC_TUNABLES"].into_iter().any(|name| std::env::var_os(name).is_some());
        let (Ok(program), false) = (std::env::current_exe(), is_said) else { return };
        let mut arguments = std::env::args_os();
        let mut command = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        // It comes back only where it was refused. One heap is better, more will do.
        let _refused = command.args(arguments).env(HEAPS, "1").exec();
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
