//! A sink for tests: images on a shelf in the memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use shared::failure::Failure;
use shared::odoo::Base64;

use super::inspect::{ImageLimits, inspect};
use super::sink::ImageSink;

/// Clones are the same shelf.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
pub(super) struct Inside {
    /// Bytes by the sink's id of the record.
    pub(super) images: HashMap<String, Vec<u8>>,
    /// How often somebody asked for a hash.
    pub(super) asked: usize,
    /// How often an image was written.
    pub(super) written: usize,
    /// What the next writes fail with.
    pub(super) failures: VecDeque<Failure>,
}

impl Shelf {
    pub(super) fn look<T>(&self, at: impl FnOnce(&mut Inside) -> T) -> T {
        at(&mut self.0.lock().unwrap())
    }
}

impl ImageSink for Shelf {
    async fn image_hashes(&mut self, sink_ids: &[String]) -> Result<HashMap<String, String>, Failure> {
        Ok(self.look(|inside| {
            inside.asked += 1;
            let hash = |bytes: &Vec<u8>| inspect(bytes, &ImageLimits::default()).unwrap().sha1;
            let images = sink_ids.iter().filter_map(|id| Some((id.clone(), hash(inside.images.get(id)?))));
            images.collect()
        }))
    }

    async fn write_image(&mut self, sink_id: &str, image: Option<Base64>) -> Result<(), Failure> {
        self.look(|inside| {
            if let Some(failure) = inside.failures.pop_front() {
                return Err(failure);
            }
            inside.written += 1;
            match image {
                Some(image) => {
                    let bytes = BASE64_STANDARD.decode(image.text()).unwrap();
                    inside.images.insert(sink_id.to_owned(), bytes)
                }
                None => inside.images.remove(sink_id),
            };
            Ok(())
        })
    }
}
