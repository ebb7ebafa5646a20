//! How big an image is and whether it is there to its end, without decoding a pixel.
//!
//! Odoo stores a JPEG that is cut in half as it is, and a shop shows it half grey. So each format is walked through its
//! parts, by their lengths, to the mark of its end. What follows that mark is nobody's business: cameras and editors
//! append their own data. The bytes inside the parts are not looked at, save for the check sums of PNG.

mod bmp;
mod gif;
mod jpeg;
mod png;
mod reader;
mod tiff;
mod webp;

use super::format::Format;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Size {
    fn new(width: impl Into<u32>, height: impl Into<u32>) -> Self {
        Self { width: width.into(), height: height.into() }
    }

    /// Large enough for both.
    fn union(self, other: Self) -> Self {
        Self::new(self.width.max(other.width), self.height.max(other.height))
    }

    /// How many there are.
    pub(super) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Where a walk ended before the end of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A part goes on beyond the last byte, or the mark of the end is missing.
    Cut,
    /// A part is not what the format asks for, in words.
    Damaged(&'static str),
}

/// Walks an image of a known format to its end.
pub(super) fn walk(format: Format, bytes: &[u8]) -> Result<Size, Broken> {
    let size = match format {
        Format::Jpeg => jpeg::walk(bytes),
        Format::Png => png::walk(bytes),
        Format::Gif => gif::walk(bytes),
        Format::Webp => webp::walk(bytes),
        Format::Bmp => bmp::walk(bytes),
        Format::Tiff => tiff::walk(bytes),
    }?;
    if size.pixels() == 0 {
        return Err(Broken::Damaged("its width or height is zero"));
    }
    Ok(size)
}
