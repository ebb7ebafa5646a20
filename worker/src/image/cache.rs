//! Images on disk, by the sha256 of their bytes: `<folder>/<first two digits>/<sha256>`. What was fetched and could not be
//! written is not fetched again; what was written is never in it.
//!
//! It is a cache and nothing more: an entry that is gone, or whose bytes are no longer those of its name, is a miss. So
//! nothing is synced to the disk, several processes may share a folder, and the folder may be deleted at any time.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirEntry, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use shared::checksum::Checksum;
use shared::failure::{Failure, Reason};

use super::inspect::sha256;

/// The ending of a file that is being written.
const PART: &str = "part";

/// A file that has been in writing for so long was left by a process that died.
const PART_AGE: Duration = Duration::from_hours(1);

/// A folder of images, bounded in bytes: the least recently used go first. All calls block.
#[derive(Debug)]
pub struct ImageCache {
    folder: PathBuf,
    limit: u64,
    index: Mutex<Index>,
}

/// What is in the folder, as far as this process knows.
#[derive(Debug, Default)]
struct Index {
    entries: HashMap<Checksum, Entry>,
    /// From the least to the most recently used.
    order: BTreeMap<u64, Checksum>,
    uses: u64,
    bytes: u64,
    parts: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    bytes: u64,
    use_number: u64,
}

impl ImageCache {
    /// Opens a folder, or makes it. What is there is used again, in the order of its last use; more than `limit` bytes of it
    /// are deleted.
    ///
    /// # Errors
    /// `Reason::File` where the folder cannot be made or read.
    pub fn open(folder: impl Into<PathBuf>, limit: u64) -> Result<Self, Failure> {
        let folder = folder.into();
        let mut index = Index::default();
        for (_, hash, bytes) in found(&folder).map_err(|error| unusable(&folder, error))? {
            index.used(hash, bytes);
        }
        let cache = Self { folder, limit, index: Mutex::new(index) };
        cache.evict();
        Ok(cache)
    }

    /// The bytes of this hash, if they are there unchanged.
    pub fn get(&self, hash: Checksum) -> Option<Vec<u8>> {
        let path = self.path(hash);
        let bytes = match fs::read(&path) {
            Ok(bytes) if sha256(&bytes) == hash => bytes,
            Ok(_) => {
                tracing::warn!(path = %path.display(), "a cached image has changed on the disk: it is dropped");
                self.drop_entry(hash);
                return None;
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), "a cached image cannot be read: {error}");
                }
                self.index().forget(hash);
                return None;
            }
        };
        self.index().used(hash, bytes.len() as u64);
        // Only the order of eviction after the next start hangs on it.
        if let Err(error) = touch(&path) {
            tracing::debug!(path = %path.display(), "{error}");
        }
        Some(bytes)
    }

    /// Keeps bytes under their hash; other entries go where they would be too many. Bytes larger than the whole cache are
    /// not kept.
    ///
    /// # Errors
    /// `Reason::DiskFull` or `Reason::File`; nobody needs the cache, so it is enough to say so.
    pub fn put(&self, hash: Checksum, bytes: &[u8]) -> Result<(), Failure> {
        let size = bytes.len() as u64;
        if size > self.limit {
            return Ok(());
        }
        let path = self.path(hash);
        if fs::metadata(&path).is_ok_and(|there| there.len() == size) {
            self.index().used(hash, size);
            return Ok(());
        }
        let number = {
            let mut index = self.index();
            index.parts += 1;
            index.parts
        };
        let part = path.with_extension(format!("{}-{number}.{PART}", std::process::id()));
        write_whole(&part, &path, bytes).map_err(|error| {
            // What is left of it goes at a later start at the latest.
            drop(fs::remove_file(&part));
            unusable(&self.folder, error)
        })?;
        self.index().used(hash, size);
        self.evict();
        Ok(())
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> u64 {
        self.index().bytes
    }

    fn evict(&self) {
        loop {
            let oldest = {
                let index = self.index();
                if index.bytes <= self.limit {
                    return;
                }
                index.order.first_key_value().map(|(_, hash)| *hash)
            };
            match oldest {
                Some(hash) => self.drop_entry(hash),
                None => return,
            }
        }
    }

    fn drop_entry(&self, hash: Checksum) {
        let path = self.path(hash);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), "a cached image cannot be deleted: {error}");
            }
            _ => {}
        }
        self.index().forget(hash);
    }

    fn path(&self, hash: Checksum) -> PathBuf {
        let name = hash.to_string();
        let bucket: String = name.chars().take(2).collect();
        self.folder.join(bucket).join(name)
    }

    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn used(&mut self, hash: Checksum, bytes: u64) {
        self.forget(hash);
        self.uses += 1;
        let use_number = self.uses;
        self.entries.insert(hash, Entry { bytes, use_number });
        self.order.insert(use_number, hash);
        self.bytes += bytes;
    }

    fn forget(&mut self, hash: Checksum) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.order.remove(&entry.use_number);
            self.bytes -= entry.bytes;
        }
    }
}

/// The entries of a folder, least recently used first. What is neither an entry nor left over from one stays untouched.
fn found(folder: &Path) -> io::Result<Vec<(SystemTime, Checksum, u64)>> {
    fs::create_dir_all(folder)?;
    let mut found = Vec::new();
    for bucket in fs::read_dir(folder)? {
        let bucket = bucket?;
        if bucket.file_name().len() != 2 || !bucket.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(bucket.path())? {
            let file = file?;
            let entry = match entry(&file) {
                // Another process has deleted it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                entry => entry?,
            };
            found.extend(entry);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn entry(file: &DirEntry) -> io::Result<Option<(SystemTime, Checksum, u64)>> {
    let metadata = file.metadata()?;
    let (path, used) = (file.path(), metadata.modified()?);
    if path.extension().is_some_and(|extension| extension == PART) {
        if used.elapsed().is_ok_and(|age| age > PART_AGE) {
            fs::remove_file(path)?;
        }
        return Ok(None);
    }
    let hash = path.file_name().and_then(|name| name.to_str()?.parse().ok());
    Ok(hash.map(|hash| (used, hash, metadata.len())))
}

/// Under another name first, so that nobody ever reads a part of it.
fn write_whole(part: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(bucket) = path.parent() {
        fs::create_dir_all(bucket)?;
    }
    File::create(part)?.write_all(bytes)?;
    fs::rename(part, path)
}

fn touch(path: &Path) -> io::Result<()> {
    File::options().append(true).open(path)?.set_modified(SystemTime::now())
}

fn unusable(folder: &Path, error: io::Error) -> Failure {
    let folder = folder.display();
    if error.kind() == io::ErrorKind::StorageFull {
        return Failure::systemic(Reason::DiskFull, format!("no space left for images in {folder}"))
            .advise("free space on that disk")
            .because(error);
    }
    Failure::systemic(Reason::File, format!("the folder for images, {folder}, cannot be used"))
        .because(error)
        .advise("check that it is a folder and that this user may write there")
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
