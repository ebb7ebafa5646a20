//! Images for tests, made with an encoder that is not ours.

use std::io::Cursor;

use ::image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture that no two neighbours of `width` and `seed` share.
fn picture(width: u32, height: u32, seed: u32) -> DynamicImage {
    let colour = |x: u32, y: u32| {
        let mix = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ seed.wrapping_mul(97);
        let [r, g, b, _] = mix.to_le_bytes();
        Rgb([r, g, b])
    };
    RgbImage::from_fn(width, height, colour).into()
}

/// A file of this format.
pub(super) fn encode(format: ImageFormat, width: u32, height: u32, seed: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture(width, height, seed).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A small JPEG; every seed gives other bytes.
pub(super) fn jpeg(seed: u32) -> Vec<u8> {
    encode(ImageFormat::Jpeg, 40, 30, seed)
}

/// A PNG of one colour that says it is this large; only its header and its end are there.
pub(super) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    for (kind, body) in [(b"IHDR", header.as_slice()), (b"IDAT", b"\0"), (b"IEND", b"")] {
        bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        let mut sum = flate2::Crc::new();
        for part in [kind.as_slice(), body] {
            sum.update(part);
            bytes.extend(part);
        }
        bytes.extend(sum.sum().to_be_bytes());
    }
    bytes
}
