//! Images that reach the sink, once each.

use super::*;

#[tokio::test]
async fn images_reach_the_sink_as_they_are_in_the_source() {
    let bench = Bench::new().await;
    for key in 1..=40 {
        bench.record(key, &format!("image{key}")).await;
        bench.serves_bytes(&format!("image{key}"), &jpeg(u32::try_from(key).unwrap())).await;
    }
    bench.work().await.unwrap();
    assert_eq!(bench.counts().await, [40, 0, 0]);
    bench.shelf.look(|shelf| {
        assert_eq!((shelf.images.len(), shelf.written), (40, 40));
        assert_eq!(shelf.images["s7"], jpeg(7));
    });
    assert!(bench.listed().await.is_empty());
    let cached = std::fs::read_dir(bench.folder.path()).unwrap();
    assert_eq!(cached.count(), 0, "what was written is kept nowhere else");
}

#[tokio::test]
async fn too_large_a_picture_is_made_smaller_once_and_found_again_by_its_hash() {
    let mut bench = Bench::new().await;
    bench.settings.scaling.side = 32;
    bench.serves_bytes("large", &encode(ImageFormat::Jpeg, 64, 48, 1)).await;
    bench.record(1, "large").await;
    bench.work().await.unwrap();
    let stored = bench.shelf.look(|shelf| shelf.images["s1"].clone());
    let seen = inspect(&stored, &ImageLimits::default()).unwrap();
    assert_eq!((seen.width, seen.height), (32, 24));
    // Another reference to the same picture: the state knows the bytes of the source.
    bench.serves_bytes("again", &encode(ImageFormat::Jpeg, 64, 48, 1)).await;
    bench.record(1, "again").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (1, 1)));
    // A state that was wiped: the sink's own hash tells.
    let wiped = Bench { shelf: bench.shelf.clone(), settings: bench.settings, ..Bench::new().await };
    wiped.serves_bytes("large", &encode(ImageFormat::Jpeg, 64, 48, 1)).await;
    wiped.record(1, "large").await;
    wiped.work().await.unwrap();
    wiped.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (2, 1)));
    assert_eq!(wiped.counts().await, [1, 0, 0]);
}

#[tokio::test]
async fn picture_that_only_others_can_decode_is_sent_as_it_is() {
    let mut bench = Bench::new().await;
    bench.settings.scaling.side = 32;
    // Sound in all its parts, and no pixel of it is there.
    let odd = png_header(64, 64);
    bench.serves_bytes("odd", &odd).await;
    bench.record(1, "odd").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!(shelf.images["s1"], odd));
}

#[tokio::test]
async fn same_bytes_under_another_reference_are_not_sent() {
    let bench = Bench::new().await;
    for image in ["first", "second"] {
        bench.serves_bytes(image, &jpeg(1)).await;
        bench.record(1, image).await;
        bench.work().await.unwrap();
    }
    bench.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (1, 1)));
    assert_eq!((bench.counts().await, bench.requests().await), ([1, 0, 0], 2));
    bench.serves_bytes("third", &jpeg(3)).await;
    bench.record(1, "third").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!((shelf.written, &shelf.images["s1"]), (2, &jpeg(3))));
}

#[tokio::test]
async fn image_that_the_sink_has_already_is_not_written() {
    let bench = Bench::new().await;
    bench.shelf.look(|shelf| shelf.images.insert("s1".to_owned(), jpeg(1)));
    bench.serves_bytes("image", &jpeg(1)).await;
    bench.record(1, "image").await;
    bench.work().await.unwrap();
    bench.shelf.look(|shelf| assert_eq!((shelf.asked, shelf.written), (1, 0)));
    assert_eq!(bench.counts().await, [1, 0, 0]);
}

#[tokio::test]
async fn overtaken_job_fetches_nothing() {
    let bench = Bench::new().await;
    bench.record(1, "old").await;
    let old = bench.listed().await.remove(0).into_job(pipeline());
    bench.record(1, "new").await;
    bench.serves_bytes("new", &jpeg(2)).await;
    let receipt = bench.queue.publish(old).await.unwrap();
    bench.work().await.unwrap();
    receipt.durable().await.unwrap();
    assert_eq!((bench.counts().await, bench.requests().await), ([1, 0, 0], 1));
    bench.shelf.look(|shelf| assert_eq!(sha256(&shelf.images["s1"]), sha256(&jpeg(2))));
}

#[tokio::test]
async fn job_without_an_image_is_dropped_and_its_record_stays_listed() {
    let bench = Bench::new().await;
    bench.record(1, "image").await;
    bench.serves_bytes("image", &jpeg(1)).await;
    let mut nameless = bench.listed().await.remove(0).into_job(pipeline());
    nameless.image = None;
    nameless.run = RunId(0);
    let receipt = bench.queue.publish(nameless).await.unwrap();
    bench.work().await.unwrap();
    receipt.durable().await.unwrap();
    assert_eq!(bench.counts().await, [1, 0, 0]);
}
