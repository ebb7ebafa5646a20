//! What must hold for any bytes in the files of a sink, see [`shared::fuzzing`]. The files are real ones, in a folder of
//! their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use shared::failure::Failure;
use shared::fuzzing::{in_words, one_line};
use shared::record::{PipelineName, Values};
use tempfile::TempDir;

use super::entry::{ENTRY_BYTES, Entry, EntryFile, MAGIC};
use super::journal::Journal;
use super::last_sync::LastSync;
use super::merge::Input;
use super::meta::{Meta, Stamp};
use super::meter::Meter;
use super::segment::{PAYLOAD_HEAD, scan};
use super::{Found, JsonFormat, JsonRow, JsonSettings, JsonSink, count_records};

/// A folder with the files of one sink.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the files"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn visible(&self) -> PathBuf {
        self.path("records.json")
    }

    fn sidecar(&self) -> PathBuf {
        self.path(".records.json.sync")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        write(&path, bytes);
        path
    }

    fn open(&self) -> Result<(JsonSink, Found), Failure> {
        JsonSink::open(JsonSettings { format: JsonFormat::Lines, ..JsonSettings::new(self.visible()) })
    }

    /// A sink with one record, flushed and closed.
    fn with_one_record() -> Self {
        let site = Self::new();
        let (mut sink, _) = site.open().expect("an empty folder");
        upsert(&mut sink, 1).expect("nothing is in the way");
        sink.flush().expect("nothing is in the way");
        site
    }

    /// Opens the sink whatever its files hold, writes a record and flushes: then the visible file is ours and whole. A
    /// failure leaves it as it was.
    fn go_on(&self, id: u64) -> Option<Found> {
        let before = std::fs::read(self.visible()).ok();
        let settled = self.open().and_then(|(mut sink, found)| {
            let opened = std::fs::read(self.visible()).ok();
            let flushed =
                upsert(&mut sink, id).and_then(|()| sink.flush()).map(|flushed| flushed.records_total);
            if flushed.is_err() {
                assert_eq!(std::fs::read(self.visible()).ok(), opened);
            }
            Ok((found, flushed?))
        });
        match settled {
            Ok((found, records)) => {
                assert_eq!(count_records(&self.visible()).ok(), Some(records));
                let (sink, again) = self.open().expect("as we left it");
                assert_eq!((again, sink.records()), (Found::Ours, records));
                Some(found)
            }
            Err(failure) => {
                in_words(&failure);
                assert!(before.is_none() || self.visible().exists());
                None
            }
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("room for a small file");
}

fn upsert(sink: &mut JsonSink, id: u64) -> Result<(), Failure> {
    let values: Values = [("id".to_owned(), id.into())].into_iter().collect();
    sink.upsert(&[JsonRow { key: &id.into(), values: &values }]).map(drop)
}

/// A segment of the journal: as it is, and as the payloads of frames that are whole. Each byte that begins a payload is
/// its length.
pub fn json_journal(bytes: &[u8]) {
    let site = Site::new();
    check_segment(&site, bytes);
    let (mut rest, mut framed, mut whole) = (bytes, Vec::new(), BTreeMap::new());
    let mut is_whole = true;
    while let Some((length, behind)) = rest.split_first() {
        let (payload, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        framed.extend(u32::from(*length).min(u32::try_from(payload.len()).unwrap_or(u32::MAX)).to_le_bytes());
        framed.extend(Sha256::digest(payload).iter().take(8));
        framed.extend(payload);
        is_whole &= payload.len() >= PAYLOAD_HEAD;
        if let (true, Some(id)) = (is_whole, payload.first_chunk()) {
            whole.insert(u64::from_le_bytes(*id), payload.get(PAYLOAD_HEAD..).unwrap_or_default().to_vec());
        }
    }
    assert_eq!(check_segment(&site, &framed), whole);
    // Texts that are no records.
    let site = Site::with_one_record();
    let head = Meta::read(&site.sidecar()).ok().flatten().expect("it was flushed").current;
    write(&site.sidecar().join(format!("journal-{}", head.first_segment)), &framed);
    let before = std::fs::read(site.visible()).expect("it was flushed");
    match site.open().and_then(|(mut sink, found)| Ok((found, sink.flush()?))) {
        Ok((found, _)) => assert_eq!(found, Found::Ours),
        Err(failure) => {
            in_words(&failure);
            assert_eq!(std::fs::read(site.visible()).ok(), Some(before));
        }
    }
}

/// The texts of the whole frames by id, after what must hold of them.
fn check_segment(site: &Site, bytes: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let path = site.write("journal-0", bytes);
    let scanned = scan(&path).expect("the file can be read");
    assert!(scanned.length == bytes.len() as u64 && scanned.whole <= scanned.length);
    let (mut journal, _) =
        Journal::recover(site.0.path(), 0, &Meter::default()).expect("files can be written");
    let text = |entry: &Entry| {
        let from = usize::try_from(entry.offset).ok()?;
        assert!(entry.offset + u64::from(entry.length) <= scanned.whole);
        bytes.get(from..)?.get(..entry.length as usize).map(<[u8]>::to_vec)
    };
    let texts = scanned.entries.values().map(|entry| {
        let known = journal.find(entry.id).expect("files can be read");
        assert_eq!(known, Some(entry.hash));
        (entry.id, text(entry).expect("the text is in the file"))
    });
    let texts = texts.collect();
    // What was cut is cut, and what is left stays.
    let again = scan(&path).map(|again| (again.whole, again.length, again.entries)).ok();
    let left = (!scanned.entries.is_empty()).then_some((scanned.whole, scanned.whole, scanned.entries));
    assert_eq!(again, left);
    journal.clear();
    texts
}

/// The index of a visible file: as it is, and as the entries of one whose length and hash are right.
pub fn json_index(bytes: &[u8]) {
    let site = Site::new();
    let texts = site.write("records.json", b"[\n{\"id\":1},\n{\"id\":2}\n]\n");
    check_index(&site.write("index", bytes), &texts);
    let entries: Vec<Entry> = bytes.chunks_exact(ENTRY_BYTES).filter_map(Entry::decode).collect();
    let body = bytes.get(..entries.len() * ENTRY_BYTES).unwrap_or_default();
    let count = (entries.len() as u64).to_le_bytes();
    let sum = Sha256::digest(body);
    let half = sum.get(..16).unwrap_or_default();
    let opened = check_index(&site.write("index", &[MAGIC, body, &count, half].concat()), &texts);
    assert_eq!(opened, entries.is_sorted_by(|one, next| one.id < next.id).then_some(entries));
}

fn check_index(path: &Path, texts: &Path) -> Option<Vec<Entry>> {
    let mut file = match EntryFile::open(path) {
        Ok(file) => file,
        Err(error) => {
            one_line(&error.to_string());
            return None;
        }
    };
    let mut cursor = file.cursor(path).expect("it was just opened");
    let mut entries = Vec::new();
    while let Some(entry) = cursor.next().expect("all of it was just read") {
        entries.push(entry);
    }
    assert_eq!(file.count(), entries.len() as u64);
    let mut input = Input::open(texts, file.cursor(path).expect("it was just opened")).expect("it is there");
    for entry in &entries {
        assert_eq!(file.find(entry.id).ok().flatten(), Some(*entry));
        match input.text(entry) {
            Ok(text) => assert!(text.starts_with(b"{") && text.len() == entry.length as usize),
            Err(error) => one_line(&error.to_string()),
        }
    }
    Some(entries)
}

/// `meta.json`, beside a file that is or is not as it says.
pub fn json_meta(bytes: &[u8]) {
    let site = Site::with_one_record();
    write(&site.sidecar().join("meta.json"), bytes);
    site.go_on(2);
    let site = Site::with_one_record();
    if let Ok(mut meta) = serde_json::from_slice::<Meta>(bytes) {
        let stamp = Stamp::of(&site.visible()).ok().flatten();
        if let (Some(file), Some(stamp)) = (&mut meta.current.file, stamp) {
            file.stamp = stamp;
        }
        let text = serde_json::to_vec(&meta).expect("it was read from JSON");
        write(&site.sidecar().join("meta.json"), &text);
    }
    site.go_on(2);
}

/// A visible file that somebody else wrote: taken over, or set aside as it is.
pub fn json_file(bytes: &[u8]) {
    let site = Site::new();
    site.write("records.json", bytes);
    let counted = count_records(&site.visible());
    match site.open() {
        Ok((sink, Found::TakenOver { records })) => {
            // An id may be there twice.
            assert!(counted.is_ok_and(|counted| counted >= records) && sink.records() == records);
        }
        Ok((_, Found::SetAside { to, why })) => {
            one_line(&why);
            assert_eq!(std::fs::read(to).ok().as_deref(), Some(bytes));
        }
        Ok((_, found)) => panic!("{found:?}"),
        Err(failure) => panic!("{failure}"),
    }
    assert_eq!(site.go_on(u64::MAX), Some(Found::Ours));
}

/// `last_sync.json`: what it says of others stays, what it is told comes back.
pub fn json_last_sync(bytes: &[u8]) {
    let site = Site::new();
    let file = LastSync::new(site.write("last_sync.json", bytes));
    let name = |text: &str| text.parse::<PipelineName>().expect("a name");
    let time: Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
    let (ours, others) = (name("customers"), name("products"));
    let before = file.time_of(&others);
    let is_general = file.time_of(&name("nobodys")).is_ok_and(|time| time.is_some());
    file.record(&ours, time).expect("room for a small file");
    assert_eq!(file.time_of(&ours).ok(), Some(Some(time)));
    match before {
        Ok(before) if !is_general => assert_eq!(file.time_of(&others).ok(), Some(before)),
        Ok(_) => {}
        Err(failure) => in_words(&failure),
    }
    file.record(&others, time).expect("room for a small file");
    assert_eq!(file.time_of(&ours).ok(), Some(Some(time)));
}
