//! How long it takes until a process is of use.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::process::program;
use crate::report::{Report, median};

const PART: &str = "start-up";
const TIMES: usize = 20;

pub(crate) fn measure(report: &mut Report) {
    Report::part("Start-up");
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[odoo.erp]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"erp\"\nuser = \"sync\"\n\
                         [json.files]\nfolder = \"out\"\n\
                         [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n";
    std::fs::write(folder.path().join("catalog-sync.toml"), configuration).unwrap();
    let in_folder = |arguments: &[&str]| {
        let mut command = program(arguments);
        command.current_dir(folder.path()).env("CATALOG_SYNC_ODOO_ERP_PASSWORD", "none");
        command
    };
    report.add(PART, "--version", milliseconds(|| in_folder(&["--version"])), "ms");
    report.add(PART, "status", milliseconds(|| in_folder(&["status"])), "ms");
    let size = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    report.add(PART, "this binary: the program, its stand-ins and the bench", size as f64 / 1e6, "MB");
}

fn milliseconds(command: impl Fn() -> Command) -> f64 {
    let times = (0..TIMES).map(|_| {
        let began = Instant::now();
        let ended = command().stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(ended.success());
        began.elapsed().as_secs_f64() * 1_000.0
    });
    median(times.collect())
}
