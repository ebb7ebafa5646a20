//! What is wrong with the bytes of an image, in words for the person who keeps the catalogue.

use shared::failure::{Failure, Reason};

use super::format::Format;

/// Why bytes are refused as an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No bytes at all.
    #[error("the image is empty")]
    Empty,
    /// More bytes than are allowed.
    #[error("the image is larger than {}", size(*limit))]
    TooManyBytes {
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The file ends in the middle.
    #[error("the image is cut off after {}", size(*bytes))]
    Cut {
        /// Bytes that are there.
        bytes: usize,
    },
    /// Something else than an image.
    #[error("this is {0}, not an image")]
    Other(&'static str),
    /// An image that sinks do not keep, or that shops cannot show.
    #[error("images of the kind {0} are not taken")]
    Unsupported(&'static str),
    /// The file is there to its end and yet not what its format asks for.
    #[error("the {format} image is damaged: {what}")]
    Damaged {
        /// What it begins like.
        format: Format,
        /// What is not right.
        what: &'static str,
    },
    /// Decoding it would take more memory than anybody should give it.
    #[error(
        "{width} x {height} pixels are more than Odoo takes ({})",
        pixels(*limit)
    )]
    TooManyPixels {
        /// Of the widest frame.
        width: u32,
        /// Of the highest frame.
        height: u32,
        /// Pixels that are allowed.
        limit: u64,
    },
}

impl Flaw {
    fn advice(self) -> &'static str {
        match self {
            Self::Empty | Self::Cut { .. } | Self::Damaged { .. } => {
                "open the picture on your computer, save it again and upload it again"
            }
            Self::TooManyBytes { .. } | Self::TooManyPixels { .. } => {
                "make the picture smaller (1920 pixels on the longer side are enough) and upload it again"
            }
            Self::Other(_) | Self::Unsupported(_) => {
                "upload the picture as JPEG, PNG, GIF, WebP, BMP or TIFF file"
            }
        }
    }
}

impl From<Flaw> for Failure {
    /// The bytes will be the same at the next try, so every flaw is the record's own.
    fn from(flaw: Flaw) -> Self {
        Self::permanent(Reason::BadRecord, flaw.to_string()).advise(flaw.advice())
    }
}

/// Bytes for people: `812 bytes`, `31 kB`, `10.5 MB`.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => tenths(bytes as u64 / 100_000, "MB"),
    }
}

fn pixels(count: u64) -> String {
    match count {
        0..1_000_000 => count.to_string(),
        _ => tenths(count / 100_000, "million"),
    }
}

fn tenths(tenths: u64, unit: &str) -> String {
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        rest => format!("{}.{rest} {unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::failure::Class;

    #[test]
    fn a_flaw_says_what_is_wrong_and_what_to_do() {
        let failure = Failure::from(Flaw::TooManyPixels { width: 8000, height: 8000, limit: 50_000_000 });
        assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord));
        assert_eq!(
            failure.to_string(),
            "8000 x 8000 pixels are more than Odoo takes (50 million); make the picture smaller (1920 pixels on the \
             longer side are enough) and upload it again"
        );
        assert_eq!(Flaw::Cut { bytes: 31_999 }.to_string(), "the image is cut off after 31 kB");
        assert_eq!(Flaw::TooManyBytes { limit: 10_000_000 }.to_string(), "the image is larger than 10 MB");
        assert_eq!(Flaw::Other("a web page").to_string(), "this is a web page, not an image");
    }

    #[test]
    fn sizes_are_read_by_people() {
        let sizes = [1, 999, 1_000, 999_999, 10_000_000, 10_550_000].map(size);
        assert_eq!(sizes, ["1 byte", "999 bytes", "1 kB", "999 kB", "10 MB", "10.5 MB"]);
    }
}
