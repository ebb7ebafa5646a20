use serde_json::{Value as Json, json};

use super::client::{Answer, Client};

async fn show(client: &Client, name: &str) -> Json {
    let url = format!("{}/_sandbox{name}", client.sandbox.accounts_url());
    Answer::read(client.http.get(url).send().await.unwrap()).await.unwrap().json()
}

async fn order(client: &Client, name: &str, content: &Json) -> Answer {
    let url = format!("{}/_sandbox/{name}", client.sandbox.accounts_url());
    let body = if content.is_null() { String::new() } else { content.to_string() };
    Answer::read(client.http.post(url).body(body).send().await.unwrap()).await.unwrap()
}

/// One order of each kind, about two items.
fn orders(item: &str, other: &str) -> Vec<(&'static str, Json)> {
    let edit =
        json!({"edit_item": {"item": item, "fields": {"rate": 12.50, "cf_origin": "FR"}, "touch": false}});
    vec![
        ("clock", json!({})),
        ("clock", json!({"set": "2026-10-09T17:22:05Z"})),
        ("clock", json!({"freeze": "2026-10-09T17:22:05Z"})),
        ("clock", json!({"advance_millis": 60_000})),
        ("clock", json!({"advance_millis": -120_000})),
        ("save", Json::Null),
        ("change", edit),
        ("change", json!({"replace_image": {"item": item, "kind": {"slow": {"millis": 5}}}})),
        ("change", json!({"replace_image": {"item": item, "kind": null}})),
        ("change", json!({"serve_image": {"item": other, "kind": "gif"}})),
        ("change", json!({"stamp_items": {"first": 0, "count": 9}})),
        ("after_list_call", json!({"calls": 1, "change": {"delete_item": {"item": item}}})),
        ("faults", json!({"fault": {"throttled": {"code": 44}}, "endpoint": "itemdetails"})),
        ("faults/clear", Json::Null),
        ("faults", json!({"fault": "bad_gateway"})),
        ("expire_tokens", Json::Null),
        ("set_revoked", json!({"is_revoked": false})),
        ("remove_scope", json!({"scope": "ZohoBooks.contacts.READ"})),
        ("add_scope", json!({"scope": "ZohoBooks.contacts.READ"})),
        ("set_limits", json!({"per_minute": 50, "concurrent": 5, "per_day": 500})),
        ("set_block_code", json!({"code": 44})),
        ("set_calls_today", json!({"calls": 3})),
        ("block", Json::Null),
        ("lift_block", Json::Null),
        ("counts/reset", Json::Null),
    ]
}

#[tokio::test]
async fn every_command_of_the_control_is_taken_over_http() {
    let client = Client::with_items(30).await;
    let item = client.control.item_id(0);
    for (name, content) in orders(&item, &client.control.item_id(1)) {
        let answer = order(&client, name, &content).await;
        assert_eq!(
            (answer.status, &answer.json()["done"]),
            (200, &json!(true)),
            "{name} {:?}",
            answer.json()
        );
    }
    assert_eq!(show(&client, "").await["now"], "2026-10-09T13:21:05-0400");
    assert_eq!(show(&client, "/clock").await["now"], "2026-10-09T17:21:05Z");
    assert_eq!(show(&client, "/faults").await[0]["fault"], "bad_gateway");
    assert_eq!(show(&client, "/counts").await["list"], 0);
    let row =
        |rows: Json| rows.as_array().unwrap().iter().find(|row| row["item_id"] == item.as_str()).cloned();
    let edited = row(show(&client, "/items").await).unwrap();
    assert_eq!(edited["cf_origin"], "FR");
    assert_eq!(edited["rate"].to_string(), "12.5");
    assert_eq!(order(&client, "restore", &Json::Null).await.status, 200);
    assert_ne!(row(show(&client, "/items").await).unwrap()["cf_origin"], "FR");
    assert_eq!(order(&client, "reset", &Json::Null).await.status, 200);
    assert_eq!(show(&client, "/contacts").await.as_array().unwrap().len(), 30);
}

#[tokio::test]
async fn a_wrong_command_is_refused_in_words() {
    let client = Client::with_items(3).await;
    for (name, content) in [
        ("nothing", Json::Null),
        ("change", json!({"delete_item": {"item": "1"}})),
        ("change", json!({"edit_item": {"item": client.control.item_id(0), "fields": {"colour": "red"}}})),
        ("clock", json!({"seconds": 1})),
        ("restore", Json::Null),
    ] {
        let answer = order(&client, name, &content).await;
        assert_eq!(answer.status, 400, "{name}");
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_binary_can_announce_where_to_find_everything() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let settings = crate::zoho::settings::ZohoSettings { items: 3, ..Default::default() };
    let serving = tokio::spawn(crate::zoho::serve(
        settings,
        |about| tell.send(about.clone()).map_err(|_| std::io::Error::other("nobody listens")),
        async {
            stopped.await.ok();
        },
    ));
    let about: Json = told.await.unwrap();
    let url = format!("{}/counts", about["control_url"].as_str().unwrap());
    assert_eq!(reqwest::Client::new().get(&url).send().await.unwrap().status().as_u16(), 200);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(reqwest::Client::new().get(&url).send().await.is_err(), "it stopped");
}
