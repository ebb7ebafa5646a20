//! What stands before every request.

use super::*;

#[tokio::test]
async fn every_answer_forbids_what_is_not_ours() {
    let stand = Stand::open().await;
    for path in ["/", "/runs", "/assets/page.css", "/nowhere", "/api/v1/status", "/api/v1/nowhere"] {
        let answer = stand.get(path).await;
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert!(!header("cache-control").is_empty(), "{path}");
    }
    let page = stand.text("/").await;
    assert!(!page.contains(" style=") && !page.contains(" onclick") && !page.contains("<script>"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing from elsewhere: {page}");
}

#[tokio::test]
async fn a_name_of_elsewhere_that_points_here_is_refused() {
    let stand = Stand::open().await;
    for (host, expected) in [
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("evil.example:8080", StatusCode::MISDIRECTED_REQUEST),
        ("localhost:9999", StatusCode::OK),
    ] {
        for path in ["/", "/api/v1/status"] {
            let answer = stand.request(Method::GET, path).header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), expected, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn a_form_of_another_site_or_session_changes_nothing() {
    let stand = Stand::open().await;
    let path = "/pipelines/customers/pause";
    let token = stand.form_token().await;
    let body = format!("form_token={token}&why=x");
    for (name, value) in
        [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let answer = stand.form(path).header(name, value).body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    for body in ["", "why=x", "form_token=&why=x", "form_token=00&why=x"] {
        let answer = stand.form(path).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{body}");
        assert!(answer.text().await.unwrap().contains("Load the page again"));
    }
    // A text/plain post needs no permission of the browser: the API does not take it.
    let answer =
        stand.request(Method::POST, "/api/v1/pipelines/customers/pause").body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(stand.paused().await, None);
    let origin = format!("http://{}", stand.address());
    let answer = stand.form(path).header("origin", origin).body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(stand.paused().await.unwrap().why, "x");
}

#[tokio::test]
async fn words_of_people_and_systems_are_shown_and_never_obeyed() {
    let stand = Stand::open().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    Pause::by_hand(&stand.state, &stand.pipeline().name, Scope::Pipeline, evil).await.unwrap();
    let failure =
        Failure::systemic(shared::failure::Reason::BadRecord, format!("the product {evil} is refused"));
    Schedule::of(&stand.state, stand.pipeline()).saw(Some(&failure)).await.unwrap();
    for path in ["/", "/pipelines/customers", "/?said=%3Cscript%3E", "/runs?pipeline=%3Cscript%3E"] {
        let page = stand.get(path).await.text().await.unwrap();
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{path}: {page}");
    }
    assert!(stand.text("/").await.contains("&#60;script&#62;alert(1)"), "shown as it is");
}

#[tokio::test]
async fn nothing_is_served_to_others_without_a_token() {
    let state = State::open_memory().await.unwrap();
    let failure = serve(&Arc::new(config("0.0.0.0:0", None)), &state, None).await.unwrap_err();
    assert!(failure.reason.is_configuration(), "exit code 2");
    let words = failure.to_string();
    assert!(
        words.contains("0.0.0.0:0 without a token") && words.contains("CATALOG_SYNC_PAGE_TOKEN"),
        "{words}"
    );
    let others = serve(&Arc::new(config("0.0.0.0:0", Some(TOKEN))), &state, None).await.unwrap();
    assert!(others.is_some());
    assert!(serve(&Arc::new(config("", None)), &state, None).await.unwrap().is_none(), "switched off");
}

#[tokio::test]
async fn an_address_that_is_taken_is_a_failure_where_somebody_asked_for_it() {
    let stand = Stand::open().await;
    let taken = stand.address().to_string();
    let failure = serve(&Arc::new(config(&taken, None)), &stand.state, None).await.unwrap_err();
    assert!(failure.reason.is_configuration() && failure.to_string().contains(&taken), "{failure}");
}
