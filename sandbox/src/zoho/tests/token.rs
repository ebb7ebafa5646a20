use std::time::Duration;

use super::client::{Answer, Client};

#[tokio::test]
async fn token_comes_for_a_form_body_or_a_query_and_names_the_api_host() {
    let client = Client::with_items(3).await;
    for answer in
        [client.token_request(&client.form(), "").await, client.token_request("", &client.form()).await]
    {
        let body = answer.json();
        assert_eq!(answer.status, 200);
        assert_eq!((body["token_type"].as_str(), body["expires_in"].as_i64()), (Some("Bearer"), Some(3600)));
        let api = body["api_domain"].as_str().unwrap();
        assert_eq!(format!("{api}/inventory/v1"), client.sandbox.inventory_url());
        assert!(body["scope"].as_str().unwrap().contains("ZohoInventory.items.READ"));
        assert!(body.get("refresh_token").is_none());
    }
}

#[tokio::test]
async fn refused_credentials_are_an_error_in_the_body_of_http_200() {
    let client = Client::with_items(3).await;
    let form = client.form();
    for (wrong, error) in [
        (form.replace(client.sandbox.client_id(), "1000.X"), "invalid_client"),
        (form.replace(client.sandbox.client_secret(), "x"), "invalid_client_secret"),
        (form.replace(client.sandbox.refresh_token(), "1000.x.y"), "invalid_code"),
    ] {
        let answer = client.token_request(&wrong, "").await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (200, Some(error)));
    }
    client.control.set_revoked(true);
    assert_eq!(client.token_request(&form, "").await.json()["error"], "invalid_code");
}

#[tokio::test]
async fn the_eleventh_token_request_in_ten_minutes_gets_400_access_denied() {
    let client = Client::with_items(3).await;
    client.control.freeze_clock(client.control.now());
    client.control.advance_clock(Duration::from_mins(10));
    for _ in 0..10 {
        assert_eq!(client.token_request(&client.form(), "").await.status, 200);
    }
    let answer = client.token_request(&client.form(), "").await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("Access Denied")));
    client.control.advance_clock(Duration::from_mins(10));
    assert!(client.token_request(&client.form(), "").await.json().get("access_token").is_some());
}

#[tokio::test]
async fn stale_revoked_unknown_and_bearer_tokens_get_401_with_code_57() {
    let mut client = Client::with_items(3).await;
    assert_eq!(client.get("items").await.verdict(), (200, 0));
    client.control.advance_clock(Duration::from_hours(1));
    assert_eq!(client.get("items").await.verdict(), (401, 57), "an hour old");
    client.refresh().await;
    assert_eq!(client.get("items").await.verdict(), (200, 0));
    client.control.expire_tokens();
    assert_eq!(client.get("items").await.verdict(), (401, 57), "ended by hand");
    client.refresh().await;
    let url = format!(
        "{}/items?organization_id={}",
        client.sandbox.inventory_url(),
        client.sandbox.organization_id()
    );
    let bearer = client.http.get(&url).bearer_auth(&client.token);
    assert_eq!(Answer::read(bearer.send().await.unwrap()).await.unwrap().verdict(), (401, 57));
    let without = client.http.get(&url);
    assert_eq!(Answer::read(without.send().await.unwrap()).await.unwrap().verdict(), (401, 14));
    assert_eq!(client.control.counts().unauthorized, 4);
}

#[tokio::test]
async fn the_eleventh_active_token_ends_the_first() {
    let mut client = Client::with_items(3).await;
    let first = client.token.clone();
    for _ in 0..10 {
        // Slower than the throttle, faster than the lifetime.
        client.control.advance_clock(Duration::from_mins(2));
        client.refresh().await;
    }
    let last = std::mem::replace(&mut client.token, first);
    assert_eq!(client.get("items").await.verdict(), (401, 57));
    client.token = last;
    assert_eq!(client.get("items").await.verdict(), (200, 0));
}

#[tokio::test]
async fn missing_scope_gets_57_with_a_fresh_token_too_and_spares_other_scopes() {
    let mut client = Client::with_items(3).await;
    client.control.remove_scope("ZohoInventory.items.READ");
    client.refresh().await;
    let image = format!("items/{}/image", client.control.item_id(0));
    for target in ["items", image.as_str(), "itemdetails?item_ids=1"] {
        let answer = client.get(target).await;
        assert_eq!(answer.verdict(), (401, 57), "{target}");
        assert!(answer.header("content-type").starts_with("application/json"));
    }
    assert_eq!(client.get("contacts").await.verdict(), (200, 0));
    assert_eq!(client.books("items").await.verdict(), (200, 0));
    client.control.add_scope("ZohoInventory.fullaccess.all");
    assert_eq!(client.get("items").await.verdict(), (200, 0));
}

#[tokio::test]
async fn wrong_organisation_gets_401_with_code_6041_and_organizations_needs_none() {
    let client = Client::with_items(3).await;
    let ask = |target: &str| {
        let url = format!("{}/{target}", client.sandbox.inventory_url());
        let request =
            client.http.get(url).header("authorization", format!("Zoho-oauthtoken {}", client.token));
        async move { Answer::read(request.send().await.unwrap()).await.unwrap() }
    };
    assert_eq!(ask("items?organization_id=123").await.verdict(), (401, 6041));
    assert_eq!(ask("items").await.status, 400);
    let answer = ask("organizations").await;
    let organization = &answer.json()["organizations"][0];
    assert_eq!(organization["organization_id"], client.sandbox.organization_id());
    assert_eq!(organization["time_zone"], "America/New_York");
    assert_eq!(organization["AppList"][1], "inventory");
}
