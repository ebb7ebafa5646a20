//! TIFF: a directory of tags. Only the size is read: the pixels may be anywhere in the file, in many ways, and Odoo
//! decodes and encodes them anew, so that it refuses by itself what is cut (measured on Odoo 17 to 19).

use super::reader::Reader;
use super::{Broken, Size};

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;

pub(super) fn walk(bytes: &[u8]) -> Result<Size, Broken> {
    let mut reader = Reader::new(bytes);
    let order = if reader.array()? == *b"II" { Order::Little } else { Order::Big };
    reader.take(2)?; // forty-two
    let mut directory = Reader::at(bytes, order.u32(&mut reader)?)?;
    let (mut width, mut height) = (None, None);
    for _ in 0..order.u16(&mut directory)? {
        let tag = order.u16(&mut directory)?;
        let kind = order.u16(&mut directory)?;
        directory.take(4)?; // how many values: one, for the two that are read
        let mut value = Reader::new(directory.take(4)?);
        let value = if kind == 3 { u32::from(order.u16(&mut value)?) } else { order.u32(&mut value)? };
        match tag {
            WIDTH => width = Some(value),
            HEIGHT => height = Some(value),
            _ => {}
        }
    }
    match (width, height) {
        (Some(width), Some(height)) => Ok(Size { width, height }),
        _ => Err(Broken::Damaged("it does not say how large it is")),
    }
}

/// Of the bytes of a number.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, reader: &mut Reader<'_>) -> Result<u16, Broken> {
        match self {
            Self::Little => reader.u16_le(),
            Self::Big => reader.u16_be(),
        }
    }

    fn u32(self, reader: &mut Reader<'_>) -> Result<u32, Broken> {
        match self {
            Self::Little => reader.u32_le(),
            Self::Big => reader.u32_be(),
        }
    }
}
