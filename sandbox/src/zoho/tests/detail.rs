use serde_json::Value as Json;

use super::client::{Client, column};

#[tokio::test]
async fn detail_moves_custom_fields_and_adds_documents() {
    let client = Client::with_items(30).await;
    let detail = client.get(&format!("items/{}", client.control.item_id(3))).await.json()["item"].clone();
    assert!(detail.get("cf_origin").is_none() && detail["custom_field_hash"]["cf_origin"].is_string());
    assert_eq!(detail["custom_fields"][0]["api_name"], "cf_origin");
    let types: Vec<&Json> =
        detail["documents"].as_array().unwrap().iter().map(|row| &row["file_type"]).collect();
    assert_eq!(types, ["jpg", "pdf", "jpg"]);
    assert_eq!(detail["documents"][0]["document_id"], detail["image_document_id"]);
}

#[tokio::test]
async fn imageless_detail_has_no_document_id_key_while_the_row_has_an_empty_one() {
    let client = Client::with_items(30).await;
    let imageless = client.control.item_id(4);
    let detail = client.get(&format!("items/{imageless}")).await.json()["item"].clone();
    assert_eq!(detail["image_name"], "");
    assert!(detail.get("image_document_id").is_none());
    let rows = client.items("items").await;
    let row = rows.iter().find(|row| row["item_id"] == imageless.as_str()).unwrap();
    assert_eq!(row["image_document_id"], "");
}

#[tokio::test]
async fn bulk_details_drop_unknown_ids_without_a_word() {
    let client = Client::with_items(30).await;
    let (one, two) = (client.control.item_id(1), client.control.item_id(2));
    let items = client.items(&format!("itemdetails?item_ids={one},880010000199999999,{two},x")).await;
    assert_eq!(column(&items, "item_id"), [one.clone(), two]);
    assert!(items[0].get("last_modified_time").is_none() && items[0].get("custom_fields").is_some());
    assert_eq!(client.get("itemdetails").await.verdict(), (400, 4));
    let books = client.books(&format!("itemdetails?item_ids={one}")).await.json();
    assert_eq!(books["items"][0]["item_id"], one.as_str());
    assert_eq!(client.control.counts().itemdetails, 3);
}

#[tokio::test]
async fn unknown_records_get_404_with_code_1002_and_unknown_paths_code_5() {
    let client = Client::with_items(3).await;
    for target in ["items/880010000199999999", "items/1/image", "documents/1", "contacts/1"] {
        assert_eq!(client.get(target).await.verdict(), (404, 1002), "{target}");
    }
    for target in ["items/abc", "nothing", "items/1/2/3"] {
        assert_eq!(client.get(target).await.verdict(), (404, 5), "{target}");
    }
}

#[tokio::test]
async fn contact_detail_has_addresses_and_persons() {
    let client = Client::with_items(3).await;
    let answer = client.get(&format!("contacts/{}", client.control.contact_id(2))).await.json();
    assert_eq!(answer["contact"]["billing_address"]["country_code"], "US");
    assert_eq!(answer["contact"]["contact_persons"][0]["first_name"], answer["contact"]["first_name"]);
}

#[tokio::test]
async fn units_are_listed_and_only_reading_is_offered() {
    let client = Client::with_items(3).await;
    assert_eq!(client.get("units").await.json()["units"][0]["unit"], "pcs");
    let url = format!(
        "{}/items?organization_id={}",
        client.sandbox.inventory_url(),
        client.sandbox.organization_id()
    );
    assert_eq!(client.http.post(url).send().await.unwrap().status().as_u16(), 405);
}

#[tokio::test]
async fn answers_carry_zohos_headers() {
    let client = Client::with_items(3).await;
    let answer = client.get("items").await;
    assert_eq!(answer.header("server"), "ZGS");
    assert_eq!(answer.header("content-type"), "application/json;charset=UTF-8");
    assert_eq!(answer.header("content-disposition"), "attachment;");
    assert!(answer.header("cache-control").contains("no-store"));
}
