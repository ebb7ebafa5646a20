//! What bytes are an image, and what an answer without one means.

use proptest::prelude::*;

use super::image::read_image;
use super::{Answer, Api, Expected, Image, ImageFormat, ImageRoute, Refusal, Request};
use crate::failure::{Class, Reason};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";

fn read(status: u16, content_type: &str, body: &[u8]) -> Result<Image, Refusal> {
    let request = Request::item_image(Api::Inventory, "1");
    let expected = Expected { host: "www.zohoapis.eu", organization: "2006", request: &request };
    let answer = Answer {
        status,
        content_type: Some(content_type.to_owned()),
        body: body.to_vec(),
        ..Answer::default()
    };
    read_image(&expected, answer, ImageRoute::Inventory)
}

#[test]
fn first_bytes_say_what_it_is() {
    for (bytes, format) in [
        (JPEG, Some(ImageFormat::Jpeg)),
        (b"\x89PNG\r\n\x1a\n\0", Some(ImageFormat::Png)),
        (b"GIF89a..", Some(ImageFormat::Gif)),
        (b"RIFF\x10\0\0\0WEBPVP8 ", Some(ImageFormat::Webp)),
        (b"BM\x46\0\0\0\0\0\0\0\x36", Some(ImageFormat::Bmp)),
        (b"BMW is a car maker", None),
        (b"RIFF\x10\0\0\0WAVE", None),
        (b"%PDF-1.7", None),
        (b"\xff\xd8", None),
        (b"", None),
    ] {
        assert_eq!(ImageFormat::sniff(bytes), format, "{bytes:?}");
    }
}

#[test]
fn image_under_a_generic_content_type_is_one() {
    for content_type in ["image/png", "application/octet-stream", ""] {
        let image = read(200, content_type, JPEG).unwrap();
        assert_eq!((image.format, image.bytes.len()), (ImageFormat::Jpeg, JPEG.len()));
        assert!(!format!("{image:?}").contains("JFIF"));
    }
}

#[test]
fn answer_without_an_image_has_the_class_of_its_evidence() {
    let gone = (Class::Permanent, Reason::Missing);
    let bad = (Class::Permanent, Reason::BadRecord);
    let cases: [(u16, &str, &[u8], _); 11] = [
        (404, "application/json", br#"{"code":1002,"message":"none"}"#, gone),
        (404, "text/html", b"<html>", gone),
        (200, "application/json", br#"{"code":0,"message":"success"}"#, gone),
        (200, "image/jpeg", b"{}", gone),
        (200, "image/jpeg", b"", gone),
        (200, "application/json", br#"{"code":57,"message":"no"}"#, (Class::Systemic, Reason::Rights)),
        (200, "image/jpeg", br#"{"code":44,"message":"x"}"#, (Class::Throttled, Reason::Throttled)),
        (200, "text/html;charset=UTF-8", b"<html>maintenance", bad),
        (200, "text/html", JPEG, bad),
        (200, "application/pdf", b"%PDF-1.7", bad),
        (502, "text/html", b"<html>", (Class::Transient, Reason::ServerError)),
    ];
    for (status, content_type, body, expected) in cases {
        let failure = read(status, content_type, body).unwrap_err().failure;
        assert_eq!((failure.class, failure.reason), expected, "{status} {content_type}");
    }
}

proptest! {
    #[test]
    fn reading_an_image_never_panics(status in 0u16..700, content_type in ".{0,20}", body in any::<Vec<u8>>()) {
        drop(read(status, &content_type, &body));
    }
}
