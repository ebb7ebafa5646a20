//! What must hold for any bytes, see [`shared::fuzzing`].

use shared::failure::Failure;
use shared::fuzzing::in_words;

use crate::image::{Format, ImageLimits, inspect};
pub use crate::sink::json::fuzzing::{json_file, json_index, json_journal, json_last_sync, json_meta};

/// [`inspect`].
pub fn image(bytes: &[u8]) {
    for limits in
        [ImageLimits::default(), ImageLimits { bytes: 1_000, pixels: 100, ..ImageLimits::default() }]
    {
        match inspect(bytes, &limits) {
            Ok(image) => {
                let pixels = u64::from(image.width) * u64::from(image.height);
                assert!((1..=limits.pixels).contains(&pixels) && bytes.len() <= limits.bytes);
                assert_eq!(Format::sniff(bytes), Ok(image.format));
            }
            Err(flaw) => in_words(&Failure::from(flaw)),
        }
    }
}
