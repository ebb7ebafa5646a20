//! The other side of a call, and what its transport errors mean.

use std::error::Error as _;
use std::time::Duration;

use crate::failure::{DEFECT, Failure, Reason};

/// Whom we talk to, as messages name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// Such as `Odoo`.
    pub(crate) system: &'a str,
    /// Host, with the port where it is not the usual one.
    pub(crate) host: &'a str,
    /// The setting that holds the address, such as `url`.
    pub(crate) setting: &'a str,
    /// The bound of the call.
    pub(crate) timeout: Duration,
}

impl Peer<'_> {
    /// The failure of a call that got no whole answer. The address is not repeated from the error: a query may say more
    /// than a log should.
    pub(crate) fn transport(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let Self { system, host, setting, timeout } = self;
        let causes = causes(&error);
        if causes.contains("certificate") {
            return Failure::configuration(format!("the TLS certificate of {host} is not trusted"))
                .because(error)
                .advise("renew it, or add its authority to the trusted certificates of this machine");
        }
        if causes.contains("corrupt message") || causes.contains("InvalidContentType") {
            return Failure::configuration(format!("{host} does not speak TLS on this port"))
                .because(error)
                .advise(format!("set `{setting}` to http://, or to the port that serves https"));
        }
        if error.is_timeout() {
            let what = if error.is_connect() {
                format!("no connection to {system} at {host} in time")
            } else {
                format!("no answer of {system} at {host} within {} s", timeout.as_secs_f32())
            };
            return Failure::transient(Reason::Timeout, what).because(error);
        }
        if error.is_builder() {
            return Failure::configuration(format!("the request to {host} cannot be made"))
                .advise(DEFECT)
                .because(error);
        }
        let what = if error.is_connect() {
            format!("no connection to {system} at {host}")
        } else {
            format!("the connection to {system} at {host} broke")
        };
        Failure::transient(Reason::Unreachable, what)
            .because(error)
            .advise(format!("check that the server is running and that `{setting}` is right"))
    }
}

fn causes(error: &reqwest::Error) -> String {
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    causes
}
