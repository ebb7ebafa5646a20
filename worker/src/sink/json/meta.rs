//! What the sidecar knows about the visible file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Reason};

use super::JsonFormat;
use super::fault::file_failure;
use super::lock::random_id;
use super::meter::Meter;
use super::whole_file::replace_whole;

const LAYOUT: u32 = 1;
/// Generations and segments are counted from 0 by ones: a file with a higher number is none of ours.
pub(super) const HIGHEST_NUMBER: u64 = 1 << 60;

/// Size and time of a file: what tells a file as we wrote it from one that somebody else wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// Bytes.
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: u64,
}

impl Stamp {
    /// The stamp of a file; `None` when there is no file.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, Failure> {
        match std::fs::metadata(path).and_then(|about| Self::new(&about)) {
            Ok(stamp) => Ok(Some(stamp)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_failure("look at", path, error)),
        }
    }

    pub(super) fn new(about: &std::fs::Metadata) -> io::Result<Self> {
        let since = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { size: about.len(), modified: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX) })
    }
}

/// The visible file as last written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) stamp: Stamp,
    pub(super) records: u64,
}

/// One state of the sink. `index-<generation>` belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) identity: String,
    pub(super) generation: u64,
    pub(super) format: JsonFormat,
    /// `None` until the visible file was written for the first time.
    pub(super) file: Option<Written>,
    /// Journal segments below this number are merged into the visible file already.
    pub(super) first_segment: u64,
}

impl Head {
    /// A sink that was never written to.
    pub(super) fn fresh(format: JsonFormat, generation: u64, first_segment: u64) -> Self {
        Self { identity: random_id(), generation, format, file: None, first_segment }
    }
}

/// `meta.json`. `next` is written before the visible file is renamed into place, so that a crash right after the
/// rename is recognised and not taken for somebody else's edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    layout: u32,
    pub(super) current: Head,
    pub(super) next: Option<Head>,
}

#[derive(Debug, Deserialize)]
struct LayoutOnly {
    layout: u32,
}

impl Meta {
    pub(super) fn new(current: Head, next: Option<Head>) -> Self {
        Self { layout: LAYOUT, current, next }
    }

    /// The highest generation that any file may bear.
    pub(super) fn generation(&self) -> u64 {
        let next = self.next.as_ref().map_or(0, |next| next.generation);
        self.current.generation.max(next)
    }

    /// Whether the writer that is at `head` is the one that wrote this last.
    pub(super) fn knows(&self, head: &Head) -> bool {
        // Not the identity: a sink that takes over a file changes it in memory first.
        std::iter::once(&self.current).chain(&self.next).any(|known| known.generation == head.generation)
    }

    fn path(sidecar: &Path) -> PathBuf {
        sidecar.join("meta.json")
    }

    /// Reads it; `None` when there is none or it is damaged (then the visible file is looked at as a foreign one).
    pub(super) fn read(sidecar: &Path) -> Result<Option<Self>, Failure> {
        let path = Self::path(sidecar);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|error| file_failure("read", &path, error))?,
        };
        if let Ok(LayoutOnly { layout }) = serde_json::from_slice(&bytes)
            && layout > LAYOUT
        {
            return Err(Failure::systemic(
                Reason::Configuration,
                format!("{} was written by a newer catalog-sync (layout {layout})", path.display()),
            )
            .advise("use that version, or remove the hidden .sync folder to start anew"));
        }
        let read = serde_json::from_slice::<Self>(&bytes).map_err(|error| error.to_string());
        match read
            .and_then(|meta| if meta.counts_on() { Ok(meta) } else { Err("its numbers are too high".into()) })
        {
            Ok(meta) => Ok(Some(meta)),
            Err(error) => {
                tracing::warn!(path = %path.display(), error, "damaged, the visible file is checked as a foreign one");
                Ok(None)
            }
        }
    }

    /// Whether there are numbers behind those in it.
    fn counts_on(&self) -> bool {
        let numbers = |head: &Head| head.generation.max(head.first_segment);
        std::iter::once(&self.current).chain(&self.next).all(|head| numbers(head) <= HIGHEST_NUMBER)
    }

    /// Writes it durably.
    pub(super) fn write(&self, sidecar: &Path, meter: &Meter) -> Result<(), Failure> {
        let path = Self::path(sidecar);
        serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|bytes| replace_whole(&path, &bytes, meter))
            .map_err(|error| file_failure("write", &path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_comes_back_and_damage_is_no_meta() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Meta::read(folder.path()).unwrap(), None);
        let mut next = Head::fresh(JsonFormat::Lines, 2, 9);
        next.file = Some(Written { stamp: Stamp { size: 7, modified: u64::MAX }, records: 1 });
        let meta = Meta::new(Head::fresh(JsonFormat::Array, 1, 0), Some(next));
        meta.write(folder.path(), &Meter::default()).unwrap();
        assert_eq!(Meta::read(folder.path()).unwrap(), Some(meta));
        std::fs::write(folder.path().join("meta.json"), "{\"layout\":1}").unwrap();
        assert_eq!(Meta::read(folder.path()).unwrap(), None);
        for beyond in
            [Head::fresh(JsonFormat::Array, u64::MAX, 0), Head::fresh(JsonFormat::Array, 0, u64::MAX)]
        {
            for meta in [
                Meta::new(beyond.clone(), None),
                Meta::new(Head::fresh(JsonFormat::Array, 1, 0), Some(beyond)),
            ] {
                meta.write(folder.path(), &Meter::default()).unwrap();
                assert_eq!(Meta::read(folder.path()).unwrap(), None);
            }
        }
        std::fs::write(folder.path().join("meta.json"), "{\"layout\":2}").unwrap();
        assert_eq!(Meta::read(folder.path()).unwrap_err().reason, Reason::Configuration);
    }
}
