//! What a catalogue server does to an uploaded picture.
//!
//! Measured on Odoo 17 to 19: PNG, JPEG, WEBP, GIF and ICO up to 1920 pixels a side are kept byte for byte, larger
//! PNG and JPEG are scaled down, BMP becomes PNG and TIFF becomes JPEG, anything that begins with `<` passes for an
//! SVG, and a truncated JPEG is kept.

use std::io::Cursor;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use crate::odoo::error::OdooError;
use crate::odoo::settings::OdooVersion;

/// Pictures with more pixels are refused.
const MAX_PIXELS: u64 = 50_000_000;
/// The longest side that is kept.
const LONGEST: u32 = 1920;

/// Python's lenient base64: characters outside the alphabet are skipped, padding must add up.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, OdooError> {
    let kept: Vec<u8> = text
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        .collect();
    // Padding in the middle ends the data there.
    let data: Vec<u8> = kept.iter().copied().take_while(|byte| *byte != b'=').collect();
    let padding = kept.len() - data.len();
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let short = (4 - data.len() % 4) % 4;
    if short == 3 || padding < short {
        return Err(OdooError::user("Image is not encoded in base64."));
    }
    GeneralPurpose::new(&STANDARD, config)
        .decode(data)
        .map_err(|_| OdooError::user("Image is not encoded in base64."))
}

fn undecodable() -> OdooError {
    OdooError::user("This file could not be decoded as an image file.")
}

/// The bytes that are stored for an upload.
pub(crate) fn accept(version: OdooVersion, bytes: Vec<u8>) -> Result<Vec<u8>, OdooError> {
    if bytes.first() == Some(&b'<') {
        return Ok(bytes);
    }
    if bytes.starts_with(&[0, 0, 1, 0]) {
        return Ok(bytes);
    }
    let format = image::guess_format(&bytes).map_err(|_| undecodable())?;
    let (width, height) = reader(&bytes, format).into_dimensions().map_err(|_| undecodable())?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(OdooError::user(if version == OdooVersion::V17 {
            "Image size excessive, uploaded images must be smaller than 50.0 million pixels."
        } else {
            "Too large image (above 50.0Mpx), reduce the image size."
        }));
    }
    let large = width > LONGEST || height > LONGEST;
    let target = match format {
        ImageFormat::Png | ImageFormat::Jpeg if large => format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif => return Ok(bytes),
        ImageFormat::Bmp => ImageFormat::Png,
        ImageFormat::Tiff => ImageFormat::Jpeg,
        _ => return Err(undecodable()),
    };
    let picture = reader(&bytes, format).decode().map_err(|_| undecodable())?;
    let picture = if large { picture.thumbnail(LONGEST, LONGEST) } else { picture };
    encode(&picture, target)
}

/// The bytes of a smaller copy; the same bytes when the picture already fits or cannot be scaled.
pub(crate) fn thumbnail(bytes: &[u8], longest: u32) -> Vec<u8> {
    let Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = image::guess_format(bytes) else {
        return bytes.to_vec();
    };
    let fits =
        reader(bytes, format).into_dimensions().is_ok_and(|(width, height)| width.max(height) <= longest);
    if fits {
        return bytes.to_vec();
    }
    let scaled = reader(bytes, format).decode().map(|picture| picture.thumbnail(longest, longest));
    scaled.ok().and_then(|picture| encode(&picture, format).ok()).unwrap_or_else(|| bytes.to_vec())
}

/// The media type an attachment shows.
pub(crate) fn media_type(bytes: &[u8]) -> &'static str {
    if bytes.first() == Some(&b'<') {
        return if bytes.windows(4).take(300).any(|window| window == b"<svg") {
            "image/svg+xml"
        } else {
            "text/html"
        };
    }
    match image::guess_format(bytes) {
        Ok(format) => format.to_mime_type(),
        Err(_) => "application/octet-stream",
    }
}

fn reader(bytes: &[u8], format: ImageFormat) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(512 * 1024 * 1024);
    reader.limits(limits);
    reader
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>, OdooError> {
    let mut out = Cursor::new(Vec::new());
    let plain =
        if format == ImageFormat::Jpeg { &DynamicImage::ImageRgb8(picture.to_rgb8()) } else { picture };
    plain.write_to(&mut out, format).map_err(|_| undecodable())?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        encode(&DynamicImage::new_rgb8(width, height), format).unwrap()
    }

    #[test]
    fn small_pictures_are_kept_and_large_ones_scaled() {
        let small = picture(40, 30, ImageFormat::Png);
        assert_eq!(accept(OdooVersion::V17, small.clone()).unwrap(), small);
        let large = accept(OdooVersion::V17, picture(2400, 300, ImageFormat::Png)).unwrap();
        let size = reader(&large, ImageFormat::Png).into_dimensions().unwrap();
        assert_eq!(size, (1920, 240));
    }

    #[test]
    fn other_formats_are_turned_into_web_formats() {
        let bmp = accept(OdooVersion::V18, picture(8, 8, ImageFormat::Bmp)).unwrap();
        assert_eq!(image::guess_format(&bmp).unwrap(), ImageFormat::Png);
        let tiff = accept(OdooVersion::V18, picture(8, 8, ImageFormat::Tiff)).unwrap();
        assert_eq!(image::guess_format(&tiff).unwrap(), ImageFormat::Jpeg);
    }

    #[test]
    fn what_is_no_picture_is_refused_but_for_markup_and_half_a_jpeg() {
        for bytes in [b"hello".to_vec(), b"%PDF-1.4".to_vec(), b"\x89PNG\r\n\x1a\ngarbage".to_vec()] {
            assert_eq!(accept(OdooVersion::V19, bytes).unwrap_err(), undecodable());
        }
        assert!(accept(OdooVersion::V19, b"<html>404</html>".to_vec()).is_ok());
        let mut jpeg = picture(64, 64, ImageFormat::Jpeg);
        jpeg.truncate(jpeg.len() - 20);
        assert!(accept(OdooVersion::V19, jpeg).is_ok());
    }

    #[test]
    fn base64_is_read_as_python_reads_it() {
        assert_eq!(decode("aGVs\nbG8=").unwrap(), b"hello");
        assert_eq!(decode("!!!").unwrap(), b"");
        for text in ["not base64!!", "aGVsbG8", "http://127.0.0.1/x.jpg"] {
            assert_eq!(decode(text).unwrap_err().message, "Image is not encoded in base64.", "{text}");
        }
    }
}
