//! A command seen from outside: its time and its peak memory.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A command that ended well.
pub(crate) struct Measured {
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// The most memory that it had in use (`VmHWM`, Linux).
    pub(crate) peak_mib: f64,
    /// The object that it printed.
    pub(crate) report: Value,
}

/// Runs a command that prints one object, and watches its memory until it ends.
pub(crate) fn measure(command: &mut Command) -> Measured {
    let printed = tempfile::NamedTempFile::new().unwrap();
    let began = Instant::now();
    let mut child = command.stdout(printed.reopen().unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0.0_f64;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kib =
            peak_kib.max(peak.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = began.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(printed.path()).unwrap();
    assert!(ended.success(), "{text}");
    Measured { seconds, peak_mib: peak_kib / 1024.0, report: serde_json::from_str(&text).unwrap() }
}
