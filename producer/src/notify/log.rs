//! The log file of notifications, rotated by size.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use shared::config::LogFile;
use shared::failure::{Failure, Reason};

/// Appends a line; begins a new file where this one would grow over its bound.
pub(super) fn append(log: &LogFile, line: &str) -> Result<(), Failure> {
    write(log, line).map_err(|error| {
        Failure::systemic(Reason::File, format!("cannot write the notifications' log {}", log.path.display()))
            .advise("check `log` in [notify], and that this user may write there")
            .because(error)
    })
}

fn write(log: &LogFile, line: &str) -> io::Result<()> {
    let size = fs::metadata(&log.path).map_or(0, |known| known.len());
    if size > 0 && size + line.len() as u64 + 1 > log.bytes {
        rotate(log)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(&log.path)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// `name` becomes `name.1`, that `name.2`, ... and the oldest goes.
fn rotate(log: &LogFile) -> io::Result<()> {
    if log.files == 0 {
        return fs::remove_file(&log.path);
    }
    for number in (1..log.files).rev() {
        match fs::rename(numbered(log, number), numbered(log, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(&log.path, numbered(log, 1))
}

fn numbered(log: &LogFile, number: u32) -> PathBuf {
    let mut path = log.path.as_os_str().to_owned();
    path.push(format!(".{number}"));
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_within_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile { path: folder.path().join("n.log"), bytes: 20, files: 2 };
        for number in 0..9 {
            append(&log, &format!("line {number}")).unwrap();
        }
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(log.path.clone()), "line 8\n");
        assert_eq!(read(numbered(&log, 1)), "line 6\nline 7\n");
        assert_eq!(read(numbered(&log, 2)), "line 4\nline 5\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
