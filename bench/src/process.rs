//! Processes seen from outside: their time, CPU and memory.

use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Linux counts CPU in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// The program itself, of this build.
pub(crate) fn program<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("program").args(arguments);
    command
}

/// CPU seconds that a process has used, those of its system calls included.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks =
        |at: usize| fields.split_whitespace().nth(at).and_then(|text| text.parse().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// The most memory that a process had in use, in MiB (`VmHWM`).
pub(crate) fn peak_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0) / 1024.0
}

/// The memory that a process has in use, in MB (`VmRSS`); a panic where there is no such process.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1.024 / 1_000.0
}

/// From now on the peak of this process counts anew.
pub(crate) fn reset_peak() {
    // Where that is not possible the peak is that of all steps so far.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// A command that ended well.
pub(crate) struct Measured {
    /// From its start to its end.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mib: f64,
    /// The object that it printed.
    pub(crate) report: Value,
}

/// Runs a command that prints one object and ends well, and watches it until it ends.
pub(crate) fn measure(command: &mut Command) -> Measured {
    let (measured, code) = watch(command);
    assert_eq!(code, 0, "{}", measured.report);
    measured
}

/// Runs a command that prints one object, and watches it until it ends: with its exit code.
pub(crate) fn watch(command: &mut Command) -> (Measured, i32) {
    let printed = tempfile::NamedTempFile::new().unwrap();
    let began = Instant::now();
    let mut child = command.stdout(printed.reopen().unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let (mut peak, mut cpu) = (0.0_f64, 0.0_f64);
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        peak = peak.max(peak_mib(child.id()));
        cpu = cpu.max(cpu_seconds(child.id()));
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = began.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(printed.path()).unwrap();
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (Measured { seconds, cpu_seconds: cpu, peak_mib: peak, report }, ended.code().unwrap_or(-1))
}

/// A role that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Role(Child);

impl Role {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It has ended by itself, perhaps.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
