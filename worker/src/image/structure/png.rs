//! PNG: chunks with lengths and check sums.

use flate2::Crc;

use super::reader::Reader;
use super::{Broken, Size};

pub(super) fn walk(bytes: &[u8]) -> Result<Size, Broken> {
    let mut reader = Reader::new(bytes);
    reader.take(8)?; // the signature
    let mut size = None;
    let mut pixels = false;
    loop {
        let length = usize::try_from(reader.u32_be()?).map_err(|_| Broken::Cut)?;
        let checked = Reader::new(reader.rest()).take(length.saturating_add(4))?;
        let kind = reader.array::<4>()?;
        let mut body = Reader::new(reader.take(length)?);
        let mut sum = Crc::new();
        sum.update(checked);
        if reader.u32_be()? != sum.sum() {
            return Err(Broken::Damaged("a part of it has changed on its way"));
        }
        match (&kind, size) {
            (b"IHDR", None) => {
                let short = |_| Broken::Damaged("its header is too short");
                let width = body.u32_be().map_err(short)?;
                size = Some(Size::new(width, body.u32_be().map_err(short)?));
            }
            (_, None) | (b"IHDR", _) => return Err(Broken::Damaged("it does not begin with one header")),
            (b"IDAT", _) => pixels = true,
            (b"IEND", Some(size)) if pixels => return Ok(size),
            (b"IEND", _) => return Err(Broken::Damaged("it has no pixels")),
            _ => {}
        }
    }
}
