//! Pictures in the place of those the recordings cut off: the same kinds, as large only as the rules need.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::{Value, json};

/// Replaces every picture that was cut off.
pub(crate) fn restore(name: &str, body: &mut Value) {
    match body {
        Value::String(text) if text.starts_with("<<base64 truncated") || text.len() > 15_000 => {
            *body = json!(encoded(name));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| restore(name, item)),
        Value::Object(fields) => fields.values_mut().for_each(|field| restore(name, field)),
        _ => {}
    }
}

fn encoded(name: &str) -> String {
    let kind = name.rsplit_once("-img-").map_or(name, |(_, kind)| kind);
    let kind = ["create-", "load-", "b64-load-", "b64-"]
        .iter()
        .find_map(|prefix| kind.strip_prefix(prefix))
        .unwrap_or(kind);
    let kind = kind.strip_prefix("load-").unwrap_or(kind);
    let text = STANDARD.encode(bytes(kind));
    match kind {
        "newlines" => text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line) + "\n").collect(),
        "data-url" => format!("data:image/jpeg;base64,{text}"),
        "urlsafe" => text.replace('+', "-").replace('/', "_"),
        "no-padding" => text.trim_end_matches('=').to_owned(),
        _ => text,
    }
}

/// A picture of a kind. Sides over the limit of 1920 pixels are only just over it; the largest is a header alone,
/// since its size is refused before it is decoded.
fn bytes(kind: &str) -> Vec<u8> {
    match kind {
        "png" | "png-rgba" => picture(400, 300, ImageFormat::Png),
        "webp" => picture(40, 30, ImageFormat::WebP),
        "webp-2500x1000" => picture(1930, 10, ImageFormat::WebP),
        "gif" | "gif-animated" => picture(40, 30, ImageFormat::Gif),
        "gif-2500x1000" => picture(1930, 10, ImageFormat::Gif),
        "bmp" => picture(40, 30, ImageFormat::Bmp),
        "tiff" => picture(40, 30, ImageFormat::Tiff),
        "ico" => b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0".to_vec(),
        "png-2500x1000" | "png-7000x7000" => picture(1930, 10, ImageFormat::Png),
        "png-8000x8000" => png_header(8000, 8000),
        "jpeg-3000x2000" => picture(1930, 20, ImageFormat::Jpeg),
        "jpeg-1920x1920" => picture(1920, 20, ImageFormat::Jpeg),
        "truncated-jpeg" => {
            let whole = picture(400, 300, ImageFormat::Jpeg);
            whole[..whole.len() / 2].to_vec()
        }
        // Characters of the other alphabet are skipped by the decoder: as many are taken as leave whole groups.
        "urlsafe" => {
            let mut other = picture(64, 64, ImageFormat::Jpeg);
            other.resize(other.len().next_multiple_of(3), 0);
            let skipped = STANDARD.encode(&other).matches(['+', '/']).count();
            // Each of these groups is written `AAA/`.
            for _ in skipped..skipped.next_multiple_of(4) {
                other.extend([0, 0, 63]);
            }
            other
        }
        "no-padding" => {
            let mut padded = picture(64, 64, ImageFormat::Jpeg);
            while padded.len().is_multiple_of(3) {
                padded.push(0);
            }
            padded
        }
        _ => picture(400, 300, ImageFormat::Jpeg),
    }
}

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let shade = |x: u32, y: u32| u8::try_from((x * 7 + y * 13) % 256).unwrap();
    let pixels = RgbImage::from_fn(width, height, |x, y| image::Rgb([shade(x, y), shade(y, x), 90]));
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(pixels).write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A PNG that claims a size and holds one row of nothing.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [header, b"IDAT".to_vec()] {
        png.extend(u32::try_from(chunk.len() - 4).unwrap().to_be_bytes());
        png.extend(&chunk);
        let mut sum = flate2::Crc::new();
        sum.update(&chunk);
        png.extend(sum.sum().to_be_bytes());
    }
    png
}
