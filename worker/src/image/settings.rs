//! Bounds of an image worker.

use super::inspect::ImageLimits;

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
}

impl Default for ImageSettings {
    /// 16 at once in 96 MB: with images of 10 MB, a worker needs 123 MB for them at most.
    fn default() -> Self {
        Self { limits: ImageLimits::default(), parallel: 16, memory: 96_000_000 }
    }
}
