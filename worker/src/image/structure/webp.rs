//! WebP: a RIFF container with its length, and chunks with theirs.

use super::reader::Reader;
use super::{Broken, Size};

pub(super) fn walk(bytes: &[u8]) -> Result<Size, Broken> {
    let mut reader = Reader::new(bytes);
    reader.take(4)?; // "RIFF"
    let length = usize::try_from(reader.u32_le()?).map_err(|_| Broken::Cut)?;
    let mut container = Reader::new(reader.take(length)?);
    container.take(4).map_err(|_| empty())?; // "WEBP"
    let mut size: Option<Size> = None;
    let mut pixels = false;
    while !container.rest().is_empty() {
        let overlong = |_| Broken::Damaged("a part of it is longer than the whole");
        let kind = container.array::<4>().map_err(overlong)?;
        let length = usize::try_from(container.u32_le().map_err(overlong)?).unwrap_or(usize::MAX);
        let body = container.take(length).map_err(overlong)?;
        if length % 2 == 1 && !container.rest().is_empty() {
            container.byte()?; // parts begin at even places
        }
        let found = match &kind {
            b"VP8X" => Some(canvas(Reader::new(body))),
            b"VP8 " => Some(lossy(Reader::new(body))),
            b"VP8L" => Some(lossless(Reader::new(body))),
            _ => None,
        };
        pixels |= matches!(&kind, b"VP8 " | b"VP8L" | b"ANMF");
        if let Some(found) = found {
            let found = found.map_err(|broken| match broken {
                Broken::Cut => Broken::Damaged("a part of it is too short"),
                damaged @ Broken::Damaged(_) => damaged,
            })?;
            size = Some(size.map_or(found, |size| size.union(found)));
        }
    }
    size.filter(|_| pixels).ok_or_else(empty)
}

fn empty() -> Broken {
    Broken::Damaged("it has no pixels")
}

fn canvas(mut body: Reader<'_>) -> Result<Size, Broken> {
    body.take(4)?; // which features it has
    let [w0, w1, w2, h0, h1, h2] = body.array()?;
    Ok(Size::new(u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1))
}

fn lossy(mut body: Reader<'_>) -> Result<Size, Broken> {
    body.take(3)?; // what kind of frame
    if body.array()? != [0x9d, 0x01, 0x2a] {
        return Err(Broken::Damaged("its first frame is not one to begin with"));
    }
    // The two highest bits say how to scale it up.
    Ok(Size::new(body.u16_le()? & 0x3fff, body.u16_le()? & 0x3fff))
}

fn lossless(mut body: Reader<'_>) -> Result<Size, Broken> {
    if body.byte()? != 0x2f {
        return Err(Broken::Damaged("its lossless part does not begin like one"));
    }
    let bits = body.u32_le()?;
    Ok(Size::new((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}
