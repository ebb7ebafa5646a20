//! Signing in by password or key, and staying so.

use super::*;

#[tokio::test]
async fn session_is_opened_once_and_used_by_every_call() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("one")).await;
    let date = "Sat, 21 Nov 2026 22:39:23 GMT";
    mount_for_session(&server, CALL, "one", result(&json!(7)).insert_header("Date", date)).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!(count(&client).await.unwrap(), 7);
    assert_eq!(count(&client.clone()).await.unwrap(), 7);
    assert_eq!(client.server_clock().unwrap().to_string(), "2026-11-21T22:39:23Z");
    let counts = client.calls();
    assert_eq!((counts.authentications, counts.calls), (1, 2));
    assert!(counts.bytes_sent > 0 && counts.bytes_received > 0);
    assert_eq!(client.identity(), format!("{}#shop", server.uri()));
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[tokio::test]
async fn json_2_is_chosen_for_a_key_on_19_and_proven_at_once() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(19)).await;
    Mock::given(path("/json/2/res.partner/search_count"))
        .and(header("authorization", "Bearer k3y-k3y"))
        .and(header("x-odoo-database", "shop"))
        .respond_with(ResponseTemplate::new(200).set_body_json(0))
        .mount(&server)
        .await;
    let rows = json!([{"id": 1, "name": "Cup", "price": 1.0}]);
    Mock::given(path("/json/2/product.template/search_read"))
        .and(body_partial_json(json!({"fields": ["name"], "limit": 5, "context": {"active_test": false}})))
        .respond_with(ResponseTemplate::new(200).set_body_json(&rows))
        .mount(&server)
        .await;
    let client = OdooClient::connect(key(&server.uri())).await.unwrap();
    let search = SearchRead {
        fields: vec!["name".to_owned()],
        limit: Some(5),
        context: Row::from_iter([("active_test".to_owned(), json!(false))]),
        ..SearchRead::new("product.template")
    };
    let read = client.search_read(&search).await.unwrap();
    assert_eq!(read[0]["name"], "Cup");
}

#[tokio::test]
async fn wrong_key_is_told_at_connect() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(19)).await;
    let refused = json!({"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"});
    mount(&server, "/json/2/res.partner/search_count", ResponseTemplate::new(401).set_body_json(refused))
        .await;
    let failure = failure(key(&server.uri())).await;
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
}

#[tokio::test]
async fn key_below_19_finds_its_user_once_and_goes_by_execute_kw() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    let login = body_partial_json(json!({"params": {"service": "common", "method": "authenticate"}}));
    Mock::given(path("/jsonrpc")).and(login).respond_with(result(&json!(6))).expect(1).mount(&server).await;
    let args = json!(["shop", 6, "k3y-k3y", "res.partner", "check_access_rights", ["write"], {"raise_exception": false}]);
    let call =
        body_partial_json(json!({"params": {"service": "object", "method": "execute_kw", "args": args}}));
    Mock::given(path("/jsonrpc")).and(call).respond_with(result(&json!(true))).expect(2).mount(&server).await;
    let client = OdooClient::connect(key(&server.uri())).await.unwrap();
    for _ in 0..2 {
        assert!(client.check_access("res.partner", Access::Write).await.unwrap());
    }
}

#[tokio::test]
async fn rejected_password_is_tried_once() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    mount(&server, "/jsonrpc", result(&json!(false))).await;
    mount(&server, LOGIN, exception(200, "odoo.exceptions.AccessDenied", "Access Denied")).await;
    for config in [key(&server.uri()), config(&server.uri())] {
        let failure = failure(config).await;
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
        assert!(failure.to_string().contains("user 'admin' for database 'shop'"), "{failure}");
    }
    assert_eq!((requests(&server, "/jsonrpc").await, requests(&server, LOGIN).await), (1, 1));
}

#[tokio::test]
async fn second_factor_is_told() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    mount(&server, LOGIN, result(&json!({"uid": null}))).await;
    let failure = failure(config(&server.uri())).await;
    assert_eq!(failure.reason, Reason::Credentials);
    assert!(failure.to_string().contains("API key"), "{failure}");
}

#[tokio::test]
async fn expired_session_is_renewed_once_for_all_callers() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount_once(&server, LOGIN, logged_in("old")).await;
    mount(&server, LOGIN, logged_in("new")).await;
    mount_for_session(&server, CALL, "old", expired()).await;
    mount_for_session(&server, CALL, "new", result(&json!(7))).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let counted = tokio::join!(count(&client), count(&client), count(&client), count(&client));
    for counted in [counted.0, counted.1, counted.2, counted.3] {
        assert_eq!(counted.unwrap(), 7);
    }
    assert_eq!(requests(&server, LOGIN).await, 2);
}

#[tokio::test]
async fn password_changed_meanwhile_is_rejected_once_for_all_callers() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount_once(&server, LOGIN, logged_in("old")).await;
    mount(&server, LOGIN, exception(200, "odoo.exceptions.AccessDenied", "Access Denied")).await;
    mount(&server, CALL, expired()).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let counted = tokio::join!(count(&client), count(&client), count(&client), count(&client));
    for counted in [counted.0, counted.1, counted.2, counted.3] {
        assert_eq!(counted.unwrap_err().reason, Reason::Credentials);
    }
    assert_eq!(requests(&server, LOGIN).await, 2);
}

#[tokio::test]
async fn session_that_is_never_known_fails_after_one_login() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(17)).await;
    mount(&server, LOGIN, logged_in("any")).await;
    mount(&server, CALL, expired()).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    let failure = count(&client).await.unwrap_err();
    assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
    assert_eq!((requests(&server, LOGIN).await, requests(&server, CALL).await), (2, 2));
}

#[tokio::test]
async fn cookie_that_odoo_changes_is_taken_over() {
    let server = MockServer::start().await;
    mount(&server, VERSION, version(18)).await;
    mount(&server, LOGIN, logged_in("first")).await;
    let rotated = result(&json!(1)).insert_header("Set-Cookie", "session_id=second; Path=/");
    mount_for_session(&server, CALL, "first", rotated).await;
    mount_for_session(&server, CALL, "second", result(&json!(2))).await;
    let client = OdooClient::connect(config(&server.uri())).await.unwrap();
    assert_eq!((count(&client).await.unwrap(), count(&client).await.unwrap()), (1, 2));
}
