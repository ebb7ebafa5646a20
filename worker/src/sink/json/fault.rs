//! An error of the operating system about a file, as a failure in words.

use std::io;
use std::path::Path;

use shared::failure::{Failure, Reason};

/// The failure for `error`, met while trying to `doing` (an infinitive: "write the journal") the file `path`. All of
/// them are systemic: no record is to blame for its disk.
pub(super) fn file_failure(doing: &str, path: &Path, error: io::Error) -> Failure {
    let shown = path.display();
    let failure = match error.kind() {
        io::ErrorKind::StorageFull => Failure::systemic(
            Reason::DiskFull,
            format!("no space left on the device: cannot {doing} {shown}"),
        )
        .advise("free space on that disk; everything acknowledged so far is kept"),
        io::ErrorKind::QuotaExceeded => Failure::systemic(
            Reason::DiskFull,
            format!("the disk quota of this user is used up: cannot {doing} {shown}"),
        )
        .advise("raise the quota or free space; everything acknowledged so far is kept"),
        io::ErrorKind::ReadOnlyFilesystem => Failure::systemic(
            Reason::File,
            format!("cannot {doing} {shown}: its file system is mounted read-only"),
        )
        .advise("mount it writable, or choose another path for the JSON files"),
        io::ErrorKind::PermissionDenied => {
            Failure::systemic(Reason::File, format!("cannot {doing} {shown}: this user may not")).advise(
                format!(
                    "give the user that runs catalog-sync the right to write in {}",
                    path.parent().unwrap_or(path).display()
                ),
            )
        }
        io::ErrorKind::IsADirectory => is_a_folder(path),
        io::ErrorKind::FileTooLarge => Failure::systemic(
            Reason::File,
            format!(
                "cannot {doing} {shown}: it would be larger than the file system or this user's limit allows"
            ),
        )
        .advise("raise the limit (`ulimit -f`) or use another file system"),
        io::ErrorKind::InvalidData => Failure::systemic(
            Reason::File,
            format!("cannot {doing} {shown}: its journal or its index is damaged"),
        )
        .advise("check the disk, then remove the hidden .sync folder: the file is read and taken over anew"),
        _ => Failure::systemic(Reason::File, format!("cannot {doing} {shown}"))
            .advise("check the disk and the folder"),
    };
    failure.because(error)
}

/// The path of a JSON file names a folder.
pub(super) fn is_a_folder(path: &Path) -> Failure {
    Failure::configuration(format!("{} is a folder, not a JSON file", path.display()))
        .advise("name a file inside it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::failure::Class;

    #[test]
    fn kinds_of_errors_have_their_reason_and_advice() {
        for (kind, reason) in [
            (io::ErrorKind::StorageFull, Reason::DiskFull),
            (io::ErrorKind::QuotaExceeded, Reason::DiskFull),
            (io::ErrorKind::ReadOnlyFilesystem, Reason::File),
            (io::ErrorKind::PermissionDenied, Reason::File),
            (io::ErrorKind::FileTooLarge, Reason::File),
            (io::ErrorKind::IsADirectory, Reason::Configuration),
            (io::ErrorKind::InvalidData, Reason::File),
            (io::ErrorKind::Other, Reason::File),
        ] {
            let failure = file_failure("write", Path::new("out/a.json"), kind.into());
            assert_eq!(failure.class, Class::Systemic, "{kind}");
            assert_eq!(failure.reason, reason, "{kind}");
            assert!(failure.advice().is_some(), "{kind}");
            assert!(failure.what().contains("out/a.json"), "{kind}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_told_from_other_errors() {
        use std::io::Write as _;
        let path = Path::new("/dev/full");
        let mut file = std::fs::File::options().write(true).open(path).unwrap();
        let error = file.write_all(b"x").unwrap_err();
        assert_eq!(file_failure("write", path, error).reason, Reason::DiskFull);
    }
}
