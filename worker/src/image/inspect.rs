//! Looking at the bytes of an image before anybody else has to: pure, no I/O, nothing decoded.

use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use shared::checksum::Checksum;

use super::flaw::Flaw;
use super::format::Format;
use super::structure::{Broken, walk};

/// What an image may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Width times height.
    pub pixels: u64,
    /// For the whole of its fetching.
    pub time: Duration,
}

impl Default for ImageLimits {
    /// 10 MB, since shops take 5 to 7 MB for an upload; 50 million pixels, since Odoo refuses more; a minute, in which even
    /// a slow line brings that.
    fn default() -> Self {
        Self { bytes: 10_000_000, pixels: 50_000_000, time: Duration::from_mins(1) }
    }
}

/// An image that may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// What it is.
    pub format: Format,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Of the bytes: what we know an image by.
    pub sha256: Checksum,
    /// Of the bytes, in 40 hexadecimal digits: what Odoo knows an image by.
    pub sha1: String,
}

/// Tells an image from everything else, and a whole one from one that is cut, damaged or too large.
///
/// # Errors
/// The first flaw found; as a [`Failure`](shared::failure::Failure) it is permanent.
pub fn inspect(bytes: &[u8], limits: &ImageLimits) -> Result<Inspected, Flaw> {
    if bytes.len() > limits.bytes {
        return Err(Flaw::TooManyBytes { limit: limits.bytes });
    }
    let format = Format::sniff(bytes)?;
    let size = walk(format, bytes).map_err(|broken| match broken {
        Broken::Cut => Flaw::Cut { bytes: bytes.len() },
        Broken::Damaged(what) => Flaw::Damaged { format, what },
    })?;
    if size.pixels() > limits.pixels {
        return Err(Flaw::TooManyPixels { width: size.width, height: size.height, limit: limits.pixels });
    }
    Ok(Inspected {
        format,
        width: size.width,
        height: size.height,
        sha256: sha256(bytes),
        sha1: hex(&Sha1::digest(bytes)),
    })
}

/// In lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The sha256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> Checksum {
    Checksum::try_from(Sha256::digest(bytes).as_slice()).expect("a sha256 has 32 bytes")
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
