//! Where an instance lives: a folder of its own, its processes, and a watcher that ends both with this process.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::wait;

/// Where logs are kept when the folders are gone.
const LOGS_VARIABLE: &str = "CATALOG_SYNC_TEST_LOGS";
/// How long a service may take to end in order.
const ORDERLY_END: Duration = Duration::from_mins(1);

/// Reads which process groups there are, line by line. The end of input is the end of the process that wrote them: even one that
/// was killed closes its end of the pipe.
const WATCHER: &str = r#"while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
rm -rf -- "$1""#;

/// Waits until the watcher knows of it.
const STARTER: &str = r#"read -r go && exec "$@" </dev/null"#;

/// A folder with processes. Dropped, it ends them and removes the folder.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    logs: PathBuf,
    processes: Vec<Child>,
    watcher: Child,
    told: Option<ChildStdin>,
}

impl Place {
    /// `name` is the folder's, for people who look what is there.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("catalog-sync-{name}-")).tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no folder for {name}: {error}")).keep();
        let logs = match std::env::var_os(LOGS_VARIABLE) {
            Some(kept) => Path::new(&kept).join(folder.file_name().unwrap_or(folder.as_os_str())),
            None => folder.join("logs"),
        };
        std::fs::create_dir_all(&logs).unwrap_or_else(|error| panic!("{}: {error}", logs.display()));
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCHER, "watcher"]).arg(&folder);
        let mut watcher = spawn(watcher.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()));
        let told = watcher.stdin.take();
        Self { folder, logs, processes: Vec::new(), watcher, told }
    }

    /// The instance's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of its logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Writes a file of the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Starts a process, with what it prints in `<name>.log`.
    pub(crate) fn run(&mut self, name: &str, command: &Command) {
        let path = self.log(name);
        let log = File::options().create(true).append(true).open(&path);
        let log = log.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let errors = log.try_clone().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut starter = Command::new("sh");
        starter.args(["-c", STARTER, "starter"]).arg(command.get_program()).args(command.get_args());
        starter.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        starter.current_dir(&self.folder).stdin(Stdio::piped()).stdout(log).stderr(errors);
        let mut process = spawn(&mut starter);
        let go = process.stdin.take();
        self.processes.push(process);
        self.tell();
        if let Some(mut go) = go {
            go.write_all(b"go\n").unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        }
    }

    /// Waits until it is ready; a process that ends before is a panic with the end of its log.
    pub(crate) fn await_ready(&mut self, name: &str, limit: Duration, mut is_ready: impl FnMut() -> bool) {
        let ready = wait::until(limit, || {
            if self.processes.iter_mut().any(|process| !matches!(process.try_wait(), Ok(None))) {
                return Some(false);
            }
            is_ready().then_some(true)
        });
        match ready {
            Some(true) => {}
            Some(false) => panic!("{name} ended instead of starting. {}", self.end_of_log(name)),
            None => panic!("{name} is not ready after {limit:?}. {}", self.end_of_log(name)),
        }
    }

    /// Asks the processes to end, the last started first, and waits for each; what does not end in a minute is killed.
    pub(crate) fn stop(&mut self) {
        while let Some(mut process) = self.processes.pop() {
            let pid = process.id().to_string();
            // The shell's own: /bin/kill is a package that a small system does without.
            let asked = Command::new("sh").args(["-c", r#"kill -s TERM "$1""#, "kill", &pid]).status();
            assert!(asked.is_ok_and(|status| status.success()), "no process {pid} to stop");
            let ended = wait::until(ORDERLY_END, || process.try_wait().ok().flatten());
            if ended.is_none() {
                end_now(&mut process);
            }
        }
        self.tell();
    }

    /// Kills the processes with SIGKILL.
    pub(crate) fn kill(&mut self) {
        while let Some(mut process) = self.processes.pop() {
            end_now(&mut process);
        }
        self.tell();
    }

    /// Whether there are processes: neither stopped nor killed by us.
    pub(crate) fn is_running(&self) -> bool {
        !self.processes.is_empty()
    }

    fn tell(&mut self) {
        let groups: Vec<String> = self.processes.iter().map(|process| process.id().to_string()).collect();
        let told = self.told.as_mut().map(|watcher| writeln!(watcher, "{}", groups.join(" ")));
        assert!(matches!(told, Some(Ok(()))), "the watcher of {} is gone: {told:?}", self.folder.display());
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn end_of_log(&self, name: &str) -> String {
        let path = self.log(name);
        let text = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("The end of {}:\n{}", path.display(), lines.join("\n"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(end_now);
        // The watcher removes the folder.
        drop(self.told.take());
        drop(self.watcher.wait());
    }
}

/// In a process group of its own: Ctrl-C in a terminal ends the tests, and they end this.
fn spawn(command: &mut Command) -> Child {
    let spawned = command.process_group(0).spawn();
    spawned.unwrap_or_else(|error| panic!("{} cannot be started: {error}", command.get_program().display()))
}

/// Kills a process, which fails only where it has ended already.
fn end_now(process: &mut Child) {
    drop(process.kill());
    drop(process.wait());
}
