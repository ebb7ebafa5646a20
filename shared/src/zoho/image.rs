//! Images: what bytes are one.

use super::answer::{Answer, Expected};
use super::config::ImageRoute;
use super::refusal::Refusal;
use crate::failure::{Failure, Reason};

/// The formats that Zoho takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
    /// BMP.
    Bmp,
}

impl ImageFormat {
    /// The format that the first bytes say. File names and content types are not asked: Zoho keeps whatever name a file was
    /// uploaded under.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            // Two letters begin many a text: the size field is followed by four reserved zeros.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Self::Bmp),
            _ => None,
        }
    }
}

/// An image as it was uploaded, not scaled.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// The file.
    pub bytes: Vec<u8>,
    /// What its first bytes say that it is.
    pub format: ImageFormat,
    /// Where it was had.
    pub route: ImageRoute,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("bytes", &self.bytes.len())
            .field("format", &self.format)
            .field("route", &self.route)
            .finish()
    }
}

/// The image in an answer. Zoho answers errors with JSON on this route as well, and a JSON saved as an image is the classic
/// mistake; what it sends for an item without an image is documented nowhere, so 404, nothing, and JSON without an error
/// all count as that.
pub(super) fn read_image(
    expected: &Expected<'_>,
    answer: Answer,
    route: ImageRoute,
) -> Result<Image, Refusal> {
    let host = expected.host;
    let (status, is_foreign) = (answer.status, answer.is_foreign);
    let refuse = |failure| Err(Refusal { failure, status, code: None, is_foreign });
    let none = || {
        Failure::permanent(Reason::Missing, format!("Zoho at {host} has no image of this item"))
            .advise("upload it again in Zoho, or leave the item without")
    };
    if status != 200 {
        return match expected.classify(&answer) {
            Err(refusal) => Err(refusal),
            Ok(_) => refuse(none()),
        };
    }
    let told = answer.content_type.as_deref().unwrap_or_default();
    let told = told.to_ascii_lowercase();
    let format = ImageFormat::sniff(&answer.body);
    match format {
        Some(format) if !told.contains("json") && !told.contains("html") => {
            Ok(Image { bytes: answer.body, format, route })
        }
        _ if answer.body.is_empty() => refuse(none()),
        _ if answer.json().is_some() => match expected.classify(&answer) {
            Err(refusal) if refusal.code.is_some() => Err(refusal),
            _ => refuse(none()),
        },
        // Of another host: a proxy, or the page of a login. Zoho itself sends a page because that is what somebody has
        // uploaded.
        _ if told.contains("html") || answer.body.trim_ascii_start().starts_with(b"<") => refuse({
            let what = format!("Zoho at {host} sent a web page instead of an image");
            if is_foreign {
                Failure::transient(Reason::Protocol, what)
            } else {
                Failure::permanent(Reason::BadRecord, what).advise("upload the picture again")
            }
        }),
        _ => refuse(
            Failure::permanent(
                Reason::BadRecord,
                format!("what Zoho at {host} has as the image of this item is no image"),
            )
            .advise("upload a JPEG, PNG, GIF, WebP or BMP file"),
        ),
    }
}
