//! Reading JSON files that somebody else wrote, record by record and with constant memory.
//!
//! Accepted are an array of records, an object whose only array holds the records, and one record per line; a byte
//! order mark is skipped.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed as _, IgnoredAny};
use serde_json::value::RawValue;
use shared::failure::{Failure, Reason};

use super::capped::{Allowance, Capped};
use super::fault::file_failure;
use super::record_list::{Fields, FieldsVisitor, RecordList, Wrapper};
use super::record_text::MAX_RECORD_BYTES;

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// Its content is at fault: a sentence that says where.
    Broken(String),
    /// Reading, or what was done with the records, failed.
    Failed(Failure),
}

/// Why a record is not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is no record, and so the file is broken.
    Bad(String),
    /// What was done with it failed.
    Failed(Failure),
}

/// What is done with the text of each record, which is valid JSON.
type Take<'a> = &'a mut dyn FnMut(&str) -> Result<(), Refused>;

/// Counts the records of a JSON file, of any form that is taken over, without opening it for writing; 0 when there is
/// no such file. Memory is constant. Systemic failure when it cannot be read or is no list of JSON objects; whether
/// each has an id is not looked at.
pub fn count_records(path: &Path) -> Result<u64, Failure> {
    let mut check = |text: &str| {
        let object = text.starts_with('{');
        object.then_some(()).ok_or_else(|| Refused::Bad("it is no object".to_owned()))
    };
    match read_records(path, &mut check) {
        Ok(records) => Ok(records),
        Err(Unreadable::Failed(failure)) => Err(failure),
        Err(Unreadable::Broken(why)) => {
            Err(Failure::systemic(Reason::File, format!("{} is broken: {why}", path.display()))
                .advise("the next sync sets it aside and writes it anew"))
        }
    }
}

/// Gives every record of a file to `take` and returns how many there were; no file is an empty file.
pub(super) fn read_records(path: &Path, take: Take<'_>) -> Result<u64, Unreadable> {
    let failed = |error| Unreadable::Failed(file_failure("read", path, error));
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(failed)?,
    };
    let allowance = Allowance::default();
    let mut input = BufReader::with_capacity(64 * 1024, Capped { file, allowance: allowance.clone() });
    let mut records = Records { take, count: 0, failure: None, allowance };
    records.allowance.renew();
    let shape = Shape::of(path, &mut input, &mut records)?;
    records.allowance.renew();
    match shape {
        Shape::Empty => {}
        Shape::Lines => return read_lines(path, input, &mut records),
        Shape::Array => {
            let mut json = serde_json::Deserializer::from_reader(input);
            RecordList(&mut records)
                .deserialize(&mut json)
                .and_then(|()| json.end())
                .map_err(|error| records.unreadable(path, error))?;
        }
        Shape::Object => {
            let mut json = serde_json::Deserializer::from_reader(input);
            Wrapper(&mut records)
                .deserialize(&mut json)
                .and_then(|()| json.end())
                .map_err(|error| records.unreadable(path, error))?;
        }
    }
    Ok(records.count)
}

fn read_lines(
    path: &Path,
    mut input: BufReader<Capped>,
    records: &mut Records<'_>,
) -> Result<u64, Unreadable> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        records.allowance.renew();
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|error| records.unread(path, error))?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let at = |column| format!("line {number}, column {column}");
        let text = str::from_utf8(&line).map_err(|error| {
            Unreadable::Broken(format!("it is not UTF-8 at {}", at(error.valid_up_to() + 1)))
        })?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
            Unreadable::Broken(format!("it is no JSON at {}: {error}", at(error.column())))
        })?;
        (records.take)(text.trim_ascii()).map_err(|refused| match refused {
            Refused::Bad(why) => Unreadable::Broken(format!("record at {}: {why}", at(1))),
            Refused::Failed(failure) => Unreadable::Failed(failure),
        })?;
        records.count += 1;
    }
    Ok(records.count)
}

/// How a file holds its records.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Empty,
    Array,
    Object,
    Lines,
}

impl Shape {
    /// Looks at the first value of the file, skips a byte order mark and leaves the input behind it.
    fn of(path: &Path, input: &mut BufReader<Capped>, records: &mut Records<'_>) -> Result<Self, Unreadable> {
        let start = skip_mark(input).map_err(|error| records.unread(path, error))?;
        let first = loop {
            let bytes = input.fill_buf().map_err(|error| records.unread(path, error))?;
            match bytes.first() {
                None => return Ok(Self::Empty),
                Some(byte) if byte.is_ascii_whitespace() => {
                    input.consume(1);
                    // White space of any length is no record.
                    records.allowance.renew();
                }
                Some(byte) => break *byte,
            }
        };
        let shape = if first == b'{' {
            let mut json = serde_json::Deserializer::from_reader(&mut *input);
            let fields = json.deserialize_map(FieldsVisitor(&records.allowance));
            Self::of_object(&fields.map_err(|error| records.unreadable(path, error))?)?
        } else {
            Self::Array
        };
        records.allowance.renew();
        input.seek(SeekFrom::Start(start)).map_err(|error| records.unread(path, error))?;
        Ok(shape)
    }

    fn of_object(first: &Fields) -> Result<Self, Unreadable> {
        match (first.id, first.lists) {
            (true, _) => Ok(Self::Lines),
            (false, 1) => Ok(Self::Object),
            (false, lists) => Err(Unreadable::Broken(format!(
                "the object at line 1, column 1 has no 'id' and holds {lists} lists, not one list of records"
            ))),
        }
    }
}

fn skip_mark(input: &mut BufReader<Capped>) -> io::Result<u64> {
    let mut mark = [0; 3];
    let read = input.by_ref().take(3).read(&mut mark)?;
    let start = if read == 3 && mark == *b"\xef\xbb\xbf" { 3 } else { 0 };
    input.seek(SeekFrom::Start(start))?;
    Ok(start)
}

/// Where the records go, and why that stopped.
pub(super) struct Records<'a> {
    take: Take<'a>,
    count: u64,
    failure: Option<Failure>,
    pub(super) allowance: Allowance,
}

impl Records<'_> {
    pub(super) fn take<E: serde::de::Error>(&mut self, text: &RawValue) -> Result<(), E> {
        self.allowance.renew();
        (self.take)(text.get()).map_err(|refused| match refused {
            Refused::Bad(why) => E::custom(format!("record {} of the list: {why}", self.count + 1)),
            Refused::Failed(failure) => {
                self.failure = Some(failure);
                E::custom("stopped")
            }
        })?;
        self.count += 1;
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, error: serde_json::Error) -> Unreadable {
        if let Some(failure) = self.failure.take() {
            return Unreadable::Failed(failure);
        }
        // The text of the other errors ends with the line and the column.
        match error.io_error_kind() {
            Some(_) => self.unread(path, error.into()),
            None if error.is_eof() => Unreadable::Broken(format!("it ends too early: {error}")),
            None => Unreadable::Broken(error.to_string()),
        }
    }

    fn unread(&self, path: &Path, error: io::Error) -> Unreadable {
        match error.kind() {
            io::ErrorKind::InvalidData => Unreadable::Broken(format!(
                "record {} is longer than {MAX_RECORD_BYTES} bytes",
                self.count + 1
            )),
            _ => Unreadable::Failed(file_failure("read", path, error)),
        }
    }
}
