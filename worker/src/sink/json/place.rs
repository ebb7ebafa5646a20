//! The paths of one sink: the visible file and the hidden folder beside it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use shared::failure::Failure;
use shared::platform;

use super::fault::{file_failure, is_a_folder};

const MAX_LINKS: usize = 40;

/// Where the files of one sink are.
#[derive(Debug)]
pub(super) struct Place {
    /// The file that readers open; symbolic links are followed, so that the link itself stays.
    pub(super) visible: PathBuf,
    /// The folder of the visible file.
    folder: PathBuf,
    /// `.<name>.sync` beside it.
    pub(super) sidecar: PathBuf,
    name: OsString,
}

impl Place {
    /// Follows links and creates the folders.
    pub(super) fn prepare(path: &Path) -> Result<Self, Failure> {
        let place = Self::find(path)?;
        std::fs::create_dir_all(&place.sidecar)
            .and_then(|()| platform::sync_folder(&place.folder))
            .map_err(|error| file_failure("create the folder", &place.sidecar, error))?;
        Ok(place)
    }

    /// Follows links, and creates nothing.
    pub(super) fn find(path: &Path) -> Result<Self, Failure> {
        let visible = follow_links(path).map_err(|error| file_failure("follow the link", path, error))?;
        let name = visible.file_name().ok_or_else(|| is_a_folder(path))?.to_owned();
        match visible.metadata() {
            Ok(about) if about.is_dir() => return Err(is_a_folder(path)),
            Ok(about) if !about.is_file() => {
                // Opening a pipe could wait for ever.
                let what = format!("{} is a device or a pipe, not a file", path.display());
                return Err(Failure::configuration(what).advise("name a file, or one that is not there yet"));
            }
            _ => {}
        }
        let folder = match visible.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut hidden = OsString::from(".");
        hidden.push(&name);
        hidden.push(".sync");
        let sidecar = folder.join(hidden);
        Ok(Self { visible, folder, sidecar, name })
    }

    /// The index of the visible file as written by this generation.
    pub(super) fn index(&self, generation: u64) -> PathBuf {
        self.sidecar.join(format!("index-{generation}"))
    }

    /// The next visible file while it is being written: in the same folder, so that a rename puts it in place.
    pub(super) fn temporary(&self, generation: u64) -> PathBuf {
        let mut name = self.temporary_prefix();
        name.push(generation.to_string());
        name.push(".tmp");
        self.folder.join(name)
    }

    fn temporary_prefix(&self) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(".sync-");
        name
    }

    /// Removes what a crash left behind: half-written visible files, and indexes other than that of `generation`.
    /// What cannot be removed is only a waste of space.
    pub(super) fn sweep(&self, generation: u64) {
        let prefix = self.temporary_prefix();
        let keep = self.index(generation);
        let in_folder = names(&self.folder).into_iter().filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with(&*prefix.to_string_lossy()) && name.ends_with(".tmp")
        });
        let in_sidecar =
            names(&self.sidecar).into_iter().filter(|name| name.to_string_lossy().starts_with("index-"));
        in_folder
            .map(|name| self.folder.join(name))
            .chain(in_sidecar.map(|name| self.sidecar.join(name)))
            .filter(|path| *path != keep)
            .for_each(|path| remove(&path));
    }
}

/// Renames a broken file to `<name>.broken-<UTC time>` beside it and returns that path. Nothing is overwritten.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let mut number = 1_u32;
    loop {
        let mut to = path.as_os_str().to_owned();
        to.push(match number {
            1 => format!(".broken-{time}"),
            _ => format!(".broken-{time}-{number}"),
        });
        let to = PathBuf::from(to);
        if to.symlink_metadata().is_err() {
            platform::replace_file(path, &to)?;
            return Ok(to);
        }
        number += 1;
    }
}

/// Removes a file that is of no use any more; where that fails, it only wastes space.
pub(super) fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(path = %path.display(), %error, "left behind");
        }
        _ => {}
    }
}

/// The names in a folder; none when it cannot be read.
pub(super) fn names(folder: &Path) -> Vec<OsString> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

/// The file that `path` stands for in the end; it need not exist.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match path.symlink_metadata() {
            Ok(about) if about.is_symlink() => {
                let target = std::fs::read_link(&path)?;
                path = path.parent().map_or(target.clone(), |folder| folder.join(&target));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_aside_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let mut asides = std::collections::BTreeSet::new();
        for text in ["1", "2", "3"] {
            std::fs::write(&path, text).unwrap();
            let to = set_aside(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&to).unwrap(), text);
            asides.insert(to);
        }
        assert_eq!(asides.len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_also_to_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("data");
        std::fs::create_dir(&real).unwrap();
        let link = folder.path().join("a.json");
        std::os::unix::fs::symlink("data/real.json", &link).unwrap();
        let place = Place::prepare(&link).unwrap();
        assert_eq!(place.visible, real.join("real.json"));
        assert_eq!(place.sidecar, real.join(".real.json.sync"));

        let round = folder.path().join("round");
        std::os::unix::fs::symlink("round", &round).unwrap();
        assert!(Place::prepare(&round).is_err());
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let failure = Place::prepare(folder.path()).unwrap_err();
        assert!(failure.what().contains("is a folder"), "{failure}");
    }
}
