//! Reading JSON files that somebody else wrote, record by record and with constant memory.
//!
//! Accepted are an array of records, an object whose only array holds the records, and one record per line; a byte
//! order mark is skipped.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use shared::failure::{Failure, Reason};

use super::fault::file_failure;
use super::record_text::{MAX_RECORD_BYTES, RecordText};

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// Its content is at fault: a sentence that says where.
    Broken(String),
    /// Reading, or what was done with the records, failed.
    Failed(Failure),
}

/// What is done with each record.
type Take<'a> = &'a mut dyn FnMut(RecordText) -> Result<(), Failure>;

/// Counts the records of a JSON file without opening it for writing; 0 when there is no such file. Constant memory.
pub fn count_records(path: &Path) -> Result<u64, Failure> {
    match read_records(path, &mut |_| Ok(())) {
        Ok(records) => Ok(records),
        Err(Unreadable::Failed(failure)) => Err(failure),
        Err(Unreadable::Broken(why)) => Err(Failure::systemic(
            Reason::File,
            format!("{} is broken: {why}", path.display()),
        )
        .advise("the next sync sets it aside and writes it anew")),
    }
}

/// Gives every record of a file to `take` and returns how many there were; no file is an empty file.
pub(super) fn read_records(path: &Path, take: Take<'_>) -> Result<u64, Unreadable> {
    let failed = |error| Unreadable::Failed(file_failure("read", path, error));
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(failed)?,
    };
    let left = Rc::new(Cell::new(0));
    let mut input = BufReader::with_capacity(
        64 * 1024,
        Capped {
            file,
            left: Rc::clone(&left),
        },
    );
    let mut records = Records {
        take,
        count: 0,
        failure: None,
        left,
    };
    records.rewind();
    let shape = Shape::of(path, &mut input, &mut records)?;
    records.rewind();
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
        records.rewind();
        line.clear();
        let read = input
            .read_until(b'\n', &mut line)
            .map_err(|error| records.unread(path, error))?;
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
        let record = RecordText::of_text(text.trim_ascii())
            .map_err(|why| Unreadable::Broken(format!("record at {}: {why}", at(1))))?;
        (records.take)(record).map_err(Unreadable::Failed)?;
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
                    records.rewind();
                }
                Some(byte) => break *byte,
            }
        };
        let shape = if first == b'{' {
            let mut json = serde_json::Deserializer::from_reader(&mut *input);
            let fields = json.deserialize_map(FieldsVisitor(&records.left));
            Self::of_object(&fields.map_err(|error| records.unreadable(path, error))?)?
        } else {
            Self::Array
        };
        records.rewind();
        input
            .seek(SeekFrom::Start(start))
            .map_err(|error| records.unread(path, error))?;
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
    let start = if read == 3 && mark == *b"\xef\xbb\xbf" {
        3
    } else {
        0
    };
    input.seek(SeekFrom::Start(start))?;
    Ok(start)
}

/// A reader that fails when one record takes more than it may: the limit is set anew for each.
#[derive(Debug)]
struct Capped {
    file: File,
    left: Rc<Cell<usize>>,
}

impl Read for Capped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        match self.left.get().checked_sub(read) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is too long")),
        }
        Ok(read)
    }
}

impl io::Seek for Capped {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Allows one more record. What is read ahead of it counts too, hence the extra bytes.
fn rewind(left: &Cell<usize>) {
    left.set(MAX_RECORD_BYTES + 128 * 1024);
}

/// Where the records go, and why that stopped.
struct Records<'a> {
    take: Take<'a>,
    count: u64,
    failure: Option<Failure>,
    left: Rc<Cell<usize>>,
}

impl Records<'_> {
    fn rewind(&self) {
        rewind(&self.left);
    }

    fn take<E: serde::de::Error>(&mut self, text: &RawValue) -> Result<(), E> {
        self.rewind();
        let record = RecordText::of_text(text.get())
            .map_err(|why| E::custom(format!("record {} of the list: {why}", self.count + 1)))?;
        (self.take)(record).map_err(|failure| {
            self.failure = Some(failure);
            E::custom("stopped")
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

/// An array of records.
struct RecordList<'a, 'b>(&'a mut Records<'b>);

impl<'de> DeserializeSeed<'de> for RecordList<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordList<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(text) = list.next_element::<Box<RawValue>>()? {
            self.0.take(&text)?;
        }
        Ok(())
    }
}

/// An object around the list of records.
struct Wrapper<'a, 'b>(&'a mut Records<'b>);

impl<'de> DeserializeSeed<'de> for Wrapper<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wrapper<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key::<String>()?.is_some() {
            self.0.rewind();
            fields.next_value_seed(ListOrNot::Read(&mut *self.0))?;
        }
        Ok(())
    }
}

/// Any value; a list among them is given to the records, or only recognised. Anything else is skipped.
enum ListOrNot<'a, 'b> {
    Read(&'a mut Records<'b>),
    Skip(&'a Cell<usize>),
}

impl<'de> DeserializeSeed<'de> for ListOrNot<'_, '_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ListOrNot<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        match self {
            Self::Read(records) => RecordList(records).visit_seq(list)?,
            Self::Skip(left) => {
                while list.next_element::<IgnoredAny>()?.is_some() {
                    rewind(left);
                }
            }
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// What the first object of a file holds.
struct Fields {
    id: bool,
    lists: u32,
}

struct FieldsVisitor<'a>(&'a Cell<usize>);

impl<'de> Visitor<'de> for FieldsVisitor<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Fields, A::Error> {
        let mut found = Fields { id: false, lists: 0 };
        while let Some(name) = fields.next_key::<String>()? {
            rewind(self.0);
            found.id |= name == "id";
            found.lists += u32::from(fields.next_value_seed(ListOrNot::Skip(self.0))?);
        }
        Ok(found)
    }
}
