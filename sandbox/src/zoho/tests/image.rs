use std::time::{Duration, Instant};

use super::client::{Answer, Client};
use crate::zoho::change::ZohoChange;
use crate::zoho::picture::ZohoImage;

/// A stand-in whose item 1 has an image of this kind, and the target of that image.
async fn showing(kind: ZohoImage) -> (Client, String) {
    let client = Client::with_items(30).await;
    let item = client.control.item_id(1);
    client.control.apply(ZohoChange::ServeImage { item: item.clone(), kind }).unwrap();
    (client, format!("items/{item}/image"))
}

fn size(bytes: &[u8]) -> (u32, u32) {
    let image = image::load_from_memory(bytes).unwrap();
    (image.width(), image.height())
}

#[tokio::test]
async fn image_and_document_routes_give_the_same_bytes_by_other_names() {
    let client = Client::with_items(30).await;
    let item = client.control.item_id(1);
    let image = client.get(&format!("items/{item}/image?preview=true")).await;
    assert_eq!((image.status, image.header("content-type"), image.body.len()), (200, "image/jpeg", 60_000));
    let row = client.get(&format!("items/{item}")).await.json()["item"].clone();
    let target = format!("documents/{}", row["image_document_id"].as_str().unwrap());
    let document = client.get(&target).await;
    assert_eq!(document.header("content-type"), "application/octet-stream");
    assert_eq!(
        (document.body.as_slice(), client.books(&target).await.body.as_slice()),
        (&*image.body, &*image.body)
    );
    assert_eq!(size(&image.body), (320, 320));
    assert_eq!(client.books(&format!("items/{item}/image")).await.body, image.body);
    let other = client.get(&format!("items/{}/image", client.control.item_id(2))).await;
    assert_ne!(other.body, image.body);
    let counts = client.control.counts();
    assert_eq!((counts.image, counts.image_bytes, counts.images_served.len()), (5, 300_000, 2));
    assert_eq!(counts.images_served[row["image_document_id"].as_str().unwrap()], 4);
}

#[tokio::test]
async fn every_document_of_a_detail_is_served_the_pdf_too() {
    let client = Client::with_items(30).await;
    let detail = client.get(&format!("items/{}", client.control.item_id(3))).await.json();
    for document in detail["item"]["documents"].as_array().unwrap() {
        let answer = client.get(&format!("documents/{}", document["document_id"].as_str().unwrap())).await;
        assert_eq!(answer.body.len().to_string(), document["file_size"].as_str().unwrap());
        let is_pdf = answer.body.starts_with(b"%PDF");
        assert_eq!(is_pdf, document["file_type"] == "pdf");
        assert!(is_pdf || size(&answer.body) == (320, 320));
    }
}

#[tokio::test]
async fn items_without_image_and_missing_images_get_404_as_json() {
    let (client, target) = showing(ZohoImage::Missing).await;
    let without = client.get(&format!("items/{}/image", client.control.item_id(4))).await;
    let missing = client.get(&target).await;
    for answer in [without, missing] {
        assert_eq!(answer.verdict(), (404, 1002));
        assert!(answer.header("content-type").starts_with("application/json"));
    }
    assert!(client.control.counts().images_served.is_empty());
}

#[tokio::test]
async fn formats_decode_as_what_they_are_called() {
    for (kind, name) in [
        (ZohoImage::Png, "image/png"),
        (ZohoImage::Webp, "image/webp"),
        (ZohoImage::Gif, "image/gif"),
        (ZohoImage::Bmp, "image/bmp"),
    ] {
        let (client, target) = showing(kind).await;
        let answer = client.get(&target).await;
        assert_eq!(answer.header("content-type"), name);
        assert_eq!(image::guess_format(&answer.body).unwrap().to_mime_type(), name);
        assert_eq!(size(&answer.body), (160, 160));
    }
}

#[tokio::test]
async fn json_html_and_nothing_come_with_200_in_place_of_an_image() {
    for (kind, content_type, start) in [
        (ZohoImage::Json, "application/json;charset=UTF-8", &b"{\"code\":1002"[..]),
        (ZohoImage::Html, "text/html", b"<html>"),
        (ZohoImage::Empty, "image/jpeg", b""),
    ] {
        let (client, target) = showing(kind).await;
        let answer = client.get(&target).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type));
        assert!(answer.body.starts_with(start) && image::guess_format(&answer.body).is_err());
    }
}

#[tokio::test]
async fn a_truncated_image_arrives_whole_but_a_cut_one_does_not() {
    let (client, target) = showing(ZohoImage::Truncated).await;
    let answer = client.get(&target).await;
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert!(image::guess_format(&answer.body).is_ok() && !answer.body.ends_with(&[0xff, 0xd9]));
    let (client, target) = showing(ZohoImage::Cut).await;
    assert!(client.try_get(&target).await.is_err());
}

#[tokio::test]
async fn wrong_type_large_and_huge_images_are_good_files() {
    let (client, target) = showing(ZohoImage::WrongType).await;
    let answer = client.get(&target).await;
    assert_eq!((answer.header("content-type"), size(&answer.body)), ("text/plain", (320, 320)));
    let (client, target) = showing(ZohoImage::Large).await;
    let answer = client.get(&target).await;
    assert_eq!((answer.body.len(), size(&answer.body)), (7 * 1024 * 1024, (320, 320)));
    let (client, target) = showing(ZohoImage::Huge).await;
    let answer = client.get(&target).await;
    let reader = image::ImageReader::new(std::io::Cursor::new(&answer.body)).with_guessed_format().unwrap();
    assert_eq!(reader.into_dimensions().unwrap(), (8000, 8000));
    assert!(answer.body.len() < 500_000);
}

#[tokio::test]
async fn a_redirect_leads_to_another_host_which_notices_a_leaked_token() {
    let (client, target) = showing(ZohoImage::Redirect).await;
    let answer = client.get(&target).await;
    assert_eq!((answer.status, size(&answer.body)), (200, (320, 320)));
    assert_eq!(client.control.counts().leaked_tokens, 0, "reqwest drops the header at another host");
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.request(&client.sandbox.inventory_url(), &target).build().unwrap();
    let moved = Answer::read(plain.execute(request).await.unwrap()).await.unwrap();
    assert_eq!(moved.status, 302);
    assert!(moved.header("location").starts_with("http://localhost:"));
    plain.get(moved.header("location")).header("authorization", "x").send().await.unwrap();
    assert_eq!(client.control.counts().leaked_tokens, 1);
}

#[tokio::test]
async fn a_slow_image_takes_its_time_and_a_vanishing_one_is_gone_after_a_while() {
    let (client, target) = showing(ZohoImage::Slow { millis: 80 }).await;
    let start = Instant::now();
    assert_eq!(size(&client.get(&target).await.body), (320, 320));
    assert!(start.elapsed() >= Duration::from_millis(80));
    let (client, target) = showing(ZohoImage::Vanishing { times: 2, status: 410 }).await;
    for status in [200, 200, 410, 410] {
        assert_eq!(client.get(&target).await.status, status);
    }
}

#[tokio::test]
async fn an_image_served_otherwise_changes_nothing_that_a_list_shows() {
    let client = Client::with_items(30).await;
    let before = client.control.items();
    let item = client.control.item_id(1);
    for kind in [ZohoImage::Webp, ZohoImage::Missing, ZohoImage::Large] {
        client.control.apply(ZohoChange::ServeImage { item: item.clone(), kind }).unwrap();
        assert_eq!(client.control.items(), before);
    }
    let imageless = client.control.item_id(4);
    client.control.apply(ZohoChange::ServeImage { item: imageless, kind: ZohoImage::Gif }).unwrap_err();
}
