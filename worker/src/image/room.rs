//! Room for the pixels of pictures, kept for the next one. The system's allocator gives tens of megabytes back each time, and
//! getting them anew page by page was a third of what a JPEG costs.

use std::sync::{Mutex, PoisonError};

use image::{
    ColorType, DynamicImage, GrayAlphaImage, GrayImage, ImageDecoder, ImageError, RgbImage, RgbaImage,
};

/// What is kept, in bytes: two photographs of six megapixels, decoded and made smaller, as two cores have them in hand.
const KEPT: usize = 54_000_000;

/// Less is had from the allocator as fast.
const WORTH: usize = 1_000_000;

static ROOMS: Rooms = Rooms(Mutex::new(Vec::new()));

#[derive(Debug)]
struct Rooms(Mutex<Vec<Vec<u8>>>);

impl Rooms {
    /// So many zeros: nothing of an earlier picture shows through one that its decoder leaves unfinished.
    fn take(&self, bytes: usize) -> Vec<u8> {
        // The allocator has zeros at hand, and pages of what it gives anew are zeros already.
        let Some(mut room) = self.fitting(bytes) else { return vec![0; bytes] };
        room.clear();
        room.resize(bytes, 0);
        room
    }

    /// The smallest one that suffices. Where none does, one goes, so that what comes back has its place.
    fn fitting(&self, bytes: usize) -> Option<Vec<u8>> {
        if bytes < WORTH {
            return None;
        }
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = rooms
            .iter()
            .map(Vec::capacity)
            .enumerate()
            .filter(|&(_, capacity)| capacity >= bytes)
            .min_by_key(|&(_, capacity)| capacity)
            .map(|(place, _)| place);
        if fitting.is_none() {
            rooms.pop();
        }
        fitting.map(|place| rooms.swap_remove(place))
    }

    fn keep(&self, room: Vec<u8>) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = rooms.iter().map(Vec::capacity).sum();
        if room.capacity() >= WORTH && kept + room.capacity() <= KEPT {
            rooms.push(room);
        }
    }
}

/// The picture in room that was used before, where its pixels are of a kind that most have.
///
/// # Errors
/// What the decoder cannot read.
pub(super) fn decoded(decoder: impl ImageDecoder) -> Result<DynamicImage, ImageError> {
    let ((width, height), colours) = (decoder.dimensions(), decoder.color_type());
    if !is_usual(colours) {
        return DynamicImage::from_decoder(decoder);
    }
    let mut pixels = ROOMS.take(usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX));
    decoder.read_image(&mut pixels)?;
    Ok(picture(width, height, colours, pixels))
}

/// A black picture.
pub(super) fn black(width: u32, height: u32, colours: ColorType) -> DynamicImage {
    if !is_usual(colours) {
        return DynamicImage::new(width, height, colours);
    }
    let bytes = u64::from(width) * u64::from(height) * u64::from(colours.bytes_per_pixel());
    picture(width, height, colours, ROOMS.take(usize::try_from(bytes).unwrap_or(usize::MAX)))
}

/// The picture is not needed any more.
pub(super) fn keep(picture: DynamicImage) {
    if is_usual(picture.color()) {
        ROOMS.keep(picture.into_bytes());
    }
}

fn is_usual(colours: ColorType) -> bool {
    matches!(colours, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8)
}

fn picture(width: u32, height: u32, colours: ColorType, pixels: Vec<u8>) -> DynamicImage {
    let whole = match colours {
        ColorType::L8 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        ColorType::La8 => GrayAlphaImage::from_raw(width, height, pixels).map(DynamicImage::from),
        ColorType::Rgb8 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    whole.unwrap_or_else(|| DynamicImage::new(width, height, colours))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: usize = 18_000_000;

    #[test]
    fn room_is_used_again_and_shows_nothing_of_what_was_there() {
        let rooms = Rooms(Mutex::default());
        let mut first = rooms.take(PICTURE);
        first.fill(7);
        let place = first.as_ptr();
        rooms.keep(first);
        let second = rooms.take(PICTURE - 1_000);
        assert_eq!(second.as_ptr(), place);
        assert_eq!(second.len(), PICTURE - 1_000);
        assert!(second.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn no_more_is_kept_than_the_bound_and_what_no_longer_fits_goes() {
        let rooms = Rooms(Mutex::default());
        for _ in 0..5 {
            rooms.keep(vec![1; PICTURE]);
        }
        rooms.keep(vec![1; 1_000]);
        assert_eq!(rooms.0.lock().unwrap().len(), 3);
        // Larger pictures come from now on: after as many as are kept, theirs are.
        for _ in 0..4 {
            let larger = rooms.take(PICTURE + 1_000_000);
            rooms.keep(larger);
        }
        let kept: Vec<usize> = rooms.0.lock().unwrap().iter().map(Vec::capacity).collect();
        assert!(kept.contains(&(PICTURE + 1_000_000)), "{kept:?}");
        assert!(kept.iter().sum::<usize>() <= KEPT, "{kept:?}");
    }

    #[test]
    fn each_kind_of_pixels_comes_out_as_it_went_in() {
        for colours in [ColorType::L8, ColorType::La8, ColorType::Rgb8, ColorType::Rgba8, ColorType::Rgb16] {
            let picture = black(900, 700, colours);
            assert_eq!((picture.width(), picture.height(), picture.color()), (900, 700, colours));
            keep(picture);
        }
    }
}
