use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::client::{Client, column};
use crate::zoho::change::ZohoChange;
use crate::zoho::settings::ZohoSettings;

const BY_TIME: &str = "items?sort_column=last_modified_time&sort_order=A&per_page=200";

#[tokio::test]
async fn list_defaults_to_200_rows_by_name_with_inactive_ones_and_no_total() {
    let client = Client::with_items(450).await;
    let answer = client.get("items").await.json();
    assert_eq!(
        answer["page_context"],
        json!({"page": 1, "per_page": 200, "has_more_page": true, "report_name": "Items",
            "applied_filter": "Status.All", "custom_fields": [], "sort_column": "name", "sort_order": "A"})
    );
    let rows = answer["items"].as_array().unwrap();
    assert_eq!(rows.len(), 200);
    assert!(rows.iter().any(|row| row["status"] == "inactive"));
    let last = client.get("items?page=3&per_page=1000").await.json();
    assert_eq!(last["items"].as_array().unwrap().len(), 50);
    assert_eq!(
        (&last["page_context"]["per_page"], &last["page_context"]["has_more_page"]),
        (&json!(200), &json!(false))
    );
    let active = client.items("items?filter_by=Status.Active&page=3").await;
    assert!(active.iter().all(|row| row["status"] == "active") && active.len() < 50);
}

#[tokio::test]
async fn times_carry_the_offset_of_the_organisation_and_follow_daylight_saving_time() {
    let client = Client::with_items(200).await;
    let rows = client.items(BY_TIME).await;
    let times = column(&rows, "last_modified_time");
    assert!(times.iter().any(|time| time.ends_with("-0400")), "no summer time");
    assert!(times.iter().any(|time| time.ends_with("-0500")), "no winter time");
    assert!(times.iter().all(|time| time.len() == 24));
}

#[tokio::test]
async fn bound_is_inclusive_and_takes_only_a_numeric_offset_without_colon() {
    let client = Client::with_items(200).await;
    let rows = client.items(BY_TIME).await;
    let bound = rows[150]["last_modified_time"].as_str().unwrap();
    let since = client.items(&format!("{BY_TIME}&last_modified_time={bound}")).await;
    assert_eq!(column(&since, "item_id"), column(&rows[150..], "item_id"));
    for refused in
        ["2025-01-01T00:00:00Z", "2025-01-01", "2025-01-01T00:00:00-05:00", "2025-01-01T00:00:00+0000"]
    {
        let answer = client.get(&format!("{BY_TIME}&last_modified_time={refused}")).await;
        assert_eq!(answer.verdict(), (400, 4), "{refused}");
    }
    let escaped = client.get(&format!("{BY_TIME}&last_modified_time=2025-01-01T00:00:00%2B0000")).await;
    assert_eq!(escaped.verdict(), (200, 0));
}

#[tokio::test]
async fn books_ignores_bound_and_order_by_time_without_a_word() {
    let client = Client::with_items(120).await;
    let target = "items?sort_column=last_modified_time&sort_order=A&last_modified_time=2099-01-01T00:00:00Z";
    let answer = client.books(target).await;
    assert_eq!(answer.verdict(), (200, 0));
    let body = answer.json();
    assert_eq!(body["items"].as_array().unwrap().len(), 120);
    assert_eq!(body["page_context"]["sort_column"], "name");
    let inventory = client.items("items").await;
    assert_eq!(column(body["items"].as_array().unwrap(), "item_id"), column(&inventory, "item_id"));
}

#[tokio::test]
async fn rows_have_the_live_shape() {
    let client = Client::with_items(60).await;
    let rows = client.items("items").await;
    for row in &rows {
        assert_eq!(row["item_id"].as_str().unwrap().len(), 18);
        assert!(row["item_id"].as_str().unwrap().parse::<u64>().unwrap() > 1 << 53);
        assert_eq!(row["name"], row["item_name"]);
        assert!(row["rate"].is_number());
        assert!(row.as_object().unwrap().values().all(|value| !value.is_null()));
        if row["attribute_name1"] == "" {
            assert_eq!(row["group_name"], row["name"]);
        }
        assert!(row["cf_origin"].is_string() && row["cf_origin_unformatted"].is_string());
    }
    let names = column(&rows, "name");
    assert!(names.iter().any(|name| name.contains("&amp;")));
    assert!(names.iter().any(|name| name.ends_with("  ")));
    assert!(names.iter().any(|name| name.contains('\u{1fa91}')));
    assert!(rows.iter().any(|row| row["product_type"] == "service" && row["image_document_id"] == ""));
    let skus = column(&rows, "sku");
    let filled: Vec<&String> = skus.iter().filter(|sku| !sku.is_empty()).collect();
    assert!(filled.len() < skus.len() && filled.iter().collect::<HashSet<_>>().len() < filled.len());
}

/// The walk a careful client makes: bound = newest seen, next page only inside one second.
async fn walk(client: &Client) -> HashSet<String> {
    let (mut seen, mut bound, mut page) = (HashSet::new(), String::new(), 1);
    loop {
        let from = if bound.is_empty() { String::new() } else { format!("&last_modified_time={bound}") };
        let rows = client.items(&format!("{BY_TIME}&page={page}{}", from.replace('+', "%2B"))).await;
        seen.extend(column(&rows, "item_id"));
        if rows.len() < 200 {
            return seen;
        }
        let last = rows[199]["last_modified_time"].as_str().unwrap().to_owned();
        if last == bound {
            page += 1;
        } else {
            (bound, page) = (last, 1);
        }
    }
}

#[tokio::test]
async fn more_rows_than_a_page_share_one_second_and_need_its_second_page() {
    let client = Client::with_items(700).await;
    client.control.apply(ZohoChange::StampItems { first: 100, count: 450, at: None }).unwrap();
    let rows = client.items(&format!("{BY_TIME}&page=3")).await;
    assert_eq!(rows[0]["last_modified_time"], rows[199]["last_modified_time"]);
    assert_eq!(walk(&client).await.len(), 700);
}

#[tokio::test]
async fn an_edit_between_two_pages_makes_offset_paging_skip_a_row() {
    let client = Client::with_items(450).await;
    let first = client.control.items()[0]["item_id"].as_str().unwrap().to_owned();
    let edit = ZohoChange::EditItem { item: first.clone(), fields: fields(&json!({"rate": 1})), touch: true };
    client.control.after_list_call(1, edit.clone());
    let mut seen = HashSet::new();
    for page in 1..=3 {
        seen.extend(column(&client.items(&format!("{BY_TIME}&page={page}")).await, "item_id"));
    }
    assert_eq!(seen.len(), 449, "the first row of page 2 moved to page 1 meanwhile");
    client.control.after_list_call(1, edit);
    assert_eq!(walk(&client).await.len(), 450, "a walk by bounds loses nothing");
    assert!(client.control.counts().failed_changes.is_empty());
}

#[tokio::test]
async fn contacts_are_listed_like_items_and_books_ignores_their_bound() {
    let client = Client::with_items(3).await;
    let answer = client.get("contacts?sort_column=last_modified_time").await.json();
    let rows = answer["contacts"].as_array().unwrap();
    assert_eq!((rows.len(), &answer["page_context"]["report_name"]), (30, &json!("Contacts")));
    assert!(rows[0].get("billing_address").is_none());
    let bound = rows[20]["last_modified_time"].as_str().unwrap();
    let target = format!("contacts?last_modified_time={bound}");
    assert_eq!(client.get(&target).await.json()["contacts"].as_array().unwrap().len(), 10);
    assert_eq!(client.books(&target).await.json()["contacts"].as_array().unwrap().len(), 30);
    let vendors = client.get("contacts?contact_type=vendor").await.json();
    assert_eq!(vendors["contacts"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_hundred_thousand_items_are_listed_to_the_last_page() {
    let settings = ZohoSettings { items: 120_000, contacts: 0, ..ZohoSettings::default() };
    let client = Client::start(settings).await;
    let answer = client.get(&format!("{BY_TIME}&page=600")).await.json();
    assert_eq!(answer["items"].as_array().unwrap().len(), 200);
    assert_eq!(answer["page_context"]["has_more_page"], false);
}

fn fields(json: &Json) -> serde_json::Map<String, Json> {
    json.as_object().unwrap().clone()
}
