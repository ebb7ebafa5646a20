//! Whole images pass, everything else is told what it is.

use ::image::ImageFormat;
use proptest::prelude::*;

use super::super::samples::{encode, jpeg, png_header};
use super::*;

const FORMATS: [(ImageFormat, Format); 6] = [
    (ImageFormat::Jpeg, Format::Jpeg),
    (ImageFormat::Png, Format::Png),
    (ImageFormat::Gif, Format::Gif),
    (ImageFormat::WebP, Format::Webp),
    (ImageFormat::Bmp, Format::Bmp),
    (ImageFormat::Tiff, Format::Tiff),
];

fn look(bytes: &[u8]) -> Result<Inspected, Flaw> {
    inspect(bytes, &ImageLimits::default())
}

fn size(bytes: &[u8]) -> (u32, u32) {
    let inspected = look(bytes).unwrap();
    (inspected.width, inspected.height)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

#[test]
fn whole_images_pass_with_their_size_and_hashes() {
    for (encoded, format) in FORMATS {
        for (width, height) in [(1, 1), (63, 41), (640, 3)] {
            let bytes = encode(encoded, width, height, 7);
            let inspected = look(&bytes).unwrap();
            assert_eq!(inspected.format, format);
            assert_eq!((inspected.width, inspected.height), (width, height), "{format}");
        }
    }
}

#[test]
fn hashes_are_those_that_everybody_computes() {
    let bytes = hex(
        "47494638 39610100 01008000 00000000 ffffff21 f9040100 0000002c 00000000 01000100 00020244 01003b",
    );
    let inspected = look(&bytes).unwrap();
    assert_eq!(inspected.sha1, "939f40be7f1aaf623f62886de4aaba3886df9b65");
    assert_eq!(
        inspected.sha256.to_string(),
        "693d949d8c3fdc7fd4ace7c340b5f177a9f0c5be7bafee8bc93a7d88b7523d75"
    );
}

#[test]
fn every_cut_of_an_image_is_refused() {
    for (encoded, format) in &FORMATS[..5] {
        let whole = encode(*encoded, 31, 17, 3);
        for cut in 0..whole.len() {
            let flaw = look(&whole[..cut]).unwrap_err();
            // Without its first bytes nothing says what it was.
            let named = matches!(flaw, Flaw::Cut { bytes } if bytes == cut);
            assert!(named || cut < 12, "{format} cut at {cut} of {}: {flaw:?}", whole.len());
        }
    }
}

#[test]
fn what_follows_the_end_is_nobodys_business() {
    for (encoded, format) in FORMATS {
        let mut bytes = encode(encoded, 20, 20, 3);
        bytes.extend(b"appended by a camera");
        assert_eq!(size(&bytes), (20, 20), "{format}");
    }
}

#[test]
fn lossy_and_animated_webp_tell_their_size() {
    let lossy =
        hex("52494646 1e000000 57454250 56503820 11000000 300100 9d012a 4001 f0c0 0000000000000000 0000");
    assert_eq!(size(&lossy), (320, 240));
    let animated = hex(
        "52494646 23000000 57454250 56503858 0a000000 02000000 3f0100 ef0000 414e4d46 02000000 0000 414e4d",
    );
    assert_eq!(
        look(&animated),
        Err(Flaw::Damaged { format: Format::Webp, what: "a part of it is longer than the whole" })
    );
    let animated =
        hex("52494646 20000000 57454250 56503858 0a000000 02000000 3f0100 ef0000 414e4d46 02000000 0000");
    assert_eq!(size(&animated), (320, 240));
    let still = hex("52494646 16000000 57454250 56503858 0a000000 02000000 3f0100 ef0000");
    assert_eq!(look(&still), Err(Flaw::Damaged { format: Format::Webp, what: "it has no pixels" }));
}

#[test]
fn jpeg_may_fill_restart_and_say_its_height_late() {
    // Two fill bytes before a marker, a scan with a stuffed zero and a restart mark, and a height after the scan.
    let bytes = hex(
        "ffd8 ffffff c0000b 08 0000 0028 01 01 11 00 ffda0008 01 01 00 00 3f 00 aaff00bbffd0cc ffdc0004 001e ffd9",
    );
    assert_eq!(size(&bytes), (40, 30));
}

#[test]
fn jpeg_without_pixels_or_size_is_damaged() {
    let told = |text: &str| look(&hex(text)).unwrap_err().to_string();
    assert_eq!(told("ffd8 ffe00002 ffd9"), "the JPEG image is damaged: it does not say how large it is");
    assert_eq!(told("ffd8 ffe00001 ffd9"), "the JPEG image is damaged: a segment has no length");
    assert_eq!(told("ffd8 ffc00002 ffd9"), "the JPEG image is damaged: a segment is too short");
    assert_eq!(
        told("ffd8 ffc0000b 08 001e 0028 01 01 11 00 ffd9"),
        "the JPEG image is damaged: it has no pixels"
    );
}

#[test]
fn end_of_a_thumbnail_inside_a_segment_is_not_the_end() {
    let whole = jpeg(1);
    let mut with_thumbnail = whole[..2].to_vec();
    with_thumbnail.extend(hex("ffe1000a ffd8ffd9 ffd8ffd9"));
    with_thumbnail.extend(&whole[2..]);
    assert!(look(&with_thumbnail).is_ok());
    assert!(matches!(look(&with_thumbnail[..60]), Err(Flaw::Cut { bytes: 60 })));
}

#[test]
fn png_with_a_changed_byte_is_damaged() {
    let whole = encode(ImageFormat::Png, 30, 30, 5);
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    assert_eq!(
        look(&changed).unwrap_err().to_string(),
        "the PNG image is damaged: a part of it has changed on its way"
    );
}

#[test]
fn bitmaps_with_a_wrong_file_size_pass_and_cut_ones_do_not() {
    let mut bytes = encode(ImageFormat::Bmp, 30, 30, 5);
    bytes[2..6].fill(0);
    assert_eq!(size(&bytes), (30, 30));
    let height = bytes[22..26].to_vec();
    bytes[22..26].copy_from_slice(&(-30_i32).to_le_bytes());
    assert_eq!(size(&bytes), (30, 30));
    bytes[22..26].copy_from_slice(&height);
    bytes[18..22].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(matches!(look(&bytes), Err(Flaw::Cut { .. })));
}

#[test]
fn more_pixels_than_allowed_are_refused_by_the_header() {
    assert_eq!(
        look(&png_header(8000, 8000)).unwrap_err().to_string(),
        "8000 x 8000 pixels are more than Odoo takes (50 million)"
    );
    assert!(look(&png_header(5000, 10_000)).is_ok());
    assert!(matches!(look(&png_header(u32::MAX, u32::MAX)), Err(Flaw::TooManyPixels { .. })));
    assert_eq!(
        look(&png_header(0, 10)).unwrap_err().to_string(),
        "the PNG image is damaged: its width or height is zero"
    );
}

/// A small picture whose header says 60,000 x 60,000 pixels (of WebP, which cannot say more, 16,384 x 16,384).
fn bomb(format: ImageFormat) -> Vec<u8> {
    const SIDE: u16 = 60_000;
    let mut bytes = encode(format, 300, 200, 1);
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let little = u32::from(SIDE).to_le_bytes();
    match format {
        ImageFormat::Png => return png_header(SIDE.into(), SIDE.into()),
        ImageFormat::Jpeg => {
            let frame = find(&bytes, &[0xff, 0xc0]).unwrap();
            bytes[frame + 5..frame + 9].copy_from_slice(&[SIDE.to_be_bytes(), SIDE.to_be_bytes()].concat());
        }
        ImageFormat::Gif => {
            let frame = find(&bytes, &[0x2c, 0, 0, 0, 0, 44, 1, 200, 0]).unwrap();
            for at in [6, frame + 5] {
                bytes[at..at + 4].copy_from_slice(&[SIDE.to_le_bytes(), SIDE.to_le_bytes()].concat());
            }
        }
        ImageFormat::WebP => {
            let at = find(&bytes, b"VP8L").unwrap() + 9;
            bytes[at..at + 3].fill(0xff);
            bytes[at + 3] |= 0x0f;
        }
        ImageFormat::Bmp => {
            bytes[18..22].copy_from_slice(&little);
            bytes[22..26].copy_from_slice(&little);
        }
        _ => {
            for tag in [0, 1] {
                let at = find(&bytes, &[tag, 1, 4, 0, 1, 0, 0, 0]).unwrap() + 8;
                bytes[at..at + 4].copy_from_slice(&little);
            }
        }
    }
    bytes
}

#[test]
fn bombs_of_every_format_are_refused_unpacked() {
    for (format, _) in FORMATS {
        let flaw = look(&bomb(format)).unwrap_err();
        // What is not packed cannot be larger than its file, and is cut off.
        let is_packed = !matches!(format, ImageFormat::Bmp | ImageFormat::Tiff);
        assert!(matches!(flaw, Flaw::TooManyPixels { .. }) || !is_packed, "{format:?}: {flaw}");
    }
}

#[test]
fn more_bytes_than_allowed_are_refused() {
    let bytes = jpeg(1);
    let limits = ImageLimits { bytes: bytes.len() - 1, ..ImageLimits::default() };
    assert_eq!(inspect(&bytes, &limits), Err(Flaw::TooManyBytes { limit: bytes.len() - 1 }));
}

fn beginning() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"\x89PNG\r\n\x1a\n".to_vec()),
        Just(b"\xff\xd8\xff".to_vec()),
        Just(b"GIF89a".to_vec()),
        Just(b"RIFF\x40\0\0\0WEBP".to_vec()),
        Just(b"BM\0\0\0\0\0\0\0\0".to_vec()),
        Just(b"II*\0\x08\0\0\0".to_vec()),
        Just(b"MM\0*\0\0\0\x08".to_vec()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_inspected_or_refused(
        beginning in beginning(),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        drop(look(&[beginning, rest].concat()));
    }

    #[test]
    fn changed_images_are_inspected_or_refused(
        which in 0..FORMATS.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(FORMATS[which].0, 19, 23, 11);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        drop(look(&bytes));
        bytes.truncate(end.index(bytes.len()));
        drop(look(&bytes));
    }

    #[test]
    fn cuts_of_images_of_any_size_are_refused(
        which in 0..5_usize,
        width in 1..60_u32,
        height in 1..60_u32,
        end in any::<prop::sample::Index>(),
    ) {
        let bytes = encode(FORMATS[which].0, width, height, width * height);
        prop_assert!(look(&bytes).is_ok());
        let end = end.index(bytes.len());
        prop_assert!(look(&bytes[..end]).is_err(), "{} cut at {end} of {}", FORMATS[which].1, bytes.len());
    }
}
