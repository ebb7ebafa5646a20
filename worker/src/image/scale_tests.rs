use ::image::codecs::jpeg::JpegEncoder;
use ::image::{GenericImageView as _, ImageFormat, Rgba, RgbaImage};
use proptest::prelude::*;

use super::super::inspect::{ImageLimits, inspect};
use super::super::samples::encode;
use super::*;

const SMALL: Scaling = Scaling { side: 32, quality: 90 };

fn looked_at(bytes: &[u8]) -> Inspected {
    inspect(bytes, &ImageLimits::default()).unwrap()
}

fn fitted(bytes: &[u8], scaling: Scaling) -> (Inspected, DynamicImage) {
    let image = looked_at(bytes);
    assert!(scaling.applies_to(&image), "{image:?}");
    let fitted = scaling.fit(&image, bytes).unwrap();
    let after = looked_at(&fitted.bytes);
    assert_eq!(after.sha1, fitted.sha1);
    assert!(!scaling.applies_to(&after), "the sink would change it again: {after:?}");
    (after, ::image::load_from_memory(&fitted.bytes).unwrap())
}

/// Whether a pixel is this colour, as far as JPEG keeps colours.
fn is_like(picture: &DynamicImage, x: u32, y: u32, colour: [u8; 3]) {
    let Rgba(is) = picture.get_pixel(x, y);
    let near = is.iter().zip(colour).all(|(is, wanted)| is.abs_diff(wanted) <= 25);
    assert!(near, "at {x}, {y}: {is:?} instead of {colour:?}");
}

/// A JPEG of which the left half is red and the right half blue, held by the camera as `orientation` says.
fn held_as(orientation: u8, width: u32, height: u32) -> Vec<u8> {
    let colour = |x: u32, _| if x < width / 2 { Rgba([220, 20, 20, 255]) } else { Rgba([20, 20, 220, 255]) };
    let picture = DynamicImage::from(RgbaImage::from_fn(width, height, colour)).to_rgb8();
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 95)).unwrap();
    let mut exif = b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    bytes.splice(2..2, exif);
    bytes
}

#[test]
fn what_odoo_keeps_as_it_is_is_left_alone() {
    for (format, side, applies) in [
        (ImageFormat::Jpeg, 32, false),
        (ImageFormat::Jpeg, 33, true),
        (ImageFormat::Png, 32, false),
        (ImageFormat::Png, 33, true),
        (ImageFormat::Gif, 64, false),
        (ImageFormat::WebP, 64, false),
        (ImageFormat::Bmp, 8, true),
        (ImageFormat::Tiff, 8, true),
    ] {
        let image = looked_at(&encode(format, side, 8, 1));
        assert_eq!(SMALL.applies_to(&image), applies, "{format:?} of {side} pixels");
        let upright = looked_at(&encode(format, 8, side, 1));
        assert_eq!(SMALL.applies_to(&upright), applies, "{format:?} of {side} pixels, upright");
    }
}

#[test]
fn each_format_becomes_what_odoo_makes_of_it() {
    for (format, becomes) in [
        (ImageFormat::Jpeg, Format::Jpeg),
        (ImageFormat::Png, Format::Png),
        (ImageFormat::Bmp, Format::Png),
        (ImageFormat::Tiff, Format::Jpeg),
    ] {
        let (after, _) = fitted(&encode(format, 64, 40, 1), SMALL);
        assert_eq!((after.format, after.width, after.height), (becomes, 32, 20), "{format:?}");
    }
    let (small, _) = fitted(&encode(ImageFormat::Bmp, 7, 5, 1), SMALL);
    assert_eq!((small.width, small.height), (7, 5), "nothing is made larger");
}

#[test]
fn picture_is_turned_as_the_camera_was_held() {
    let red_first = |picture: &DynamicImage, from: (u32, u32), to: (u32, u32)| {
        is_like(picture, from.0, from.1, [220, 20, 20]);
        is_like(picture, to.0, to.1, [20, 20, 220]);
    };
    let (_, plain) = fitted(&held_as(1, 80, 40), SMALL);
    assert_eq!(plain.dimensions(), (32, 16));
    red_first(&plain, (4, 8), (27, 8));
    let (_, upside_down) = fitted(&held_as(3, 80, 40), SMALL);
    red_first(&upside_down, (27, 8), (4, 8));
    let (_, right) = fitted(&held_as(6, 80, 40), SMALL);
    assert_eq!(right.dimensions(), (16, 32));
    red_first(&right, (8, 4), (8, 27));
    let (_, left) = fitted(&held_as(8, 80, 40), SMALL);
    red_first(&left, (8, 27), (8, 4));
}

#[test]
fn inks_become_the_colours_that_they_print() {
    // Four blocks, as Pillow wrote them: a JPEG of four components, inverted, as Adobe's are.
    let (after, picture) = fitted(include_bytes!("fixtures/cmyk.jpg"), SMALL);
    assert_eq!(after.format, Format::Jpeg);
    for (block, colour) in (0..).zip([[200, 30, 30], [30, 160, 40], [40, 60, 190], [250, 250, 250]]) {
        is_like(&picture, 4 + 8 * block, 8, colour);
    }
}

#[test]
fn inks_that_nobody_says_to_be_inverted_are_left_to_the_sink() {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder.encode(&[0, 255, 255, 0].repeat(64 * 16), 64, 16, ColorType::Cmyk).unwrap();
    let (_, picture) = fitted(&bytes, SMALL);
    is_like(&picture, 9, 3, [255, 0, 0]);
    let adobe = bytes.windows(5).position(|five| five == b"Adobe").unwrap();
    bytes[adobe] = b'_';
    assert!(SMALL.fit(&looked_at(&bytes), &bytes).is_err(), "they would come out as a negative");
}

#[test]
fn memory_is_told_by_the_header() {
    let told = |bytes: &[u8]| SMALL.memory(&looked_at(bytes), bytes);
    let jpeg = |is_progressive: bool| {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        encoder.set_progressive(is_progressive);
        encoder.encode(&[90; 40 * 30 * 3], 40, 30, ColorType::Rgb).unwrap();
        bytes
    };
    assert_eq!([told(&jpeg(false)), told(&jpeg(true))], [4_800, 14_400]);
    let deep = DynamicImage::new_rgb16(40, 30);
    let mut png = Cursor::new(Vec::new());
    deep.write_to(&mut png, ImageFormat::Png).unwrap();
    assert_eq!(told(&png.into_inner()), 14_400);
    assert_eq!(told(&encode(ImageFormat::Png, 40, 30, 1)), 4_800);
}

#[test]
fn transparency_stays_and_bleeds_no_colour() {
    // Nothing is red that can be seen: the left half is transparent red, the right one opaque green.
    let colour = |x: u32, _| if x < 50 { Rgba([255, 0, 0, 0]) } else { Rgba([0, 200, 0, 255]) };
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(RgbaImage::from_fn(100, 20, colour)).write_to(&mut bytes, ImageFormat::Png).unwrap();
    let (after, picture) = fitted(&bytes.into_inner(), SMALL);
    assert_eq!(after.format, Format::Png);
    assert_eq!(picture.get_pixel(2, 3)[3], 0);
    for x in 0..32 {
        let Rgba([r, g, _, alpha]) = picture.get_pixel(x, 3);
        assert!(alpha == 0 || (r == 0 && g >= 190), "at {x}: {:?}", picture.get_pixel(x, 3));
    }
}

#[test]
fn colour_profile_of_the_pixels_is_kept_and_that_of_inks_is_not() {
    let picture = DynamicImage::new_rgb8(64, 8);
    for (space, is_kept) in [(b"RGB ", true), (b"CMYK", false)] {
        let mut profile = vec![7; 200];
        profile[16..20].copy_from_slice(space);
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        encoder.set_icc_profile(profile.clone()).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        let smaller = SMALL.fit(&looked_at(&bytes), &bytes).unwrap().bytes;
        let mut decoder = ImageReader::new(Cursor::new(smaller.as_slice()))
            .with_guessed_format()
            .unwrap()
            .into_decoder()
            .unwrap();
        assert_eq!(decoder.icc_profile().unwrap(), is_kept.then_some(profile));
    }
}

#[test]
fn same_bytes_give_the_same_bytes() {
    let bytes = encode(ImageFormat::Png, 200, 90, 5);
    let image = looked_at(&bytes);
    assert_eq!(SMALL.fit(&image, &bytes).unwrap(), SMALL.fit(&image, &bytes).unwrap());
}

#[test]
fn what_cannot_be_decoded_is_an_error() {
    let bytes = encode(ImageFormat::Png, 64, 64, 1);
    let image = looked_at(&bytes);
    assert!(SMALL.fit(&image, &bytes[..bytes.len() / 2]).is_err());
    let vast = Inspected { width: 8_000, height: 8_001, ..image.clone() };
    assert!(SMALL.fit(&vast, &bytes).unwrap_err().to_string().contains("memory"));
    let lied = Inspected { width: 1, height: 1, ..image };
    assert!(SMALL.fit(&lied, &super::super::samples::png_header(40_000, 40_000)).is_err(), "no 6 GB");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_size_ends_within_the_bound_and_keeps_its_shape(width in 1_u32..200, height in 1_u32..200) {
        let bytes = encode(ImageFormat::Png, width, height, 3);
        let image = looked_at(&bytes);
        if SMALL.applies_to(&image) {
            let after = looked_at(&SMALL.fit(&image, &bytes).unwrap().bytes);
            prop_assert_eq!(after.width.max(after.height), 32);
            let (short, long) = (width.min(height), width.max(height));
            prop_assert!(after.width.min(after.height).abs_diff((short * 32).div_ceil(long)) <= 1);
        }
    }
}
