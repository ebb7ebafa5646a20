//! The keys of the configuration file, as they stand there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::pipeline::{Gone, ImageRemoved, JsonFormat};
use super::suggest;
use crate::failure::Failure;
use crate::odoo::Transport;
use crate::record::Values;
use crate::zoho::{Api, ContactType, DataCenter};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) state: Option<PathBuf>,
    pub(super) fleet: Option<Fleet>,
    #[serde(default)]
    pub(super) metrics: Metrics,
    #[serde(default)]
    pub(super) page: Page,
    #[serde(default)]
    pub(super) schedule: Schedule,
    #[serde(default)]
    pub(super) notify: Notify,
    #[serde(default)]
    pub(super) odoo: BTreeMap<String, Odoo>,
    #[serde(default)]
    pub(super) zoho: BTreeMap<String, Zoho>,
    #[serde(default)]
    pub(super) json: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) pipeline: BTreeMap<String, Pipeline>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fleet {
    pub(super) broker: String,
    pub(super) broker_user: Option<String>,
    pub(super) redis: String,
    pub(super) redis_user: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) capacity: Option<u64>,
    pub(super) lost_after: Option<Span>,
    pub(super) grace: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    pub(super) disable_after: Option<u32>,
    pub(super) keep_runs: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notify {
    pub(super) log: Option<PathBuf>,
    pub(super) log_bytes: Option<u64>,
    pub(super) log_files: Option<u32>,
    pub(super) dead_letters_above: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Odoo {
    pub(super) url: String,
    pub(super) database: String,
    pub(super) user: Option<String>,
    pub(super) transport: Option<Transport>,
    pub(super) timeout: Option<Span>,
    pub(super) limit_time_real: Option<Span>,
    #[serde(default)]
    pub(super) context: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Zoho {
    pub(super) data_center: DataCenter,
    pub(super) organization_id: String,
    pub(super) client_id: String,
    pub(super) api: Option<Api>,
    pub(super) accounts_url: Option<String>,
    pub(super) api_url: Option<String>,
    pub(super) calls_per_minute: Option<usize>,
    pub(super) concurrent_calls: Option<usize>,
    pub(super) reserve_percent: Option<u8>,
    #[serde(default)]
    pub(super) redirect_hosts: Vec<String>,
    #[serde(default)]
    pub(super) private_hosts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Json {
    pub(super) folder: PathBuf,
    pub(super) format: Option<JsonFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pipeline {
    pub(super) source: String,
    pub(super) sink: String,
    pub(super) entity: Option<String>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) fields: Vec<String>,
    pub(super) mapping: Option<toml::Table>,
    #[serde(default)]
    pub(super) domain: Vec<toml::Value>,
    pub(super) file: Option<PathBuf>,
    pub(super) format: Option<JsonFormat>,
    pub(super) overlap: Option<Span>,
    pub(super) every: Option<Span>,
    pub(super) compare_every: Option<Interval>,
    pub(super) full_every: Option<Interval>,
    pub(super) sweep_every: Option<Interval>,
    pub(super) gone: Option<Gone>,
    pub(super) gone_at_most_percent: Option<u8>,
    pub(super) left_is_gone: Option<bool>,
    pub(super) page_size: Option<usize>,
    /// The Odoo model that is written.
    pub(super) target: Option<String>,
    /// First part of external ids.
    pub(super) prefix: Option<String>,
    /// What one record is called in external ids.
    pub(super) record: Option<String>,
    #[serde(default)]
    pub(super) match_by: Vec<String>,
    #[serde(default)]
    pub(super) context: BTreeMap<String, toml::Value>,
    pub(super) storable: Option<bool>,
    pub(super) images: Option<bool>,
    pub(super) image_quality: Option<u8>,
    pub(super) image_removed: Option<ImageRemoved>,
    pub(super) contact_type: Option<ContactType>,
}

/// A time span, or "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Interval(pub(super) Option<Duration>);

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        Ok(Self(Some(interval(&text)?)))
    }
}

/// How often something is done: a time span of one second at least.
///
/// # Errors
/// What is wrong with it, in words.
pub fn interval(text: &str) -> Result<Duration, String> {
    match Span::try_from(text.to_owned())? {
        Span(span) if span < Duration::from_secs(1) => {
            Err(format!("an interval of '{text}' would never rest: use 1s at least, or switch it off"))
        }
        Span(span) => Ok(span),
    }
}

/// A time span such as "90s", "15m", "6h" or "7d".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(pub(super) Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no time span: write a number and s, m, h or d, such as \"15m\"");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count: u64 = text.trim_end_matches(unit).trim().parse().map_err(|_| wrong())?;
        count.checked_mul(seconds).map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
}

/// Parses the text; an error names file, line and key and, for an unknown key, the one that was perhaps meant.
pub(super) fn parse(text: &str, path: &Path) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let place = match error.span().and_then(|span| text.get(..span.start)) {
            Some(before) => format!("{} line {}", path.display(), before.matches('\n').count() + 1),
            None => path.display().to_string(),
        };
        let message = error.message();
        let failure =
            Failure::configuration(format!("{place}: {}", message.lines().collect::<Vec<_>>().join(" ")));
        match quoted(message).as_slice() {
            [unknown, known @ ..] if message.starts_with("unknown field") => {
                let failure = Failure::configuration(format!("{place}: there is no key '{unknown}' here"));
                if ["password", "api_key", "secret", "token", "client_secret", "refresh_token"]
                    .contains(unknown)
                {
                    failure.advise(
                        "secrets come from the environment: CATALOG_SYNC_ODOO_<NAME>_PASSWORD or _API_KEY, \
                         CATALOG_SYNC_ZOHO_<NAME>_CLIENT_SECRET and _REFRESH_TOKEN, or the same with _FILE",
                    )
                } else {
                    failure.advise(suggest(unknown, known))
                }
            }
            _ => failure.advise("`catalog-sync config example` shows every key"),
        }
    })
}

/// The parts of a message that stand between backquotes.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// A TOML table as JSON values.
pub(super) fn values(table: &BTreeMap<String, toml::Value>) -> Values {
    table.iter().map(|(key, value)| (key.clone(), json(value.clone()))).collect()
}

/// A TOML value as JSON; decimals keep the digits that were written as far as TOML's own float keeps them.
pub(super) fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.to_string().parse().map_or(Value::Null, Value::Number),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(fields) => fields.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}
