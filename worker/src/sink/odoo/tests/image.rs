//! Images, judged by the hash of what Odoo keeps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Fault;
use serde_json::json;
use sha1::{Digest, Sha1};
use shared::failure::{Class, Reason};

use super::stand::{Stand, VERSIONS, items, outcomes, settings};

/// A PNG of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn sha1_of(base64: &str) -> String {
    let bytes = STANDARD.decode(base64).unwrap();
    let digest = Sha1::digest(bytes);
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn image_is_written_found_by_its_hash_and_cleared() {
    for version in VERSIONS {
        for model in ["product.product", "product.template", "res.partner"] {
            let stand = Stand::new(version).await;
            let settings = super::super::OdooSinkSettings { model: model.to_owned(), ..settings() };
            let mut sink = stand.open(settings, &["name"]).await.unwrap();
            let jobs: Vec<_> = (1..=2).map(|key| super::stand::job(key, json!({"name": "n"}))).collect();
            outcomes(&mut sink, &jobs).await;
            let keys: Vec<_> = jobs.iter().map(|job| job.key.clone()).collect();
            let ids = sink.ids_of(&keys).await.unwrap();
            let (one, two) = (ids[&keys[0]], ids[&keys[1]]);
            assert!(sink.image_hashes(&[one, two]).await.unwrap().is_empty());
            sink.write_image(one, Some(PIXEL)).await.unwrap();
            let hashes = sink.image_hashes(&[one, two]).await.unwrap();
            assert_eq!((hashes.len(), hashes[&one].as_str()), (1, sha1_of(PIXEL).as_str()), "{model}");
            sink.write_image(one, None).await.unwrap();
            assert!(sink.image_hashes(&[one, two]).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn what_is_no_image_is_permanent_and_a_lost_reply_is_not() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        outcomes(&mut sink, &items(1)).await;
        let id = stand.named()["1"];
        for bad in ["aGVsbG8gd29ybGQ=", ""] {
            let failure = sink.write_image(id, Some(bad)).await.unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord), "{failure}");
        }
        stand.fault(Fault::LoseReply, "product.product", "write");
        let failure = sink.write_image(id, Some(PIXEL)).await.unwrap_err();
        assert_eq!(failure.class, Class::Transient);
        assert!(failure.what().starts_with("outcome unknown"), "{failure}");
        assert_eq!(sink.image_hashes(&[id]).await.unwrap()[&id], sha1_of(PIXEL));
    }
}
