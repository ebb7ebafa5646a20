//! A cold build of the program alone, into a folder of its own.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::report::Report;

const PART: &str = "build";

pub(crate) fn measure(report: &mut Report) {
    report.part("A cold build of catalog-sync, dependencies downloaded before");
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let built = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "-p", "catalog-sync", "--target-dir"])
        .arg(folder.path())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(built.success());
    report.add(PART, "cargo build --release", began.elapsed().as_secs_f64(), "s");
    let size = std::fs::metadata(folder.path().join("release/catalog-sync")).unwrap().len();
    report.add(PART, "the program", size as f64 / 1e6, "MB");
}
