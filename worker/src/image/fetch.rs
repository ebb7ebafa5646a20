//! Where images come from. One closed set of sources behind one call.

use std::time::Duration;

use shared::failure::{Failure, Reason};
use shared::record::{ImageReference, RecordKey};
use shared::zoho::{CallClass, ZohoClient};
use tokio::time::timeout;

pub use super::http::HttpImages;

/// A source of images.
#[derive(Debug)]
pub enum ImageSource {
    /// Files on a web server.
    Http(HttpImages),
    /// Items of a Zoho organisation; the reference begins with the id of the image's document.
    Zoho(ZohoClient),
}

/// The bytes of an image as the source sent them; not looked at yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub bytes: Vec<u8>,
    /// The source said where the file ends. Otherwise the end of the connection is its end, whatever ended that: what is
    /// cut off may come whole the next time.
    pub framed: bool,
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetched").field("bytes", &self.bytes.len()).field("framed", &self.framed).finish()
    }
}

impl ImageSource {
    /// The image of a record, at most `limit` bytes, which are never exceeded in memory, within `time`. Of Zoho's calls the
    /// client bounds the time: they may have to wait for their turn. `is_changed`: the sink has an image of the record.
    ///
    /// # Errors
    /// `Permanent/Missing` where there is none (any more), `Permanent/BadRecord` where it is larger; otherwise the class of
    /// what the source answered.
    pub async fn fetch(
        &self,
        key: &RecordKey,
        reference: &ImageReference,
        limit: usize,
        time: Duration,
        is_changed: bool,
    ) -> Result<Fetched, Failure> {
        match self {
            Self::Http(source) => {
                timeout(time, source.fetch(key, reference, limit)).await.unwrap_or_else(|_| {
                    let seconds = time.as_secs_f32();
                    let what = format!("the image was not there within {seconds} s");
                    Err(Failure::transient(Reason::Timeout, what))
                })
            }
            Self::Zoho(client) => {
                let document = reference.as_str().split('/').next();
                let class = if is_changed { CallClass::Changed } else { CallClass::Backfill };
                let image = client.image(key.as_str(), document, class).await?;
                if image.bytes.len() > limit {
                    return Err(Failure::permanent(
                        Reason::BadRecord,
                        format!(
                            "the image is {} bytes, more than the {limit} that are taken",
                            image.bytes.len()
                        ),
                    )
                    .advise("upload a smaller one to Zoho"));
                }
                // The client has read to the end that the answer names.
                Ok(Fetched { bytes: image.bytes, framed: true })
            }
        }
    }
}
