//! GIF: blocks of sub-blocks, ended by a trailer.

use super::reader::Reader;
use super::{Broken, Size};

pub(super) fn walk(bytes: &[u8]) -> Result<Size, Broken> {
    let mut reader = Reader::new(bytes);
    reader.take(6)?; // the signature
    let mut size = Size::new(reader.u16_le()?, reader.u16_le()?);
    let [flags, _background, _aspect] = reader.array()?;
    colours(&mut reader, flags)?;
    let mut frames = false;
    loop {
        match reader.byte()? {
            b'!' => {
                reader.byte()?; // which extension
                sub_blocks(&mut reader)?;
            }
            b',' => {
                size = size.union(frame(&mut reader)?);
                frames = true;
            }
            b';' if frames => return Ok(size),
            b';' => return Err(Broken::Damaged("it has no pixels")),
            _ => return Err(Broken::Damaged("it has a block of an unknown kind")),
        }
    }
}

/// One frame; its far corner, since some files have frames beyond their screen, or no size of the screen at all.
fn frame(reader: &mut Reader<'_>) -> Result<Size, Broken> {
    let left = u32::from(reader.u16_le()?);
    let top = u32::from(reader.u16_le()?);
    let width = u32::from(reader.u16_le()?);
    let height = u32::from(reader.u16_le()?);
    let flags = reader.byte()?;
    colours(reader, flags)?;
    reader.byte()?; // bits of the first codes
    sub_blocks(reader)?;
    Ok(Size::new(left + width, top + height))
}

fn colours(reader: &mut Reader<'_>, flags: u8) -> Result<(), Broken> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 7) + 1))?;
    }
    Ok(())
}

fn sub_blocks(reader: &mut Reader<'_>) -> Result<(), Broken> {
    loop {
        match reader.byte()? {
            0 => return Ok(()),
            length => reader.take(usize::from(length))?,
        };
    }
}
