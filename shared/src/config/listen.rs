//! `listen`, of whichever table: where a process may be asked. One file is shared by processes that need an address each, so a
//! variable of each process takes its place.

use std::net::SocketAddr;
use std::path::Path;

use super::check::in_file;
use crate::failure::Failure;

/// What is said of it.
pub(super) enum Listen {
    Unsaid,
    Nowhere,
    At(SocketAddr),
}

impl Listen {
    /// `key` is "metrics.listen" or the like, `of_file` its value there, `port` one to give as an example.
    pub(super) fn check(
        key: &str,
        variable: &str,
        of_file: Option<&str>,
        port: u16,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let of_process = environment(variable);
        let Some(listen) = of_process.as_deref().or(of_file) else { return Ok(Self::Unsaid) };
        if listen.is_empty() {
            return Ok(Self::Nowhere);
        }
        let advice =
            format!("write an address and a port, such as \"127.0.0.1:{port}\"; empty switches it off");
        listen.parse().map(Self::At).map_err(|_| match of_process {
            Some(_) => Failure::configuration(format!("{variable} is '{listen}'")).advise(advice),
            None => in_file(path, format!("{key} is '{listen}'")).advise(advice),
        })
    }
}
