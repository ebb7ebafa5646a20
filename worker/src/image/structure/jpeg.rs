//! JPEG: segments with lengths, and entropy-coded scans that end at the next marker.

use super::reader::Reader;
use super::{Broken, Size};

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const LINES: u8 = 0xdc;

pub(super) fn walk(bytes: &[u8]) -> Result<Size, Broken> {
    let mut reader = Reader::new(bytes);
    reader.take(2)?; // the mark of the beginning, which has no length
    let mut size: Option<Size> = None;
    let mut scanned = false;
    loop {
        match next_marker(&mut reader)? {
            END => break,
            0x01 | 0xd0..=0xd8 => {} // these have no length
            marker => {
                let length = usize::from(reader.u16_be()?);
                let body = length.checked_sub(2).ok_or(Broken::Damaged("a segment has no length"))?;
                let mut segment = Reader::new(reader.take(body)?);
                match marker {
                    0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                        size = Some(frame(&mut segment)?);
                    }

                    // A frame of unknown height says it after its first scan.
                    LINES => {
                        let height = u32::from(segment.u16_be().map_err(short)?);
                        size = size.map(|size| Size { height, ..size });
                    }
                    SCAN => scanned = true,
                    _ => {}
                }
            }
        }
    }
    match size {
        Some(size) if scanned => Ok(size),
        Some(_) => Err(Broken::Damaged("it has no pixels")),
        None => Err(Broken::Damaged("it does not say how large it is")),
    }
}

/// The next marker. What is before it is passed over: coded data of a scan, where a 0xff is followed by zero or by a
/// restart mark, or bytes that do not belong there, which decoders pass over as well.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, Broken> {
    loop {
        let ahead = reader.rest().iter().position(|byte| *byte == 0xff);
        reader.take(ahead.ok_or(Broken::Cut)?)?;
        let fill = reader.rest().iter().position(|byte| *byte != 0xff);
        reader.take(fill.ok_or(Broken::Cut)?)?;
        match reader.byte()? {
            0x00 => {}
            marker => return Ok(marker),
        }
    }
}

fn frame(segment: &mut Reader<'_>) -> Result<Size, Broken> {
    segment.byte().map_err(short)?; // bits per sample
    let height = segment.u16_be().map_err(short)?;
    let width = segment.u16_be().map_err(short)?;
    Ok(Size::new(width, height))
}

/// A segment that is there in full and yet too short is not the fault of a cut.
fn short(_: Broken) -> Broken {
    Broken::Damaged("a segment is too short")
}
