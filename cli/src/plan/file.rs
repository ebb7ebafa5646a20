//! The file of a plan, and what verify prints as JSON: one JSON object, a record a line, written and read one record after the other.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use shared::failure::{Failure, Reason};
use tempfile::NamedTempFile;

use super::change::FORMAT;

/// Writes the words of a plan, to a file, to standard output, to both or to nobody.
pub(crate) struct Document {
    file: Option<(PathBuf, BufWriter<NamedTempFile>)>,
    stdout: Option<BufWriter<io::Stdout>>,
    /// What a pipeline's list is called.
    list: &'static str,
    pipelines: usize,
    entries: usize,
}

impl Document {
    /// A file appears under its name once the plan is complete, or not at all.
    pub(crate) fn create(path: Option<&Path>, to_stdout: bool, list: &'static str) -> Result<Self, Failure> {
        let file = match path {
            None => None,
            Some(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                let file = NamedTempFile::new_in(folder).map_err(|error| unwritten(path, error))?;
                Some((path.to_owned(), BufWriter::new(file)))
            }
        };
        let stdout = to_stdout.then(|| BufWriter::new(io::stdout()));
        let mut document = Self { file, stdout, list, pipelines: 0, entries: 0 };
        let program = concat!("catalog-sync ", env!("CARGO_PKG_VERSION"));
        let made = Timestamp::now();
        document.text(&format!(
            "{{\"format\":{FORMAT},\"program\":\"{program}\",\"made\":\"{made}\",\"pipelines\":["
        ))?;
        Ok(document)
    }

    /// Begins a pipeline.
    pub(crate) fn head(&mut self, head: &impl Serialize) -> Result<(), Failure> {
        let comma = if self.pipelines > 0 { "," } else { "" };
        (self.pipelines, self.entries) = (self.pipelines + 1, 0);
        let (head, list) = (json(head), self.list);
        self.text(&format!("{comma}\n{},\"{list}\":[", head.strip_suffix('}').unwrap_or(&head)))
    }

    /// One more line of the pipeline's list.
    pub(crate) fn entry(&mut self, entry: &impl Serialize) -> Result<(), Failure> {
        let comma = if self.entries > 0 { "," } else { "" };
        self.entries += 1;
        self.text(&format!("{comma}\n{}", json(entry)))
    }

    /// Ends a pipeline.
    pub(crate) fn totals(&mut self, totals: &impl Serialize) -> Result<(), Failure> {
        self.text(&format!("\n],\"totals\":{}}}", json(totals)))
    }

    /// Completes it.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.text("\n]}\n")?;
        if let Some(mut stdout) = self.stdout {
            drop(stdout.flush());
        }
        let Some((path, file)) = self.file else { return Ok(()) };
        let file = file.into_inner().map_err(|error| unwritten(&path, error.into_error()))?;
        file.persist(&path).map(drop).map_err(|error| unwritten(&path, error.error))
    }

    fn text(&mut self, text: &str) -> Result<(), Failure> {
        if let Some(stdout) = &mut self.stdout {
            // A closed pipe (`| head`) is nobody's fault.
            drop(stdout.write_all(text.as_bytes()));
        }
        if let Some((path, file)) = &mut self.file {
            file.write_all(text.as_bytes()).map_err(|error| unwritten(path, error))?;
        }
        Ok(())
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("its keys are text")
}

fn unwritten(path: &Path, error: io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::StorageFull => Reason::DiskFull,
        _ => Reason::File,
    };
    Failure::systemic(reason, format!("cannot write the plan {}", path.display()))
        .advise("name a file in a folder that this user may write")
        .because(error)
}
