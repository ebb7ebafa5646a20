//! What is deployed: alerts, dashboard, images, compose and Kubernetes. No container engine runs here: the files are read, and what
//! they start is started as processes.

mod alerts;
mod compose;
mod dockerfile;
mod kubernetes;
mod services;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A file of the project.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A YAML file of one document, with its anchors resolved.
fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a tool; `None` where it is not installed.
fn tool(program: &str, arguments: &[&str], folder: &str) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(file(folder)).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{program}: {error}"),
    }
}

/// What a tool said where it was not content.
fn content(output: &Output) {
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}
