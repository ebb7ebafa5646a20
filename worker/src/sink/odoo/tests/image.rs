//! Images, judged by the hash of what Odoo keeps.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::Fault;
use serde_json::json;
use sha1::{Digest, Sha1};
use shared::failure::{Class, Reason};
use shared::odoo::Base64;

use super::super::OdooImages;
use super::stand::{Stand, VERSIONS, items, outcomes, settings};
use crate::image::ImageSink as _;

/// A PNG of one pixel.
fn pixel() -> Vec<u8> {
    let text =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    STANDARD.decode(text).unwrap()
}

fn sha1_of(bytes: &[u8]) -> String {
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
            let both = [&keys[0], &keys[1]].map(|key| ids[key].to_string());
            let mut images = OdooImages::new(&stand.client().await, model);
            assert!(images.image_hashes(&both).await.unwrap().is_empty());
            images.write_image(&both[0], Some(Base64::of(&pixel()))).await.unwrap();
            let hashes = images.image_hashes(&both).await.unwrap();
            assert_eq!(hashes, HashMap::from([(both[0].clone(), sha1_of(&pixel()))]), "{model}");
            images.write_image(&both[0], None).await.unwrap();
            assert!(images.image_hashes(&both).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn what_is_no_image_is_permanent_and_a_lost_reply_is_not() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        outcomes(&mut sink, &items(1)).await;
        let id = stand.named()["1"].to_string();
        let mut images = OdooImages::new(&stand.client().await, "product.product");
        for bad in ["hello world", ""] {
            let failure = images.write_image(&id, Some(Base64::of(bad.as_bytes()))).await.unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord), "{failure}");
        }
        stand.fault(Fault::LoseReply, "product.product", "write");
        let failure = images.write_image(&id, Some(Base64::of(&pixel()))).await.unwrap_err();
        assert_eq!(failure.class, Class::Transient);
        assert!(failure.what().starts_with("outcome unknown"), "{failure}");
        assert_eq!(images.image_hashes(std::slice::from_ref(&id)).await.unwrap()[&id], sha1_of(&pixel()));
    }
}
