//! On what was measured.

use std::collections::BTreeMap;
use std::process::Command;

/// What must be known beside every figure.
pub(crate) fn facts() -> BTreeMap<String, String> {
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    [
        ("date", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()),
        ("processor", model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.to_owned())),
        ("cores", cores.to_string()),
        ("memory", format!("{} MiB", kib.unwrap_or(0) / 1024)),
        ("system", said("uname", &["-sr"])),
        ("catalog-sync", format!("{}, {} ({})", env!("CARGO_PKG_VERSION"), commit(), build())),
        ("rustc", said("rustc", &["--version"])),
        ("rabbitmq", rabbitmq()),
        ("redis", redis()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Of the sources, where they are a repository.
fn commit() -> String {
    said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--exclude=*"])
}

/// Its version stands in the name of a folder: asked, it would start a machine of its own.
fn rabbitmq() -> String {
    let folders = ["/usr/lib/rabbitmq/lib", "/usr/local/opt/rabbitmq/libexec", "/opt/rabbitmq/plugins"];
    let mut names = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let name = names.find_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let version = name.strip_prefix("rabbitmq_server-").or(name.strip_prefix("rabbit-"))?;
        Some(version.trim_end_matches(".ez").to_owned())
    });
    name.unwrap_or_else(|| "unknown".to_owned())
}

fn redis() -> String {
    let line = said("redis-server", &["--version"]);
    let version = line.split_whitespace().find_map(|word| word.strip_prefix("v=").map(str::to_owned));
    version.unwrap_or(line)
}

/// Runnable threads over the last minute: how busy others kept the machine.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned()
}

/// How the cores' time went since the machine was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoreTime {
    busy: u64,
    all: u64,
}

impl CoreTime {
    pub(crate) fn now() -> Self {
        let stat = read("/proc/stat");
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|text| text.parse().ok()).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        let all: u64 = ticks.iter().sum();
        Self { busy: all - idle, all }
    }

    /// The share of all cores' time that was used since, from 0 to 1.
    pub(crate) fn used_since(self) -> f64 {
        let now = Self::now();
        let all = (now.all - self.all).max(1);
        (now.busy - self.busy) as f64 / all as f64
    }
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
