//! A cache keeps what was used last, and never hands out what has changed.

use super::*;

fn image(seed: u8) -> (Checksum, Vec<u8>) {
    let bytes = vec![seed; 100];
    (sha256(&bytes), bytes)
}

fn put(cache: &ImageCache, seed: u8) -> Checksum {
    let (hash, bytes) = image(seed);
    cache.put(hash, &bytes).unwrap();
    hash
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().map(|bucket| fs::read_dir(bucket.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn what_is_put_is_got_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (hash, bytes) = image(1);
    let cache = ImageCache::open(folder.path(), 1_000).unwrap();
    assert_eq!(cache.get(hash), None);
    cache.put(hash, &bytes).unwrap();
    cache.put(hash, &bytes).unwrap();
    assert_eq!((cache.get(hash), cache.bytes()), (Some(bytes.clone()), 100));
    let name = hash.to_string();
    assert!(folder.path().join(name.split_at(2).0).join(&name).is_file());
    let reopened = ImageCache::open(folder.path(), 1_000).unwrap();
    assert_eq!((reopened.bytes(), reopened.get(hash)), (100, Some(bytes)));
}

#[test]
fn least_recently_used_images_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ImageCache::open(folder.path(), 300).unwrap();
    let hashes = [1, 2, 3].map(|seed| put(&cache, seed));
    assert!(cache.get(hashes[0]).is_some());
    let newest = put(&cache, 4);
    assert_eq!(cache.get(hashes[1]), None);
    for kept in [hashes[0], hashes[2], newest] {
        assert!(cache.get(kept).is_some());
    }
    assert_eq!((cache.bytes(), files(folder.path())), (300, 3));
}

#[test]
fn order_of_use_and_a_smaller_limit_hold_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ImageCache::open(folder.path(), 300).unwrap();
    let hashes = [1, 2, 3].map(|seed| put(&cache, seed));
    let now = SystemTime::now();
    for (hash, minutes) in hashes.iter().zip([1, 3, 2]) {
        let used = now - Duration::from_mins(minutes);
        File::options().append(true).open(cache.path(*hash)).unwrap().set_modified(used).unwrap();
    }
    assert!(cache.get(hashes[1]).is_some(), "it is the most recently used now");
    let smaller = ImageCache::open(folder.path(), 200).unwrap();
    assert_eq!(smaller.get(hashes[2]), None);
    assert!(smaller.get(hashes[0]).is_some() && smaller.get(hashes[1]).is_some());
}

#[test]
fn changed_or_cut_entry_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ImageCache::open(folder.path(), 1_000).unwrap();
    for broken in [vec![1; 40], vec![9; 100], Vec::new()] {
        let hash = put(&cache, 1);
        fs::write(cache.path(hash), broken).unwrap();
        assert_eq!(cache.get(hash), None);
        assert_eq!((cache.bytes(), files(folder.path())), (0, 0));
    }
    let hash = put(&cache, 1);
    assert!(cache.get(hash).is_some());
}

#[test]
fn folder_that_is_deleted_meanwhile_is_only_empty() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("images");
    let cache = ImageCache::open(&inner, 1_000).unwrap();
    let hash = put(&cache, 1);
    fs::remove_dir_all(&inner).unwrap();
    assert_eq!((cache.get(hash), cache.bytes()), (None, 0));
    assert_eq!(put(&cache, 1), hash);
    assert!(cache.get(hash).is_some());
}

#[test]
fn image_larger_than_the_cache_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ImageCache::open(folder.path(), 99).unwrap();
    let hash = put(&cache, 1);
    assert_eq!((cache.get(hash), files(folder.path())), (None, 0));
}

#[test]
fn only_old_leftovers_are_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    let cache = ImageCache::open(folder.path(), 1_000).unwrap();
    let entry = cache.path(put(&cache, 1));
    let (old, new, foreign) = (
        entry.with_extension("1-1.part"),
        entry.with_extension("1-2.part"),
        entry.with_file_name("readme.txt"),
    );
    for file in [&old, &new, &foreign] {
        fs::write(file, "x").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_hours(2);
    File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    drop(ImageCache::open(folder.path(), 0).unwrap());
    assert_eq!([&old, &new, &foreign, &entry].map(|file| file.exists()), [false, true, true, false]);
}

#[test]
fn folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let failure = ImageCache::open(file.join("images"), 1).unwrap_err();
    assert_eq!(failure.reason, Reason::File);
    assert!(failure.what().contains("cannot be used"), "{failure}");
}
