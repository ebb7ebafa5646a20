use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::client::Client;
use crate::zoho::change::ZohoChange;
use crate::zoho::picture::ZohoImage;

fn fields(json: &Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

async fn item(client: &Client, id: &str) -> Json {
    client.get(&format!("items/{id}")).await.json()["item"].clone()
}

#[tokio::test]
async fn an_edit_moves_the_change_time_only_when_it_is_told_to() {
    let client = Client::with_items(30).await;
    client.control.freeze_clock("2026-07-01T12:00:00Z".parse::<Timestamp>().unwrap());
    client.control.expire_tokens();
    let mut client = client;
    client.refresh().await;
    let id = client.control.item_id(0);
    let before = item(&client, &id).await;
    let quiet = fields(&json!({"stock_on_hand": 77}));
    client.control.apply(ZohoChange::EditItem { item: id.clone(), fields: quiet, touch: false }).unwrap();
    let after = item(&client, &id).await;
    assert_eq!(after["stock_on_hand"], 77);
    assert_eq!(after["last_modified_time"], before["last_modified_time"]);
    let loud = fields(&json!({"name": "Renamed", "cf_origin": "FR", "rate": 12.5}));
    client.control.apply(ZohoChange::EditItem { item: id.clone(), fields: loud, touch: true }).unwrap();
    let after = item(&client, &id).await;
    assert_eq!(
        (&after["name"], &after["group_name"], &after["rate"]),
        (&json!("Renamed"), &json!("Renamed"), &json!(12.5))
    );
    assert_eq!(after["last_modified_time"], "2026-07-01T08:00:00-0400");
}

#[tokio::test]
async fn a_new_image_has_a_new_document_and_the_old_one_is_gone() {
    let client = Client::with_items(30).await;
    let id = client.control.item_id(1);
    let before = item(&client, &id).await;
    let replace = |kind, touch, keep_document| ZohoChange::ReplaceImage {
        item: id.clone(),
        kind,
        touch,
        keep_document,
    };
    let document = client.control.apply(replace(Some(ZohoImage::Png), false, false)).unwrap();
    let after = item(&client, &id).await;
    assert_eq!(after["image_document_id"], document.as_str());
    assert_ne!(after["image_document_id"], before["image_document_id"]);
    assert_eq!(
        (&after["image_type"], &after["last_modified_time"]),
        (&json!("png"), &before["last_modified_time"])
    );
    let old = format!("documents/{}", before["image_document_id"].as_str().unwrap());
    assert_eq!(client.get(&old).await.verdict(), (404, 1002));
    let bytes = client.get(&format!("documents/{document}")).await.body;
    client.control.apply(replace(Some(ZohoImage::Png), true, true)).unwrap();
    let kept = client.get(&format!("documents/{document}")).await;
    assert!(kept.status == 200 && kept.body != bytes, "the same document with other bytes");
    client.control.apply(replace(None, true, false)).unwrap();
    assert!(item(&client, &id).await.get("image_document_id").is_none());
    assert_eq!(client.get(&format!("items/{id}/image")).await.status, 404);
}

#[tokio::test]
async fn created_and_deleted_items_come_and_go() {
    let client = Client::with_items(30).await;
    let create = ZohoChange::CreateItem { fields: fields(&json!({"name": "New", "rate": 3})) };
    let id = client.control.apply(create).unwrap();
    assert_eq!(item(&client, &id).await["name"], "New");
    assert_eq!(client.items("items").await.len(), 31);
    client.control.apply(ZohoChange::DeleteItem { item: id.clone() }).unwrap();
    client.control.apply(ZohoChange::DeleteItem { item: id.clone() }).unwrap_err();
    assert_eq!(client.get(&format!("items/{id}")).await.verdict(), (404, 1002));
    assert_eq!(client.items("items").await.len(), 30);
}

#[tokio::test]
async fn a_restored_backup_takes_change_times_back() {
    let client = Client::with_items(30).await;
    let snapshot = client.control.snapshot();
    let before = client.control.items();
    client.control.apply(ZohoChange::StampItems { first: 0, count: 30, at: None }).unwrap();
    let create = ZohoChange::CreateItem { fields: fields(&json!({"name": "New"})) };
    let id = client.control.apply(create.clone()).unwrap();
    assert_ne!(client.control.items(), before);
    client.control.restore(&snapshot);
    assert_eq!(client.control.items(), before);
    assert_ne!(client.control.apply(create).unwrap(), id, "ids are never given twice");
}

#[tokio::test]
async fn contacts_change_like_items() {
    let client = Client::with_items(3).await;
    let id = client.control.contact_id(0);
    let edit = ZohoChange::EditContact {
        contact: id.clone(),
        fields: fields(&json!({"email": "a@b.c"})),
        touch: true,
    };
    client.control.apply(edit).unwrap();
    let newest = client.get("contacts?sort_column=last_modified_time&sort_order=D").await.json();
    assert_eq!(
        (&newest["contacts"][0]["contact_id"], &newest["contacts"][0]["email"]),
        (&json!(id), &json!("a@b.c"))
    );
    client.control.apply(ZohoChange::DeleteContact { contact: id.clone() }).unwrap();
    assert_eq!(client.get(&format!("contacts/{id}")).await.verdict(), (404, 1002));
}

#[tokio::test]
async fn reset_brings_everything_back_to_the_start() {
    let client = Client::with_items(30).await;
    let before = client.control.items();
    client.control.apply(ZohoChange::StampItems { first: 0, count: 9, at: None }).unwrap();
    client.control.set_back_clock(Duration::from_hours(9));
    client.control.set_revoked(true);
    client.control.reset();
    assert_eq!(client.control.items(), before);
    assert_eq!(client.control.counts().api_calls(), 0);
    assert_eq!(client.get("items").await.verdict(), (401, 57), "tokens of before are forgotten");
    let renewed = client.token_request(&client.form(), "").await.json();
    assert!(renewed.get("access_token").is_some());
    assert_eq!(client.get("items").await.verdict(), (401, 57), "for good");
}
