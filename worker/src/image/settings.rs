//! Bounds of an image worker.

use shared::config::OdooTarget;

use super::inspect::ImageLimits;
use super::scale::Scaling;

/// Bounds of an image worker.
#[derive(Debug, Clone, Copy)]
pub struct ImageSettings {
    /// Of each image.
    pub limits: ImageLimits,
    /// Images under way at once.
    pub parallel: usize,
    /// Bytes of all images under way. One image more, in base64 and once more in the request that carries it, is in the
    /// memory on top: 8/3 of the limit of one image.
    pub memory: usize,
    /// Bytes of the pixels of all images that are being decoded. One that needs more passes alone.
    pub pixels: usize,
    /// How they are made smaller.
    pub scaling: Scaling,
}

impl ImageSettings {
    /// The usual ones, with what is configured for a sink.
    pub fn of(target: &OdooTarget) -> Self {
        let scaling = Scaling { quality: target.image_quality, ..Scaling::default() };
        Self { scaling, ..Self::default() }
    }
}

impl Default for ImageSettings {
    /// 16 at once in 96 MB: with images of 10 MB, a worker needs 123 MB for them at most, and 96 MB for pixels: a
    /// photograph of 24 megapixels fits, the largest that is taken (50) needs 200 MB and passes alone.
    fn default() -> Self {
        let limits = ImageLimits::default();
        Self { limits, parallel: 16, memory: 96_000_000, pixels: 96_000_000, scaling: Scaling::default() }
    }
}
