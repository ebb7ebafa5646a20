//! Small files that are only ever replaced as a whole.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use shared::platform;

use super::meter::{Meter, MeteredFile};
use super::place::remove;

/// Replaces `path` by `bytes`, durably and at once: a reader, and a crash, sees the old bytes or the new ones. The
/// permissions of the old file are kept.
pub(super) fn replace_whole(path: &Path, bytes: &[u8], meter: &Meter) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = Path::new(&name);
    let written =
        write_durably(temporary, path, bytes, meter).and_then(|()| platform::replace_file(temporary, path));
    if written.is_err() {
        remove(temporary);
    }
    written
}

fn write_durably(temporary: &Path, like: &Path, bytes: &[u8], meter: &Meter) -> io::Result<()> {
    // One that a crash left could be read-only.
    remove(temporary);
    let mut file = MeteredFile::create(temporary, meter)?;
    resemble(file.file(), temporary, like)?;
    file.write_all(bytes)?;
    file.sync()
}

/// Gives `file` the permissions of the file `like`, and its owner where we may; nothing when there is no such file.
pub(super) fn resemble(file: &File, path: &Path, like: &Path) -> io::Result<()> {
    let about = match std::fs::metadata(like) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about?,
    };
    keep_owner(file, path, &about)?;
    file.set_permissions(about.permissions())
}

#[cfg(unix)]
fn keep_owner(file: &File, path: &Path, like: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    // Only root may give files away. A sync that runs as root must not take the file from its user; any other user
    // cannot do better than own the new file.
    if let Err(error) = std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid())) {
        tracing::debug!(path = %path.display(), %error, "owner not kept");
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Path, _: &std::fs::Metadata) -> io::Result<()> {
    Ok(())
}
