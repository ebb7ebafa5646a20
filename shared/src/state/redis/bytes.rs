//! Small values as few bytes. Reading is total: any bytes give a value or [`Broken`].

use jiff::Timestamp;

use crate::checksum::Checksum;
use crate::record::{ImageHash, Version};

/// Bytes that nobody wrote, or not all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are none that were written")]
pub(super) struct Broken;

/// Appends.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        // Nearly all values of the settled mass fit.
        Self(Vec::with_capacity(64))
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or_default());
    }

    pub(super) fn version(&mut self, version: Version) {
        self.number(version.epoch);
        self.number(version.sequence);
    }

    pub(super) fn checksum(&mut self, checksum: &Checksum) {
        self.0.extend_from_slice(checksum.as_bytes());
    }

    pub(super) fn image_hash(&mut self, hash: &ImageHash) {
        self.0.extend_from_slice(hash.as_bytes());
    }

    /// Microseconds, the grain of Redis's clock; what is finer is cut.
    pub(super) fn time(&mut self, time: Timestamp) {
        self.0.extend_from_slice(&time.as_microsecond().to_be_bytes());
    }

    /// A text that is a number in its shortest form, as most ids are, or any other text: the lowest bit tells.
    pub(super) fn text(&mut self, text: &str) {
        match text.parse::<u64>() {
            Ok(number) if number < u64::MAX >> 1 && number.to_string() == text => {
                self.number(number << 1 | 1);
            }
            _ => self.blob(text.as_bytes()),
        }
    }

    /// Nothing where there is nothing: a flag tells.
    pub(super) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.number((bytes.len() as u64) << 1);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes from the front.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N)?.try_into().map_err(|_| Broken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Broken> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits.leading_zeros() < shift {
                return Err(Broken);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken)
    }

    pub(super) fn small(&mut self) -> Result<u32, Broken> {
        u32::try_from(self.number()?).map_err(|_| Broken)
    }

    pub(super) fn version(&mut self) -> Result<Version, Broken> {
        Ok(Version { epoch: self.number()?, sequence: self.number()? })
    }

    pub(super) fn checksum(&mut self) -> Result<Checksum, Broken> {
        Checksum::try_from(self.take(32)?).map_err(|_| Broken)
    }

    pub(super) fn image_hash(&mut self) -> Result<ImageHash, Broken> {
        self.array().map(ImageHash::from)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Broken> {
        Timestamp::from_microsecond(i64::from_be_bytes(self.array()?)).map_err(|_| Broken)
    }

    pub(super) fn text(&mut self) -> Result<String, Broken> {
        let tagged = self.number()?;
        if tagged & 1 == 1 {
            return Ok((tagged >> 1).to_string());
        }
        let length = usize::try_from(tagged >> 1).map_err(|_| Broken)?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Broken)
    }

    /// A text with rules of its own.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, Broken> {
        self.text()?.parse().map_err(|_| Broken)
    }

    /// Everything was read.
    pub(super) fn finish(&self) -> Result<(), Broken> {
        if self.0.is_empty() { Ok(()) } else { Err(Broken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a, T>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let mut reader = Reader::new(bytes);
        let value = read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: u64) {
            let mut writer = Writer::new();
            writer.number(number);
            prop_assert_eq!(read(&writer.finish(), Reader::number), Ok(number));
        }

        #[test]
        fn texts_come_back(text in prop_oneof![".{0,80}", "[0-9]{1,22}", any::<u64>().prop_map(|id| id.to_string())]) {
            let mut writer = Writer::new();
            writer.text(&text);
            prop_assert_eq!(read(&writer.finish(), Reader::text), Ok(text));
        }

        #[test]
        fn times_come_back_to_the_microsecond(micros in -62_135_596_800_000_000_i64..253_402_207_200_000_000) {
            let time = Timestamp::from_microsecond(micros).unwrap();
            let mut writer = Writer::new();
            writer.time(time);
            prop_assert_eq!(read(&writer.finish(), Reader::time), Ok(time));
        }
    }

    #[test]
    fn an_id_of_digits_costs_no_more_than_its_bits() {
        let length = |text: &str| {
            let mut writer = Writer::new();
            writer.text(text);
            writer.finish().len()
        };
        assert_eq!((length("63"), length("1000000"), length("007"), length("")), (1, 3, 4, 1));
    }

    #[test]
    fn a_number_beyond_64_bits_is_broken() {
        let mut bytes = [0xff; 10];
        bytes[9] = 0x02;
        assert_eq!(read(&bytes, Reader::number), Err(Broken));
        bytes[9] = 0x01;
        assert_eq!(read(&bytes, Reader::number), Ok(u64::MAX));
        assert_eq!(read(&[0xff; 11], Reader::number), Err(Broken));
        assert_eq!(read(&[0x80], Reader::number), Err(Broken));
    }
}
