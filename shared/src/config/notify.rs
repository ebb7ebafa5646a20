//! `[notify]`: who is told when something is wrong, and when it is well again.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::check::{folder_of, in_file};
use super::{file, secret};
use crate::failure::Failure;

/// The variable of the webhook's address; also read with `_FILE` behind it. The address is a secret: who has it may post.
pub(super) const URL: &str = "CATALOG_SYNC_WEBHOOK_URL";

/// The variable of what is sent as `Authorization`; also read with `_FILE` behind it.
pub(super) const AUTHORIZATION: &str = "CATALOG_SYNC_WEBHOOK_AUTHORIZATION";

/// Who is told of what.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    /// A line for each notification is appended here.
    pub log: Option<LogFile>,
    /// A JSON object for each notification is posted here.
    pub webhook: Option<Webhook>,
    /// More dead letters than this in one pipeline are told; `None`: never.
    pub dead_letters_above: Option<u64>,
}

/// A log file that is rotated by size: `name`, `name.1` (the one before), ...
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes after which a new one is begun.
    pub bytes: u64,
    /// Older ones that are kept.
    pub files: u32,
}

/// Where notifications are posted.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The address.
    pub url: SecretString,
    /// Value of the header `Authorization`.
    pub authorization: Option<SecretString>,
}

impl Notify {
    /// Whether anybody is told anything.
    pub fn is_on(&self) -> bool {
        self.log.is_some() || self.webhook.is_some()
    }

    pub(super) fn check(
        keys: &file::Notify,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let log = keys.log.as_ref().map(|log| LogFile {
            path: folder_of(path).join(log),
            bytes: keys.log_bytes.unwrap_or(1 << 20),
            files: keys.log_files.unwrap_or(5),
        });
        if log.as_ref().is_some_and(|log| log.bytes == 0) {
            return Err(in_file(path, "notify.log_bytes is 0").advise("use 1048576, or leave it out"));
        }
        let authorization = secret::read(AUTHORIZATION, environment)?;
        let webhook = secret::read(URL, environment)?.map(|url| Webhook { url, authorization });
        Ok(Self { log, webhook, dead_letters_above: keys.dead_letters_above })
    }
}
