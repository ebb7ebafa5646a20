//! An image of Zoho that is none, or not whole, gets one clear sentence, and its product stands.

use sandbox::{ZohoEndpoint, ZohoFault, ZohoFaultRule, ZohoImage};

use crate::shop::Shop;

/// The product stands, its image is told as failed, the others have theirs.
async fn one_bad_image(kind: ZohoImage, says: &[&str]) {
    let shop = Shop::new(3).await;
    let item = shop.id(1);
    shop.upload(1, kind);
    let ran = shop.place.run(&["sync"]).await;
    ran.expect(1, &["Items images: 2 in step, 1 failed"]);
    shop.assert_in_step();
    for number in [0, 2] {
        assert!(shop.picture(&shop.id(number)).is_some());
    }
    assert_eq!(shop.picture(&item), None, "{kind:?}");
    let told = shop.place.run(&["status"]).await;
    told.expect(0, &[&item]);
    told.expect(0, says);
    // It is not asked for again and again; a better one arrives.
    shop.reset_counts();
    shop.place.run(&["sync"]).await;
    assert_eq!(shop.zoho.control().counts().image, 0, "{kind:?}");
    shop.upload(1, ZohoImage::Jpeg);
    shop.place.sync().await;
    assert_eq!(shop.picture(&item).as_ref(), shop.served().await.get(&item));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_gone_is_told_and_its_product_stands() {
    one_bad_image(ZohoImage::Missing, &["has no image"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_64_million_pixels_is_told_and_its_product_stands() {
    one_bad_image(
        ZohoImage::Huge,
        &["8000 x 8000 pixels are more than Odoo takes", "make the picture smaller"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_ends_in_its_middle_is_told_and_its_product_stands() {
    one_bad_image(ZohoImage::Truncated, &["cut off", "upload it again"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_byte_is_told_and_its_product_stands() {
    one_bad_image(ZohoImage::Empty, &["image"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_in_place_of_an_image_is_told_and_its_product_stands() {
    one_bad_image(ZohoImage::Json, &["image"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_place_of_an_image_is_told_and_its_product_stands() {
    one_bad_image(ZohoImage::Html, &["sent a web page instead of an image", "upload the picture again"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_gateway_in_place_of_an_image_waits_and_its_product_stands() {
    let shop = Shop::new(1).await;
    let down = ZohoFaultRule::once(ZohoFault::BadGateway).endpoint(ZohoEndpoint::Image);
    shop.zoho.control().fault(down.times(1_000));
    let ran = shop.place.run(&["sync"]).await;
    ran.expect(0, &["0 in step, 0 failed", "waiting"]);
    shop.place.run(&["status"]).await.expect(0, &["0 in step", "waiting, 0 failed"]);
    shop.assert_in_step();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_whose_type_is_a_lie_is_taken_for_what_it_is() {
    let shop = Shop::new(2).await;
    shop.upload(1, ZohoImage::WrongType);
    shop.place.sync().await;
    let item = shop.id(1);
    assert_eq!(shop.picture(&item).as_ref(), shop.served().await.get(&item));
}
