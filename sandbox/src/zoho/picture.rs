//! The bytes of an image, and the ways in which serving one goes wrong.

use std::io::Cursor;
use std::sync::OnceLock;
use std::time::Duration;

use image::{ImageFormat, Rgb, RgbImage};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::zoho::http::{Pace, Response};
use crate::zoho::jpeg;
use crate::zoho::noise::mix;
use crate::zoho::pattern::{CELLS, Pattern};

/// Pixels on each side of a cell; a multiple of the 8 that a JPEG block has.
const CELL_PIXELS: u32 = 40;
/// The largest upload that Zoho takes is 7 MB.
const LARGE: usize = 7 * 1024 * 1024;

/// What the server answers when it is asked for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZohoImage {
    /// A JPEG file of the size in the settings.
    Jpeg,
    /// A PNG file.
    Png,
    /// A WebP file.
    Webp,
    /// A GIF file.
    Gif,
    /// A BMP file.
    Bmp,
    /// HTTP 404, although the item names a document.
    Missing,
    /// HTTP 200 with an error as JSON.
    Json,
    /// HTTP 200 with a page of HTML.
    Html,
    /// HTTP 200 and no byte.
    Empty,
    /// A JPEG file that was stored without its second half; the answer itself is complete.
    Truncated,
    /// A good JPEG file, but the connection ends in its middle.
    Cut,
    /// A good JPEG file called `text/plain`.
    WrongType,
    /// A JPEG file of 7 MB.
    Large,
    /// A JPEG file of 8000 by 8000 pixels in few bytes.
    Huge,
    /// HTTP 302 to another host, where a good JPEG file is.
    Redirect,
    /// A good JPEG file that takes its time.
    Slow {
        /// Milliseconds from the first byte to the last.
        millis: u64,
    },
    /// A good JPEG file that is gone after a while.
    Vanishing {
        /// Times it is served.
        times: u64,
        /// The HTTP status from then on, such as 404 or 410.
        status: u16,
    },
}

impl ZohoImage {
    /// The extension of its file name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Bmp => "bmp",
            _ => "jpg",
        }
    }

    /// Bytes of the file as a document of an item tells them.
    pub(crate) fn file_size(self, seed: u64, image_bytes: usize) -> usize {
        match self {
            // Padded to the wanted size, which no motif comes near to.
            Self::Jpeg if image_bytes > 8192 => image_bytes,
            kind => {
                let showing =
                    Showing { kind, seed, size: image_bytes, served: 0, as_document: true, elsewhere: "" };
                showing.response().0.body.len()
            }
        }
    }
}

/// A request for an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Showing<'a> {
    pub(crate) kind: ZohoImage,
    /// Decides the motif and every byte.
    pub(crate) seed: u64,
    /// Wanted size in bytes.
    pub(crate) size: usize,
    /// Times it was served before.
    pub(crate) served: u64,
    /// As a document, which is always `application/octet-stream`, rather than as an item's image.
    pub(crate) as_document: bool,
    /// Where a redirect leads.
    pub(crate) elsewhere: &'a str,
}

impl Showing<'_> {
    /// The answer, and whether it has the image's bytes.
    pub(crate) fn response(&self) -> (Response, bool) {
        let gone =
            |status| Response::json(status, &json!({"code": 1002, "message": "Image does not exist."}));
        let photo = || photo(self.seed, self.size);
        match self.kind {
            ZohoImage::Png => self.found("image/png", drawn(self.seed, ImageFormat::Png)),
            ZohoImage::Webp => self.found("image/webp", drawn(self.seed, ImageFormat::WebP)),
            ZohoImage::Gif => self.found("image/gif", drawn(self.seed, ImageFormat::Gif)),
            ZohoImage::Bmp => self.found("image/bmp", drawn(self.seed, ImageFormat::Bmp)),
            ZohoImage::Missing => (gone(404), false),
            ZohoImage::Json => {
                (Response::json(200, &json!({"code": 1002, "message": "Image does not exist."})), false)
            }
            ZohoImage::Html => (Response::html(200, "Sign in"), false),
            ZohoImage::Empty => self.found("image/jpeg", Vec::new()),
            ZohoImage::Truncated => {
                let mut bytes = motif(self.seed);
                bytes.truncate(bytes.len() / 2);
                self.found("image/jpeg", bytes)
            }
            ZohoImage::Cut => self.paced(Pace::Cut),
            ZohoImage::WrongType => (Response::new(200, "text/plain", photo()), true),
            ZohoImage::Large => self.found("image/jpeg", jpeg::pad(&motif(self.seed), LARGE, self.seed)),
            ZohoImage::Huge => self.found("image/jpeg", huge().to_vec()),
            ZohoImage::Redirect => {
                let mut response = Response::html(302, "Moved");
                response.headers.push(("Location", self.elsewhere.to_owned()));
                (response, false)
            }
            ZohoImage::Slow { millis } => self.paced(Pace::Slow(Duration::from_millis(millis))),
            ZohoImage::Vanishing { times, status } if self.served >= times => (gone(status), false),
            ZohoImage::Jpeg | ZohoImage::Vanishing { .. } => self.found("image/jpeg", photo()),
        }
    }

    fn found(&self, content_type: &'static str, bytes: Vec<u8>) -> (Response, bool) {
        let content_type = if self.as_document { "application/octet-stream" } else { content_type };
        (Response::new(200, content_type, bytes), true)
    }

    fn paced(&self, pace: Pace) -> (Response, bool) {
        let (response, found) = self.found("image/jpeg", photo(self.seed, self.size));
        (Response { pace, ..response }, found)
    }
}

/// A JPEG file of this size, different in pixels and bytes for each seed.
pub(crate) fn photo(seed: u64, size: usize) -> Vec<u8> {
    jpeg::pad(&motif(seed), size, mix(seed ^ 0xc0))
}

/// A document with one empty page.
pub(crate) fn sheet() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
      3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
        .to_vec()
}

fn motif(seed: u64) -> Vec<u8> {
    let pattern = Pattern::new(seed);
    let side = u16::try_from(CELLS * CELL_PIXELS / 8).unwrap_or(1);
    let blocks = CELL_PIXELS / 8;
    jpeg::coloured(side, side, |column, row| {
        pattern.colour(u32::from(column) / blocks, u32::from(row) / blocks)
    })
}

fn drawn(seed: u64, format: ImageFormat) -> Vec<u8> {
    let pattern = Pattern::new(seed);
    let side = CELLS * CELL_PIXELS / 2;
    let picture = RgbImage::from_fn(side, side, |x, y| {
        Rgb(pattern.colour(x / (CELL_PIXELS / 2), y / (CELL_PIXELS / 2)))
    });
    let mut bytes = Cursor::new(Vec::new());
    // Writing into memory fails for want of memory alone; an empty image would then be served.
    if picture.write_to(&mut bytes, format).is_err() {
        return Vec::new();
    }
    bytes.into_inner()
}

fn huge() -> &'static [u8] {
    static HUGE: OnceLock<Vec<u8>> = OnceLock::new();
    HUGE.get_or_init(|| jpeg::white(1000, 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(kind: ZohoImage) -> Response {
        let showing =
            Showing { kind, seed: 5, size: 60_000, served: 0, as_document: false, elsewhere: "http://x/" };
        showing.response().0
    }

    #[test]
    fn every_format_decodes_as_what_it_is_called() {
        for (kind, format) in [
            (ZohoImage::Jpeg, ImageFormat::Jpeg),
            (ZohoImage::Png, ImageFormat::Png),
            (ZohoImage::Webp, ImageFormat::WebP),
            (ZohoImage::Gif, ImageFormat::Gif),
            (ZohoImage::Bmp, ImageFormat::Bmp),
        ] {
            let response = response(kind);
            assert_eq!(response.content_type, format.to_mime_type());
            assert_eq!(image::guess_format(&response.body).unwrap(), format);
            image::load_from_memory(&response.body).unwrap();
        }
    }

    #[test]
    fn photos_differ_by_seed_in_bytes_and_pixels_and_have_the_wanted_size() {
        let (one, other) = (photo(1, 60_000), photo(2, 60_000));
        assert_eq!((one.len(), other.len()), (60_000, 60_000));
        let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8().into_raw();
        assert_ne!(pixels(&one), pixels(&other));
        assert_eq!(one, photo(1, 60_000));
    }

    #[test]
    fn huge_has_64_million_pixels_in_few_bytes_and_large_has_7_mb() {
        let bytes = response(ZohoImage::Huge).body;
        let size = image::ImageReader::new(Cursor::new(&bytes)).with_guessed_format().unwrap();
        assert_eq!(size.into_dimensions().unwrap(), (8000, 8000));
        assert!(bytes.len() < 500_000);
        assert_eq!(response(ZohoImage::Large).body.len(), 7 * 1024 * 1024);
    }

    #[test]
    fn a_truncated_image_starts_like_one_and_has_no_end() {
        let bytes = response(ZohoImage::Truncated).body;
        assert_eq!(image::guess_format(&bytes).unwrap(), ImageFormat::Jpeg);
        assert!(!bytes.ends_with(&[0xff, 0xd9]));
    }
}
