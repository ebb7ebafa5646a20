//! BMP: headers that say where the rows of pixels begin and how many there are.

use super::reader::Reader;
use super::{Broken, Size};

/// Length of the oldest header, which has sizes of 16 bits.
const CORE: u32 = 12;

pub(super) fn walk(bytes: &[u8]) -> Result<Size, Broken> {
    let mut reader = Reader::new(bytes);
    reader.take(10)?; // "BM", the size of the file, which many programs write wrongly, and zeros
    let begin = reader.u32_le()?;
    let header = reader.u32_le()?;
    let size;
    let (bits, compression, told);
    if header == CORE {
        size = Size::new(reader.u16_le()?, reader.u16_le()?);
        reader.take(2)?; // planes
        (bits, compression, told) = (reader.u16_le()?, 0, 0);
    } else {
        let width = i32::from_le_bytes(reader.array()?);
        let height = i32::from_le_bytes(reader.array()?);
        // A negative height says that the uppermost row comes first.
        size = Size::new(u32::try_from(width).unwrap_or(0), height.unsigned_abs());
        reader.take(2)?;
        (bits, compression, told) = (reader.u16_le()?, reader.u32_le()?, reader.u32_le()?);
    }
    let needed = match compression {
        // Plain rows, each filled up to four bytes.
        0 | 3 | 6 => {
            let row = (u64::from(size.width) * u64::from(bits)).div_ceil(32) * 4;
            row.saturating_mul(u64::from(size.height))
        }
        _ => u64::from(told),
    };
    let there = Reader::at(bytes, begin)?.rest().len();
    if (there as u64) < needed {
        return Err(Broken::Cut);
    }
    if needed == 0 {
        return Err(Broken::Damaged("it has no pixels"));
    }
    Ok(size)
}
