//! `last_sync.json`: up to when each pipeline's files are complete, for people and scripts that look at it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use shared::failure::{Failure, Reason};
use shared::file_lock::FileLock;
use shared::record::PipelineName;

use super::fault::file_failure;
use super::meter::Meter;
use super::place::set_aside;
use super::whole_file::replace_whole;

/// Keys under which files of other tools hold one time for everything; the first is ours for the oldest of all.
const GENERAL: [&str; 3] = ["last_sync", "last_sync_time", "timestamp"];
const FORMAT: &str = "%Y-%m-%d %H:%M:%S";
/// A writer holds the lock for one small write.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The file `{"last_sync": "<oldest>", "<pipeline>": "2025-10-11 09:12:05", ...}`; times are UTC without a zone, in
/// whole seconds. Also read: a bare time as text, and an object with one of `last_sync`, `last_sync_time` and
/// `timestamp` in place of times for each pipeline.
#[derive(Debug, Clone)]
pub struct LastSync {
    path: PathBuf,
}

/// What the file holds.
#[derive(Debug, Default)]
struct Times {
    /// One time for all pipelines.
    general: Option<Timestamp>,
    /// Everything else, as it is.
    entries: BTreeMap<String, Value>,
}

impl LastSync {
    /// The file at `path`; it need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Up to when a pipeline is complete. `None`: never, or not known. A file without times for single pipelines
    /// speaks for all. A broken file is set aside as `<name>.broken-<UTC time>` and counts as none.
    pub fn time_of(&self, pipeline: &PipelineName) -> Result<Option<Timestamp>, Failure> {
        if let Ok(times) = self.read()? {
            return Ok(times.of(pipeline));
        }
        let _lock = self.lock()?;
        Ok(self.read_or_set_aside()?.of(pipeline))
    }

    /// As [`LastSync::time_of`], for whoever only looks: a broken file stays where it is.
    pub fn peek(&self, pipeline: &PipelineName) -> Result<Option<Timestamp>, Failure> {
        Ok(self.read()?.unwrap_or_default().of(pipeline))
    }

    /// Notes that a pipeline is complete up to `time` (fractions of a second are cut): to be called after the flush, as
    /// this file must never be ahead of the visible one. Entries of others are kept;
    /// processes that do this at the same time wait for each other.
    pub fn record(&self, pipeline: &PipelineName, time: Timestamp) -> Result<(), Failure> {
        if GENERAL.contains(&pipeline.as_str()) {
            return Err(Failure::configuration(format!(
                "a pipeline named {pipeline} cannot be told from the key '{pipeline}' of {}",
                self.path.display()
            ))
            .advise("give the pipeline another name"));
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| file_failure("create the folder", folder, error))?;
        }
        let _lock = self.lock()?;
        let mut times = self.read_or_set_aside()?;
        let text = time.strftime(FORMAT).to_string();
        times.entries.insert(pipeline.to_string(), Value::String(text));
        times
            .to_bytes()
            .and_then(|bytes| replace_whole(&self.path, &bytes, &Meter::default()))
            .map_err(|error| file_failure("write", &self.path, error))
    }

    /// The outer error is the disk's, the inner one says what is wrong with the content.
    fn read(&self) -> Result<Result<Times, String>, Failure> {
        match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ok(Times::default())),
            Err(error) => Err(file_failure("read", &self.path, error)),
            Ok(bytes) => Ok(Times::parse(&bytes)),
        }
    }

    fn read_or_set_aside(&self) -> Result<Times, Failure> {
        let why = match self.read()? {
            Ok(times) => return Ok(times),
            Err(why) => why,
        };
        let to = set_aside(&self.path).map_err(|error| file_failure("rename", &self.path, error))?;
        tracing::warn!(path = %self.path.display(), to = %to.display(), why, "broken file set aside");
        Ok(Times::default())
    }

    fn lock(&self) -> Result<FileLock, Failure> {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(".lock");
        let path = self.path.with_file_name(name);
        let start = Instant::now();
        loop {
            if let Some(lock) =
                FileLock::try_take(&path).map_err(|error| file_failure("lock", &path, error))?
            {
                return Ok(lock);
            }
            if start.elapsed() >= LOCK_WAIT {
                return Err(locked(&self.path));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn locked(path: &Path) -> Failure {
    Failure::systemic(
        Reason::Locked,
        format!("another process has held {} for {} seconds", path.display(), LOCK_WAIT.as_secs()),
    )
    .advise("look for a stopped or hanging catalog-sync")
}

impl Times {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match serde_json::from_slice(bytes) {
            Ok(Value::String(text)) => match parse_time(&text) {
                Some(time) => Ok(Self { general: Some(time), entries: BTreeMap::new() }),
                None => Err(format!("{text:?} is no time")),
            },
            Ok(Value::Object(fields)) => {
                let mut times = Self::default();
                for (name, value) in fields {
                    if GENERAL.contains(&name.as_str()) {
                        times.general = times.general.or(time_in(&value));
                    } else {
                        times.entries.insert(name, value);
                    }
                }
                if times.general.is_none() && times.entries.values().all(|value| time_in(value).is_none()) {
                    return Err("it holds no time".to_owned());
                }
                Ok(times)
            }
            Ok(_) => Err("it is neither a time nor an object".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn of(&self, pipeline: &PipelineName) -> Option<Timestamp> {
        match self.entries.get(pipeline.as_str()) {
            Some(value) => time_in(value),
            // With times for single pipelines, the general one is only the oldest of those.
            None if self.entries.values().any(|value| time_in(value).is_some()) => None,
            None => self.general,
        }
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut fields = serde_json::Map::new();
        if let Some(oldest) = self.entries.values().filter_map(time_in).min() {
            fields.insert("last_sync".to_owned(), Value::String(oldest.strftime(FORMAT).to_string()));
        }
        fields.extend(self.entries.iter().map(|(name, value)| (name.clone(), value.clone())));
        let mut bytes = serde_json::to_vec_pretty(&fields)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn time_in(value: &Value) -> Option<Timestamp> {
    parse_time(value.as_str()?)
}

/// A time with a zone, or without one in UTC; between date and time a space or a `T`.
fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let time = text.parse::<DateTime>().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PipelineName {
        text.parse().unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn holding(text: &str) -> (tempfile::TempDir, LastSync) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last_sync.json");
        std::fs::write(&path, text).unwrap();
        (folder, LastSync::new(path))
    }

    #[test]
    fn files_of_other_tools_are_read() {
        let expected = Some(time("2025-10-11T09:12:05Z"));
        for text in [
            r#""2025-10-11 09:12:05""#,
            "\u{feff}\"2025-10-11T09:12:05\"\n",
            r#"{"last_sync": "2025-10-11 09:12:05"}"#,
            r#"{"last_sync_time": "2025-10-11T09:12:05Z", "note": 1.50}"#,
            r#"{"timestamp": "2025-10-11T11:12:05+02:00"}"#,
            r#"{"last_sync": "2020-01-01 00:00:00", "customers": "2025-10-11 09:12:05"}"#,
        ] {
            let (_folder, file) = holding(text);
            assert_eq!(file.time_of(&name("customers")).unwrap(), expected, "{text}");
        }
        let (_folder, file) =
            holding(r#"{"last_sync": "2020-01-01 00:00:00", "customers": "2025-10-11 09:12:05"}"#);
        assert_eq!(file.time_of(&name("products")).unwrap(), None);
    }

    #[test]
    fn entries_of_others_are_kept_and_the_oldest_is_on_top() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/last_sync.json");
        let file = LastSync::new(&path);
        assert_eq!(file.time_of(&name("products")).unwrap(), None);
        file.record(&name("products"), time("2025-10-11T09:12:05.999Z")).unwrap();
        file.record(&name("customers"), time("2025-10-10T00:00:00Z")).unwrap();
        let expected = "{\n  \"last_sync\": \"2025-10-10 00:00:00\",\n  \"customers\": \"2025-10-10 00:00:00\",\n  \
            \"products\": \"2025-10-11 09:12:05\"\n}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);

        let (_folder, file) = holding(r#"{"other": {"n": 1.50}, "zz": "2025-01-01 00:00:00"}"#);
        file.record(&name("customers"), time("2025-10-10T00:00:00Z")).unwrap();
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.contains("\"n\": 1.50"), "{text}");
        assert!(text.contains("\"last_sync\": \"2025-01-01 00:00:00\""), "{text}");
    }

    #[test]
    fn a_broken_file_counts_as_none_and_is_kept_beside() {
        for text in ["", "{", "[]", "12", "\"yesterday\"", "{}", r#"{"last_sync": null}"#] {
            let (folder, file) = holding(text);
            assert_eq!(file.time_of(&name("customers")).unwrap(), None, "{text}");
            let aside = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.to_string_lossy().contains("last_sync.json.broken-"))
                .unwrap();
            assert_eq!(std::fs::read_to_string(aside).unwrap(), text);
            assert!(!file.path.exists());
        }
    }

    #[test]
    fn a_pipeline_named_like_a_general_key_is_refused() {
        let (_folder, file) = holding(r#"{"last_sync": "2025-10-11 09:12:05"}"#);
        let failure = file.record(&name("timestamp"), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(failure.reason, Reason::Configuration);
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last_sync.json");
        std::thread::scope(|threads| {
            for number in 0..8 {
                let file = LastSync::new(&path);
                threads.spawn(move || {
                    file.record(&name(&format!("p{number}")), Timestamp::UNIX_EPOCH).unwrap();
                });
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!((0..8).all(|number| text.contains(&format!("\"p{number}\""))), "{text}");
    }
}
