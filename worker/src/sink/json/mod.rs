//! The JSON sink: one file of records that readers may open at any moment.
//!
//! * The **visible file** holds one record per line, sorted by id. It is only ever replaced as a whole, by a rename.
//! * Rows are acknowledged once they are in a **journal** beside it and the journal is on disk.
//! * A **flush** merges the journal into the visible file: records of the journal replace or join those of the file, or
//!   take them out, all others stay as they are, byte for byte.
//!
//! The hidden folder `.<name>.sync` beside the file holds the lock, `meta.json` (what we last wrote), the journal and
//! the index. Whoever removes the visible file starts anew; whoever edits it keeps the edits: the file is read as a
//! foreign one, and the sink gets a new identity, so that the next run compares everything.
//!
//! Memory grows neither with the file nor with the journal; bytes written are linear in what changed plus one rewrite
//! per flush. All calls block.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

mod capped;
mod entry;
mod fault;
mod foreign;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gone;
mod journal;
pub mod last_sync;
mod lock;
mod merge;
mod meta;
mod meter;
mod opening;
mod place;
mod record_list;
mod record_text;
mod segment;
mod sink;
mod swap;
#[cfg(test)]
mod tests;
mod view;
mod visible;
mod whole_file;

pub use foreign::count_records;
pub use record_text::JsonRow;
pub use sink::JsonSink;
pub use view::JsonView;

/// How the visible file is written. All of them are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonFormat {
    /// One array, a record per line: `[`, records with commas between them, `]`. Empty: `[` and `]`.
    Array,
    /// A record per line and nothing else. Empty: no byte.
    Lines,
}

/// Where and how to write.
#[derive(Debug, Clone)]
pub struct JsonSettings {
    /// The visible file. A symbolic link is followed: the file it points to is replaced. Folders are created.
    pub path: PathBuf,
    /// How it is written.
    pub format: JsonFormat,
    /// The journal is merged in mid-run when it holds more bytes than this and than four times the visible file. The
    /// factor keeps the bytes written by a first load below 3.3 times the final file, whatever its size.
    pub merge_after_bytes: u64,
}

impl JsonSettings {
    /// 256 MiB.
    pub(crate) const MERGE_AFTER_BYTES: u64 = 256 * 1024 * 1024;

    /// An array with the default limit.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: JsonFormat::Array, merge_after_bytes: Self::MERGE_AFTER_BYTES }
    }
}

/// What was there when the sink was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No visible file.
    Nothing,
    /// The file as we last wrote it (or not yet written at all), with what was acknowledged since.
    Ours,
    /// A file that somebody else wrote or edited: its records are kept, and written in our form.
    TakenOver {
        /// Different ids in it.
        records: u64,
    },
    /// A file that cannot be read as records: renamed, and the sink starts empty.
    SetAside {
        /// Its name now.
        to: PathBuf,
        /// What is wrong with it, with line and column.
        why: String,
    },
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// Records in the visible file.
    pub records_total: u64,
    /// Bytes written by this flush, in all files.
    pub bytes_written: u64,
    /// Whether the visible file was replaced.
    pub changed: bool,
}
