//! Records and images as bytes. The first byte is the format; a settled record with a short id has at most 64 bytes
//! (see [`keys`](super::keys)).

use super::bytes::{Broken, Reader, Writer};
use crate::state::rules::Mark;

/// The format of values that older versions read, too.
const FORMAT: u8 = 1;

/// The newest format that this version writes and reads: the same with more flags.
const NEWEST: u8 = 2;

/// A value that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Nothing that was ever written.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Not to be touched: a newer version of catalog-sync works here.
    #[error("values of format {0}")]
    Newer(u8),
}

/// What a bucket holds.
pub(super) trait Value: Default {
    fn encode(&self) -> Vec<u8>;
    fn decode(bytes: &[u8]) -> Result<Self, Unreadable>;
    /// Nothing is known: there is no value to keep.
    fn is_empty(&self) -> bool;
    /// Nothing is to be done about it, now or later.
    fn is_settled(&self) -> bool;
}

/// Yes or no, as bits of two bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags(u16);

impl Flags {
    pub(super) fn set(&mut self, flag: u16, is_set: bool) {
        if is_set {
            self.0 |= flag;
        }
    }

    pub(super) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }

    /// The value after `flag`, where it is set.
    pub(super) fn read<T>(
        self,
        flag: u16,
        read: impl FnOnce() -> Result<T, Broken>,
    ) -> Result<Option<T>, Broken> {
        if self.has(flag) { read().map(Some) } else { Ok(None) }
    }
}

pub(super) fn begin(flags: Flags) -> Writer {
    begin_as(FORMAT, flags)
}

/// The same in another format.
pub(super) fn begin_as(format: u8, flags: Flags) -> Writer {
    let mut writer = Writer::new();
    writer.byte(format);
    for byte in flags.0.to_be_bytes() {
        writer.byte(byte);
    }
    writer
}

/// Flags beyond `known` are of nothing that this format writes.
pub(super) fn open(bytes: &[u8], known: u16) -> Result<(Flags, Reader<'_>), Unreadable> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        FORMAT | NEWEST => {}
        newer if newer > NEWEST => return Err(Unreadable::Newer(newer)),
        _ => return Err(Broken.into()),
    }
    let flags = u16::from_be_bytes([reader.byte()?, reader.byte()?]);
    if flags & !known == 0 { Ok((Flags(flags), reader)) } else { Err(Broken.into()) }
}

/// Flags of records and of images; above them each has its own.
pub(super) const WANTED: u16 = 1;
pub(super) const APPLIED: u16 = 1 << 1;
pub(super) const DEAD: u16 = 1 << 2;
pub(super) const STARTED: u16 = 1 << 3;
/// The started mark names a worker.
pub(super) const WORKER: u16 = 1 << 4;
pub(super) const SINCE: u16 = 1 << 5;
pub(super) const SINK_ID: u16 = 1 << 6;
/// What is wanted is applied: the second is not written again.
pub(super) const SAME: u16 = 1 << 7;

/// The flags of a mark.
pub(super) fn flag_mark(flags: &mut Flags, started: Option<&Mark>) {
    flags.set(STARTED, started.is_some());
    flags.set(WORKER, started.is_some_and(|mark| mark.worker.is_some()));
}

pub(super) fn write_mark(writer: &mut Writer, mark: &Mark) {
    writer.version(mark.version);
    writer.number(u64::from(mark.count));
    writer.maybe(mark.worker.as_ref(), |writer, worker| writer.text(worker.as_str()));
}

pub(super) fn read_mark(flags: Flags, reader: &mut Reader<'_>) -> Result<Option<Mark>, Broken> {
    flags.read(STARTED, || {
        Ok(Mark {
            version: reader.version()?,
            count: reader.small()?,
            worker: flags.read(WORKER, || reader.parsed())?,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use jiff::Timestamp;
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::strategy::Strategy;

    use super::*;
    use crate::checksum::Checksum;
    use crate::failure::{Class, Reason};
    use crate::job::Attempt;
    use crate::record::{ImageHash, ImageReference, RunId, Version};
    use crate::state::rules::{Applied, AppliedImage, Doubt, Image, Noted, Record, WantedImage};

    fn version() -> impl Strategy<Value = Version> {
        // Few of them, so that what is wanted often is what is applied.
        prop_oneof![(0..3_u64, 0..3_u64), any::<(u64, u64)>()]
            .prop_map(|(epoch, sequence)| Version { epoch, sequence })
    }

    fn checksum() -> impl Strategy<Value = Checksum> {
        prop_oneof![Just([7; 32]), any::<[u8; 32]>()]
            .prop_map(|bytes| Checksum::try_from(bytes.as_slice()).unwrap())
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        (0..4_000_000_000_000_000_i64).prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
    }

    fn reference() -> impl Strategy<Value = ImageReference> {
        prop_oneof!["[0-9]{1,20}", "[a-zü /.]{1,80}"].prop_map(|text| text.parse().unwrap())
    }

    fn sink_id() -> impl Strategy<Value = Option<String>> {
        of(prop_oneof!["[0-9]{1,12}", ".{0,40}"])
    }

    fn mark() -> impl Strategy<Value = Option<Mark>> {
        let worker = of("[A-Za-z0-9._-]{1,64}".prop_map(|name| name.parse().unwrap()));
        of((version(), any::<u32>(), worker).prop_map(|(version, count, worker)| Mark {
            version,
            count,
            worker,
        }))
    }

    fn record() -> impl Strategy<Value = Record> {
        let wanted = (version(), checksum(), of(reference()), any::<u64>(), any::<u64>(), of(time()))
            .prop_map(|(version, checksum, image, run, place, since)| Noted {
                version,
                checksum,
                image,
                run: RunId(run),
                place,
                since,
            });
        let applied = (version(), checksum(), sink_id()).prop_map(|(version, checksum, sink_id)| Applied {
            version,
            checksum,
            sink_id,
        });
        let doubt = (version(), time()).prop_map(|(version, until)| Doubt { version, until });
        (of(wanted), of(applied), any::<[bool; 3]>(), mark(), of(doubt)).prop_map(
            |(wanted, applied, [dead, dirty, archived], started, doubt)| Record {
                wanted,
                applied,
                dead,
                dirty,
                started,
                doubt,
                archived,
            },
        )
    }

    fn image() -> impl Strategy<Value = Image> {
        let attempt = (time(), ".{0,30}").prop_map(|(at, message)| Attempt {
            at,
            class: Class::Transient,
            reason: Reason::Timeout,
            message,
        });
        let failures = proptest::collection::vec(attempt, 0..3);
        let times = (of(time()), of(time()));
        let wanted = (version(), of(reference()), sink_id(), any::<u64>(), any::<u32>(), times, failures)
            .prop_map(|(version, reference, sink_id, run, attempt, (since, retry_at), failures)| {
                WantedImage {
                    version,
                    reference,
                    sink_id,
                    run: RunId(run),
                    since,
                    attempt,
                    retry_at,
                    failures,
                }
            });
        // Often the wanted one.
        let kept = any::<[u8; 20]>().prop_map(ImageHash::from);
        let applied = (of(reference()), of(checksum()), of(kept), any::<bool>());
        (of(wanted), of(applied), any::<bool>(), mark()).prop_map(|(wanted, applied, dead, started)| {
            let applied = applied.and_then(|(other, hash, written, same)| {
                let wanted = wanted.as_ref().and_then(|wanted| wanted.reference.clone());
                Some(AppliedImage { reference: wanted.filter(|_| same).or(other)?, hash, written })
            });
            Image { wanted, applied, dead, started }
        })
    }

    /// Whatever was read from bytes can be written, and is then read again as the same.
    fn is_total<V: Value + PartialEq + Debug>(bytes: &[u8]) {
        if let Ok(value) = V::decode(bytes) {
            assert_eq!(V::decode(&value.encode()), Ok(value));
        }
    }

    fn comes_back<V: Value + PartialEq + Debug>(value: &V, cut: usize, at: usize, flip: u8) {
        let mut bytes = value.encode();
        assert_eq!(V::decode(&bytes).as_ref(), Ok(value));
        let shorter = &bytes[..cut % bytes.len()];
        assert!(V::decode(shorter).is_err(), "a part of a value is none");
        bytes.push(0);
        assert!(V::decode(&bytes).is_err(), "nothing comes after a value");
        let length = bytes.len();
        bytes[at % length] ^= flip;
        is_total::<V>(&bytes);
    }

    proptest! {
        #[test]
        fn records_come_back(record in record(), cut: usize, at: usize, flip: u8) {
            comes_back(&record, cut, at, flip);
        }

        #[test]
        fn images_come_back(image in image(), cut: usize, at: usize, flip: u8) {
            comes_back(&image, cut, at, flip);
        }

        #[test]
        fn any_bytes_are_a_value_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), flags: u16) {
            is_total::<Record>(&bytes);
            is_total::<Image>(&bytes);
            bytes.splice(..0, [&[FORMAT], flags.to_be_bytes().as_slice()].concat());
            is_total::<Record>(&bytes);
            is_total::<Image>(&bytes);
        }
    }

    #[test]
    fn a_value_of_a_newer_format_is_told_from_a_broken_one() {
        let mut bytes = Record::default().encode();
        bytes[0] = 3;
        assert_eq!(Record::decode(&bytes), Err(Unreadable::Newer(3)));
        assert_eq!(Image::decode(&bytes), Err(Unreadable::Newer(3)));
        bytes[0] = 0;
        assert_eq!(Record::decode(&bytes), Err(Unreadable::Broken(Broken)));
    }

    #[test]
    fn a_settled_record_is_narrow_and_without_a_copy_of_what_is_wanted() {
        let version = Version { epoch: 1_795_000_000_000, sequence: 1_000_000 };
        let checksum = Checksum::try_from([0xff; 32].as_slice()).unwrap();
        let (run, place) = (RunId(1_795_000_000_000), 999_999);
        let noted = Noted { version, checksum, image: None, run, place, since: None };
        let applied = Applied { version, checksum, sink_id: Some("4294967295".to_owned()) };
        let record = Record { wanted: Some(noted), applied: Some(applied), ..Record::default() };
        assert!(record.is_settled());
        assert_eq!(record.encode().len(), 58);
        let key = "4600000000012345".parse().unwrap();
        assert!(super::super::keys::is_narrow(&key, &record.encode()));
    }
}
