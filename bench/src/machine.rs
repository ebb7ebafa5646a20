//! On what was measured.

use std::process::Command;

/// What must be known beside every figure.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    vec![
        ("date", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()),
        ("processor", model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.to_owned())),
        ("cores", cores.to_string()),
        ("memory", format!("{} MiB", kib.unwrap_or(0) / 1024)),
        ("catalog-sync", format!("{} ({})", env!("CARGO_PKG_VERSION"), build())),
        ("rustc", said("rustc", &["--version"])),
        ("redis", said("redis-server", &["--version"])),
    ]
}

/// Runnable threads over the last minute: how busy others kept the machine.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned()
}

fn build() -> &'static str {
    if cfg!(debug_assertions) { "not optimised: figures of no use" } else { "optimised" }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The first line of what a program says of itself.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("not there").to_owned()
}
