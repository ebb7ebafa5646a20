//! What a queue on `RabbitMQ` has to know.

use lapin::uri::AMQPUri;
use secrecy::SecretString;

use crate::failure::{DEFECT, Failure};
use crate::job::JobKind;
use crate::record::PipelineName;

/// Names of queues are at most 255 bytes: prefix, pipeline (40), kind and endings have to fit.
const PREFIX_MAX: usize = 100;

/// Names of consumers too.
const NAME_MAX: usize = 200;

/// Where the broker is and what is declared on it.
#[derive(Debug, Clone)]
pub struct RabbitSettings {
    /// `amqp://host:port/vhost` or `amqps://...`, without credentials. No virtual host is `/`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: SecretString,
    /// What the names of all queues and exchanges begin with, one per deployment: 1 to 100 of `A-Za-z0-9_-`.
    pub prefix: String,
    /// The lanes that are declared at once. Others are declared when they are first used, not single.
    pub lanes: Vec<Lane>,
    /// How many jobs are put into a work queue before publishing waits. Its limit on the broker (`x-max-length`) is twice
    /// that and at least a thousand more: jobs that come back from a retry tier find room.
    pub capacity: u64,
    /// Bytes of an encoded job: a larger one is not published, and not read.
    pub job_bytes_max: usize,
    /// Who we are, for the broker's lists: `catalog-sync <role> <host> <pid>`.
    pub name: String,
}

/// The jobs of one pipeline and kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lane {
    /// Which pipeline.
    pub pipeline: PipelineName,
    /// Which kind.
    pub kind: JobKind,
    /// One consumer at a time (`x-single-active-consumer`), for sinks with one writer.
    pub single: bool,
}

impl RabbitSettings {
    /// The address without credentials and without the traps of its notation.
    ///
    /// # Errors
    /// Words that name no part of the address but the faulty one.
    pub(super) fn address(&self) -> Result<AMQPUri, Failure> {
        let wrong = |what: &str| {
            Failure::configuration(format!("the address of RabbitMQ {what}")).advise(
                "write it as amqp://host:5672 or amqps://host:5671, with /vhost behind it if there is one",
            )
        };
        let (_, rest) = self.url.split_once("://").ok_or_else(|| wrong("has no amqp:// or amqps://"))?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(wrong("contains credentials: they have settings of their own"));
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(wrong("names no host"));
        }
        let mut uri: AMQPUri = self.url.parse().map_err(|_| wrong("cannot be read"))?;
        if uri.vhost.is_empty() {
            // `amqp://host/` means the virtual host "" by the letter, which nobody has.
            "/".clone_into(&mut uri.vhost);
        }
        Ok(uri)
    }

    /// Checks what is not checked by its type.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let fits = (1..=PREFIX_MAX).contains(&self.prefix.len())
            && self.prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !fits {
            return Err(Failure::configuration(format!(
                "the prefix of the queues, {:?}, is not 1 to {PREFIX_MAX} of A-Z, a-z, 0-9, '_' and '-'",
                self.prefix
            ))
            .advise("set `prefix` in [fleet] to such a name"));
        }
        if self.name.len() > NAME_MAX {
            return Err(Failure::configuration(format!(
                "our name for the broker has more than {NAME_MAX} bytes"
            ))
            .advise("give this machine a shorter host name"));
        }
        if self.capacity == 0 || self.job_bytes_max == 0 {
            return Err(Failure::configuration("a queue of no jobs, or for jobs of no bytes").advise(DEFECT));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    fn settings(url: &str) -> RabbitSettings {
        RabbitSettings {
            url: url.to_owned(),
            user: "shop".to_owned(),
            password: "s3cret".into(),
            prefix: "catalog-sync".to_owned(),
            lanes: Vec::new(),
            capacity: 1,
            job_bytes_max: 1,
            name: String::new(),
        }
    }

    #[test]
    fn an_address_is_read_with_its_virtual_host() {
        for (url, host, port, vhost) in [
            ("amqp://broker", "broker", 5672, "/"),
            ("amqp://broker:5673/", "broker", 5673, "/"),
            ("amqps://broker/shop", "broker", 5671, "shop"),
            ("amqp://10.0.0.1:5672/%2fshop", "10.0.0.1", 5672, "/shop"),
        ] {
            let uri = settings(url).address().unwrap();
            assert_eq!(
                (uri.authority.host.as_str(), uri.authority.port, uri.vhost.as_str()),
                (host, port, vhost)
            );
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_being_repeated() {
        for url in
            ["broker:5672", "http://broker", "amqp://shop:s3cret@broker", "amqp://", "amqp://:5672/", ""]
        {
            let failure = settings(url).address().unwrap_err();
            assert_eq!(failure.reason, Reason::Configuration, "{url}");
            assert!(!format!("{failure:#}").contains("s3cret"), "{failure:#}");
        }
    }

    #[test]
    fn names_that_would_not_fit_are_refused() {
        let prefix = |prefix: &str| RabbitSettings { prefix: prefix.to_owned(), ..settings("amqp://broker") };
        assert!(prefix("shop_1-EU").check().is_ok());
        for wrong in ["", "a.b", "a b", "é", &"a".repeat(101)] {
            assert!(prefix(wrong).check().is_err(), "{wrong}");
        }
    }
}
