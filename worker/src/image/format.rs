//! What kind of image bytes are, by how they begin. Names and content types are not asked: shops keep whatever a file
//! was uploaded as, and error pages come with the address of a picture.

use std::fmt;

use image::ImageFormat;

use super::flaw::Flaw;

/// How far an `<svg` may be from the beginning of a text.
const SVG_WITHIN: usize = 1_000;

/// An image format that every sink takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// GIF, animated or not.
    Gif,
    /// WebP: lossy, lossless or animated.
    Webp,
    /// Windows bitmap.
    Bmp,
    /// TIFF.
    Tiff,
}

impl Format {
    /// The format that the first bytes say.
    ///
    /// # Errors
    /// The flaw that they are nothing, or something else, as far as that can be told.
    pub fn sniff(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.is_empty() {
            return Err(Flaw::Empty);
        }
        match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => Ok(Self::Jpeg),
            Ok(ImageFormat::Png) => Ok(Self::Png),
            Ok(ImageFormat::Gif) => Ok(Self::Gif),
            Ok(ImageFormat::WebP) => Ok(Self::Webp),
            Ok(ImageFormat::Tiff) => Ok(Self::Tiff),
            // Two letters begin many a text: a bitmap has four zeros after its size.
            Ok(ImageFormat::Bmp) if matches!(bytes.get(6..10), Some([0, 0, 0, 0]) | None) => Ok(Self::Bmp),
            Ok(ImageFormat::Ico) => Err(Flaw::Unsupported("icon (ICO)")),
            Ok(ImageFormat::Avif) => Err(Flaw::Unsupported("AVIF")),
            _ => Err(foreign(bytes)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Webp => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        })
    }
}

/// What bytes are that are no image we take. Odoo stores anything that begins with `<` as an image, so this is the only
/// place that keeps web pages out of a shop.
fn foreign(bytes: &[u8]) -> Flaw {
    if let Some(b"ftyphei" | b"ftyphev" | b"ftypmif") = bytes.get(4..11) {
        return Flaw::Unsupported("HEIC");
    }
    if bytes.starts_with(b"%PDF") {
        return Flaw::Other("a PDF file");
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Flaw::Other("a ZIP archive or an Office document");
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    match text.first() {
        Some(b'<') => {
            let head = text.get(..SVG_WITHIN).unwrap_or(text);
            if head.windows(4).any(|four| four.eq_ignore_ascii_case(b"<svg")) {
                Flaw::Unsupported("SVG")
            } else {
                Flaw::Other("a web page")
            }
        }
        Some(b'{' | b'[') => Flaw::Other("a JSON answer"),
        Some(_) if std::str::from_utf8(bytes).is_ok() => Flaw::Other("a text"),
        None => Flaw::Other("white space"),
        Some(_) => Flaw::Other("a file of an unknown kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_image_is_named() {
        let told = |bytes: &[u8]| Format::sniff(bytes).unwrap_err().to_string();
        assert_eq!(told(b""), "the image is empty");
        for page in ["<!DOCTYPE html><html>", " \r\n<html>", "\u{feff}<HTML>", "<?xml version='1.0'?><rss/>"]
        {
            assert_eq!(told(page.as_bytes()), "this is a web page, not an image");
        }
        for json in [r#"{"code":57,"message":"not authorized"}"#, " [1]"] {
            assert_eq!(told(json.as_bytes()), "this is a JSON answer, not an image");
        }
        for svg in ["<svg xmlns='x'/>", "<?xml version='1.0'?><!-- a --><SVG/>"] {
            assert_eq!(told(svg.as_bytes()), "images of the kind SVG are not taken");
        }
        assert_eq!(told(b"%PDF-1.7"), "this is a PDF file, not an image");
        assert_eq!(told(b"BMW is a car"), "this is a text, not an image");
        assert_eq!(told(b"P5 is a format"), "this is a text, not an image");
        assert_eq!(told(b"  \n"), "this is white space, not an image");
        assert_eq!(told(b"\0\0\0\x18ftypheic\0"), "images of the kind HEIC are not taken");
        assert_eq!(told(b"\0\0\0\x18ftypavif\0"), "images of the kind AVIF are not taken");
        assert_eq!(told(b"\xfe\0\x01"), "this is a file of an unknown kind, not an image");
    }
}
