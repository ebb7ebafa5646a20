//! Writing the visible file and its index.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::JsonFormat;
use super::entry::{Entry, EntryFile, EntryWriter};
use super::meter::{Meter, MeteredFile};
use super::whole_file::resemble;

/// Writes records, one per line, in ascending order of ids.
#[derive(Debug)]
pub(super) struct VisibleWriter {
    out: BufWriter<MeteredFile>,
    index: EntryWriter,
    index_path: PathBuf,
    format: JsonFormat,
    position: u64,
    records: u64,
}

impl VisibleWriter {
    /// Begins a file at `path` with the permissions of `like` (the file it will replace).
    pub(super) fn create(
        path: &Path,
        like: &Path,
        index: &Path,
        format: JsonFormat,
        meter: &Meter,
    ) -> io::Result<Self> {
        let file = MeteredFile::create(path, meter)?;
        resemble(file.file(), path, like)?;
        let mut writer = Self {
            out: BufWriter::with_capacity(256 * 1024, file),
            index: EntryWriter::create(index, meter)?,
            index_path: index.to_owned(),
            format,
            position: 0,
            records: 0,
        };
        if format == JsonFormat::Array {
            writer.write(b"[\n")?;
        }
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Adds a record; of `entry`, the place is another in this file.
    pub(super) fn push(&mut self, entry: &Entry, text: &[u8]) -> io::Result<()> {
        if self.format == JsonFormat::Array && self.records > 0 {
            self.write(b",\n")?;
        }
        self.index.push(&Entry { offset: self.position, ..*entry })?;
        self.write(text)?;
        if self.format == JsonFormat::Lines {
            self.write(b"\n")?;
        }
        self.records += 1;
        Ok(())
    }

    /// Completes both files; they are on disk when this returns.
    pub(super) fn finish(mut self) -> io::Result<(MeteredFile, EntryFile)> {
        match self.format {
            JsonFormat::Array if self.records > 0 => self.write(b"\n]\n")?,
            JsonFormat::Array => self.write(b"]\n")?,
            JsonFormat::Lines => {}
        }
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync()?;
        Ok((file, self.index.finish(&self.index_path, true)?))
    }
}
