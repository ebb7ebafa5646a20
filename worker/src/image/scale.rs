//! An image as the sink would keep it: Odoo bounds it to 1920 x 1920 pixels and stores BMP and TIFF as something else, which
//! costs a real server up to 3.5 s of a record (measured on Odoo 17 to 19). Done here it costs a worker's millisecond, and
//! the stored bytes are those that were sent, so that their hash tells whether an image is there.

mod jpeg;

use std::io::Cursor;
use std::sync::Arc;

use fast_image_resize::{ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits};
use jpeg_encoder::{ColorType, SamplingFactor};
use sha1::{Digest as _, Sha1};

use super::format::Format;
use super::inspect::{Inspected, hex};
use super::room;

/// What the decoder of one image may allocate beside its pixels.
const DECODER_BYTES: u64 = 64_000_000;

/// What the pixels of one image may take: a photograph of 50 megapixels fits, a progressive one of 20. Workers run within
/// limits of their own, and Odoo has the memory.
const PIXELS_MAX: usize = 256_000_000;

/// Catmull-Rom looks at four pixels each way where Lanczos looks at six: two thirds of the time, and a difference (46.7 dB) far
/// below what JPEG itself takes away at this quality (36 dB).
const FILTER: ResizeAlg = ResizeAlg::Convolution(fast_image_resize::FilterType::CatmullRom);

/// How images are made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// Pixels that the longer side has at most.
    pub side: u32,
    /// Of a JPEG, 1 to 100. Another quality changes no image that was brought before: images are known by the bytes of
    /// their source.
    pub quality: u8,
}

impl Default for Scaling {
    /// What Odoo keeps; and a quality that nobody can tell from the picture.
    fn default() -> Self {
        Self { side: 1_920, quality: 90 }
    }
}

/// An image in the form in which the sink keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// Of the file.
    pub bytes: Arc<Vec<u8>>,
    /// Of the bytes, in 40 hexadecimal digits: what Odoo knows an image by.
    pub sha1: String,
}

impl Scaling {
    /// Whether the sink would not keep the bytes as they are. GIF and WebP it keeps whatever their size (they may be
    /// animated).
    pub(crate) fn applies_to(self, image: &Inspected) -> bool {
        match image.format {
            Format::Jpeg | Format::Png => image.width.max(image.height) > self.side,
            Format::Bmp | Format::Tiff => true,
            Format::Gif | Format::Webp => false,
        }
    }

    /// Bytes that the pixels take while they are decoded and bounded, at most, by what the header says.
    pub fn memory(self, image: &Inspected, bytes: &[u8]) -> usize {
        let each = match image.format {
            // The coefficients of a progressive one are all kept until its last scan.
            Format::Jpeg if jpeg::Header::read(bytes).is_progressive => 12,
            // The 25th byte is the depth of a sample; sixteen bits are made eight.
            Format::Png if bytes.get(24) == Some(&16) => 12,
            Format::Tiff => 12,
            _ => 4,
        };
        let pixels = u64::from(image.width) * u64::from(image.height);
        usize::try_from(pixels * each).unwrap_or(usize::MAX)
    }

    /// Decodes, turns as the camera was held, bounds and encodes: a JPEG stays one, transparency stays, and so does a
    /// colour profile. The same bytes give the same bytes.
    ///
    /// # Errors
    /// What the decoder does not know or cannot read. The sink may know more.
    pub fn fit(self, image: &Inspected, bytes: &[u8]) -> Result<Fitted, ImageError> {
        if image.format == Format::Jpeg && !jpeg::Header::read(bytes).has_known_colours() {
            return Err(ImageError::IoError(std::io::Error::other("its inks may be inverted or not")));
        }
        if self.memory(image, bytes) > PIXELS_MAX {
            return Err(ImageError::IoError(std::io::Error::other("its pixels need too much memory")));
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), file_format(image.format));
        let pixels = u64::from(image.width) * u64::from(image.height);
        let mut limits = Limits::default();
        limits.max_alloc = Some(pixels * 8 + DECODER_BYTES);
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        let (profile, turned) = (decoder.icc_profile()?, decoder.orientation()?);
        let picture = with_eight_bits(room::decoded(decoder)?);
        let mut picture = self.bounded(picture)?;
        picture.apply_orientation(turned);
        let bytes = self.encoded(&picture, image.format, profile.as_deref())?;
        room::keep(picture);
        let sha1 = hex(&Sha1::digest(&bytes));
        Ok(Fitted { bytes: Arc::new(bytes), sha1 })
    }

    fn bounded(self, picture: DynamicImage) -> Result<DynamicImage, ImageError> {
        let (width, height) = (picture.width(), picture.height());
        let longer = width.max(height);
        if longer <= self.side {
            return Ok(picture);
        }
        let part = |side: u32| {
            let exact = u64::from(side) * u64::from(self.side);
            let rounded = (exact + u64::from(longer) / 2) / u64::from(longer);
            u32::try_from(rounded).unwrap_or(self.side).max(1)
        };
        let mut smaller = room::black(part(width), part(height), picture.color());
        Resizer::new()
            .resize(&picture, &mut smaller, &ResizeOptions::new().resize_alg(FILTER))
            .map_err(|error| ImageError::IoError(std::io::Error::other(error)))?;
        room::keep(picture);
        Ok(smaller)
    }

    fn encoded(
        self,
        picture: &DynamicImage,
        source: Format,
        profile: Option<&[u8]>,
    ) -> Result<Vec<u8>, ImageError> {
        // A profile that is about inks says nothing of the colours that they were turned into.
        let space: &[u8] = if picture.color().has_color() { b"RGB " } else { b"GRAY" };
        let profile = profile.filter(|profile| profile.get(16..20) == Some(space));
        let is_photograph =
            source == Format::Jpeg || (source == Format::Tiff && !picture.color().has_alpha());
        if is_photograph { self.jpeg(picture, profile) } else { png(picture, profile) }
    }

    /// With halved colours, as Pillow and most cameras write it.
    fn jpeg(self, picture: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, ImageError> {
        let failed = |error: jpeg_encoder::EncodingError| ImageError::IoError(std::io::Error::other(error));
        let side = |side: u32| {
            u16::try_from(side).map_err(|error| ImageError::IoError(std::io::Error::other(error)))
        };
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, self.quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        if let Some(profile) = profile {
            encoder.add_icc_profile(profile).map_err(failed)?;
        }
        let (width, height) = (side(picture.width())?, side(picture.height())?);
        match picture {
            DynamicImage::ImageLuma8(grey) => encoder.encode(grey, width, height, ColorType::Luma),
            DynamicImage::ImageRgb8(colours) => encoder.encode(colours, width, height, ColorType::Rgb),
            picture => encoder.encode(&picture.to_rgb8(), width, height, ColorType::Rgb),
        }
        .map_err(failed)?;
        Ok(bytes)
    }
}

/// Level 3 takes a quarter of the usual level's time, and the file is a twentieth larger.
fn png(picture: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let mut encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Level(3), FilterType::Adaptive);
    if let Some(profile) = profile
        && encoder.set_icc_profile(profile.to_vec()).is_err()
    {
        tracing::debug!("a colour profile is left out");
    }
    picture.write_with_encoder(encoder)?;
    Ok(bytes)
}

/// Screens show eight bits, and JPEG has no more.
fn with_eight_bits(picture: DynamicImage) -> DynamicImage {
    match picture {
        DynamicImage::ImageLuma16(_) => picture.to_luma8().into(),
        DynamicImage::ImageLumaA16(_) => picture.to_luma_alpha8().into(),
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgb32F(_) => picture.to_rgb8().into(),
        DynamicImage::ImageRgba16(_) | DynamicImage::ImageRgba32F(_) => picture.to_rgba8().into(),
        picture => picture,
    }
}

fn file_format(format: Format) -> ImageFormat {
    match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
    }
}

#[cfg(test)]
#[path = "scale_tests.rs"]
mod tests;
