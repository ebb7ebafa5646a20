//! Reading parts off the front of a file. A part that is not there in full means that the file was cut.

use super::Broken;

/// What is left of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// From a position counted from the beginning of `bytes`.
    pub(super) fn at(bytes: &'a [u8], position: u32) -> Result<Self, Broken> {
        let position = usize::try_from(position).map_err(|_| Broken::Cut)?;
        bytes.get(position..).map(Self).ok_or(Broken::Cut)
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (part, rest) = self.0.split_at_checked(count).ok_or(Broken::Cut)?;
        self.0 = rest;
        Ok(part)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let (part, rest) = self.0.split_first_chunk().ok_or(Broken::Cut)?;
        self.0 = rest;
        Ok(*part)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Broken> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn u16_be(&mut self) -> Result<u16, Broken> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u16_le(&mut self) -> Result<u16, Broken> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32_be(&mut self) -> Result<u32, Broken> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, Broken> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}
