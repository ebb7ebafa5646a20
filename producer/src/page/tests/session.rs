//! Signing in, and what is to be had without.

use super::*;

#[tokio::test]
async fn with_a_token_nothing_is_seen_or_changed_before_signing_in() {
    let stand = Stand::with(Some(TOKEN)).await;
    for path in ["/", "/runs", "/pipelines/customers"] {
        let answer = stand.get(path).await;
        assert_eq!(
            (answer.status(), &answer.headers()[LOCATION]),
            (StatusCode::SEE_OTHER, &"/sign-in".parse().unwrap())
        );
    }
    assert_eq!(stand.get("/events").await.status(), StatusCode::UNAUTHORIZED);
    let answer = stand.form("/pipelines/customers/pause").body("why=x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    for authorization in ["", "Bearer ", "Bearer geheim", "Basic Z2VoZWltLTAxMjM0NTY3ODlhYmNkZWY="] {
        let request = stand.request(Method::GET, "/api/v1/status").header(AUTHORIZATION, authorization);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{authorization}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert!(!answer.text().await.unwrap().contains("customers"));
    }
    assert_eq!(stand.paused().await, None);
    let (status, shown) = stand.api(Method::GET, "/status", &Value::Null).await;
    assert_eq!((status, &shown["pipelines"][0]["pipeline"]), (StatusCode::OK, &json!("customers")));
    // From another name, too: who has the token may.
    let proxied = stand.get("/sign-in").await;
    assert_eq!(proxied.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_signs_in_with_the_token_and_out_again() {
    let stand = Stand::with(Some(TOKEN)).await;
    let begun = Instant::now();
    let wrong = stand.form("/sign-in").body("token=geheim-0123456789abcdeX").send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(begun.elapsed() >= Duration::from_secs(1), "a wrong token is answered slowly");
    assert!(wrong.headers().get(SET_COOKIE).is_none());
    assert!(!wrong.text().await.unwrap().contains("geheim"));

    let body = format!("token={TOKEN}");
    let right =
        stand.form("/sign-in").header("x-forwarded-proto", "https").body(body.clone()).send().await.unwrap();
    assert!(right.headers()[SET_COOKIE].to_str().unwrap().ends_with("; Secure"));
    let right = stand.form("/sign-in").body(body).send().await.unwrap();
    assert_eq!(right.status(), StatusCode::SEE_OTHER);
    let set = right.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict; Max-Age=43200"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let get = async |path| stand.request(Method::GET, path).header(COOKIE, &cookie).send().await.unwrap();
    let page = get("/").await.text().await.unwrap();
    assert!(
        page.contains("Sign out")
            && !page.contains(TOKEN)
            && !page.contains(cookie.split_once('=').unwrap().1),
        "{page}"
    );
    for (name, text) in stand.state.memos("").await.unwrap() {
        let id = cookie.split_once('=').unwrap().1;
        assert!(!format!("{name}{text}").contains(TOKEN) && !format!("{name}{text}").contains(id), "{name}");
    }
    // The cookie alone changes nothing, and is no way into the API.
    let answer =
        stand.form("/pipelines/customers/pause").header(COOKIE, &cookie).body("why=x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(get("/api/v1/status").await.status(), StatusCode::UNAUTHORIZED);
    let form_token = page.split_once("name=\"form_token\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let fields = format!("form_token={form_token}&why=x");
    let answer = stand
        .form("/pipelines/customers/pause")
        .header(COOKIE, &cookie)
        .body(fields.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(stand.paused().await.map(|pause| pause.by), Some(PausedBy::Hand));
    // Another process of the fleet, with the same state, knows the session; with another token nobody does.
    for (token, expected) in [(TOKEN, StatusCode::OK), ("another-0123456789abcdef", StatusCode::SEE_OTHER)] {
        let other = Arc::new(config("127.0.0.1:0", Some(token)));
        let other = serve(&other, &stand.state, None).await.unwrap().unwrap();
        let url = format!("http://{}/", other.address());
        assert_eq!(stand.client.get(url).header(COOKIE, &cookie).send().await.unwrap().status(), expected);
    }
    let answer = stand.form("/sign-out").header(COOKIE, &cookie).body(fields).send().await.unwrap();
    assert!(answer.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(get("/").await.status(), StatusCode::SEE_OTHER, "the cookie of before is of no use");
}

#[tokio::test]
async fn a_session_that_is_over_is_of_no_use() {
    let stand = Stand::with(Some(TOKEN)).await;
    let right = stand.form("/sign-in").body(format!("token={TOKEN}")).send().await.unwrap();
    let cookie = right.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let get = async || stand.request(Method::GET, "/").header(COOKIE, &cookie).send().await.unwrap().status();
    assert_eq!(get().await, StatusCode::OK);
    let (name, _) = stand.state.memos("session/").await.unwrap().remove(0);
    stand.state.set_memo(&name, Some(r#"{"until":"2026-01-01T00:00:00Z"}"#)).await.unwrap();
    assert_eq!(get().await, StatusCode::SEE_OTHER);
    stand.form("/sign-in").body(format!("token={TOKEN}")).send().await.unwrap();
    let names: Vec<String> =
        stand.state.memos("session/").await.unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(names.len() == 1 && !names.contains(&name), "the old one is forgotten: {names:?}");
}

#[tokio::test]
async fn wrong_tokens_are_tried_few_at_a_time_while_the_right_one_never_waits() {
    let stand = Stand::with(Some(TOKEN)).await;
    let wrong = (0..12).map(|_| {
        let request = stand.request(Method::GET, "/api/v1/status").header(AUTHORIZATION, "Bearer wrong");
        tokio::spawn(async move { request.send().await.unwrap().status() })
    });
    let wrong: Vec<_> = wrong.collect();
    let mut refused = 0;
    for answer in wrong {
        refused += usize::from(answer.await.unwrap() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!((1..12).contains(&refused), "{refused}");
    let (status, _) = stand.api(Method::GET, "/status", &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
}
