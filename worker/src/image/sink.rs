//! Where images go.

use std::collections::HashMap;

use shared::failure::Failure;
use shared::odoo::Base64;

/// What the image worker asks of a sink: it knows each image by the SHA-1 of its bytes, as Odoo does.
pub trait ImageSink: std::fmt::Debug + Send + 'static {
    /// SHA-1, in 40 hexadecimal digits, of the images that the sink keeps of these records, by their ids; of those that
    /// have none, or are unknown to the sink, nothing.
    ///
    /// # Errors
    /// The class of what the sink answered.
    fn image_hashes(
        &mut self,
        sink_ids: &[String],
    ) -> impl Future<Output = Result<HashMap<String, String>, Failure>> + Send;

    /// Writes the image of a record, or takes it away, and nothing else of the record. Identical ones are written, too:
    /// compare with [`Self::image_hashes`] before.
    ///
    /// # Errors
    /// Permanent where the sink refuses this image, or the record is gone.
    fn write_image(
        &mut self,
        sink_id: &str,
        image: Option<Base64>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
