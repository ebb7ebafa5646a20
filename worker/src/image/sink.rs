//! Where images go.

use shared::failure::Failure;

/// What the image worker asks of a sink: it knows each image by the SHA-1 of its bytes, as Odoo does.
pub trait ImageSink: std::fmt::Debug + Send + 'static {
    /// SHA-1, in 40 hexadecimal digits, of the image that the sink keeps of this record; `None` where it has none.
    ///
    /// # Errors
    /// The class of what the sink answered; permanent where the record is gone.
    fn image_hash(&mut self, sink_id: &str) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// Writes the image of a record in standard base64, or takes it away, and nothing else of the record.
    ///
    /// # Errors
    /// Permanent where the sink refuses this image, or the record is gone.
    fn write_image(
        &mut self,
        sink_id: &str,
        base64: Option<String>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}
