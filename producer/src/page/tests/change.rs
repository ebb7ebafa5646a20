//! What page and API change, and what they refuse.

use super::*;

#[tokio::test]
async fn what_a_form_changes_the_api_shows_and_the_other_way_round() {
    let stand = Stand::open().await;
    let shown = async || stand.api(Method::GET, "/pipelines/customers", &Value::Null).await.1;
    let answer =
        stand.submit("/pipelines/customers/pause", &[("why", "stock-taking"), ("back", "pipeline")]).await;
    assert_eq!(answer.headers()[LOCATION], "/pipelines/customers?said=paused");
    let paused = shown().await["paused"][0].clone();
    assert_eq!(
        (&paused["what"], &paused["by"], &paused["why"]),
        (&json!("pipeline"), &json!("hand"), &json!("stock-taking"))
    );
    let (status, resumed) = stand.api(Method::POST, "/pipelines/customers/resume", &json!({})).await;
    assert_eq!((status, &resumed["paused"]), (StatusCode::OK, &json!([])));
    assert!(!stand.text("/").await.contains("Paused by hand"));

    let (_, paused) = stand
        .api(Method::POST, "/pipelines/customers/pause", &json!({"scope": "images", "why": "quota"}))
        .await;
    assert_eq!(paused["paused"][0]["what"], "images");
    stand.submit("/pipelines/customers/resume-images", &[]).await;
    assert_eq!(shown().await["paused"], json!([]));

    stand.api(Method::POST, "/pipelines/customers/disable", &json!({"why": "a move"})).await;
    let page = stand.text("/pipelines/customers").await;
    assert!(page.contains("Schedule switched off") && page.contains("a move"), "{page}");
    stand.submit("/pipelines/customers/enable", &[]).await;
    assert_eq!(shown().await["schedule"]["disabled"], Value::Null);

    let rhythm = json!({"every": "6h", "full_every": "never"});
    stand.api(Method::POST, "/pipelines/customers/rhythm", &rhythm).await;
    assert!(stand.text("/pipelines/customers").await.contains("value=\"6h\""));
    stand
        .submit(
            "/pipelines/customers/rhythm",
            &[("every", "2h"), ("compare_every", "never"), ("full_every", "7d"), ("sweep_every", "30d")],
        )
        .await;
    let schedule = shown().await["schedule"].clone();
    assert_eq!(
        ["every_s", "compare_every_s", "full_every_s", "sweep_every_s"].map(|key| &schedule[key]),
        [&json!(7_200), &Value::Null, &json!(604_800), &json!(2_592_000)]
    );

    stand.submit("/pipelines/customers/run", &[("kind", "full")]).await;
    assert_eq!(shown().await["schedule"]["asked"], "full");
    assert_eq!(
        Schedule::of(&stand.state, stand.pipeline()).next().await.unwrap().unwrap().kind.label(),
        "full"
    );
    let other = Schedule::of(&stand.state, &stand.config.pipelines[1]).note().await.unwrap();
    assert_eq!(other, crate::schedule::Note::default(), "the other pipeline is as it was");
}

#[tokio::test]
async fn what_does_not_exist_or_fit_gets_its_status_and_plain_words() {
    let stand = Stand::open().await;
    let none = Value::Null;
    let huge = json!({ "why": "x".repeat(20_000) });
    let long = json!({ "why": "x".repeat(300) });
    for (method, path, body, expected) in [
        (Method::GET, "/pipelines/custmers", &none, 404),
        (Method::GET, "/runs/999", &none, 404),
        (Method::GET, "/runs/x", &none, 404),
        (Method::GET, "/runs?pipeline=custmers", &none, 404),
        (Method::GET, "/runs?limit=0", &none, 400),
        (Method::GET, "/nowhere", &none, 404),
        (Method::POST, "/pipelines/custmers/pause", &json!({}), 404),
        (Method::POST, "/pipelines/customers/explode", &json!({}), 404),
        (Method::POST, "/pipelines/customers/pause", &huge, 413),
        (Method::POST, "/pipelines/customers/pause", &long, 400),
        (Method::POST, "/pipelines/customers/pause", &json!({"why": "a\nb"}), 400),
        (Method::POST, "/pipelines/customers/pause", &json!({"reason": "x"}), 400),
        (Method::POST, "/pipelines/customers/run", &json!({"kind": "partial"}), 400),
        (Method::POST, "/pipelines/customers/rhythm", &json!({"every": "0h"}), 400),
        (Method::POST, "/pipelines/customers/rhythm", &json!({"every": "never"}), 400),
        (Method::POST, "/status", &json!({}), 405),
    ] {
        let (status, answer) = stand.api(method, path, body).await;
        assert_eq!(
            (status.as_u16(), &answer["error"]["status"]),
            (expected, &json!(expected)),
            "{path} {answer}"
        );
        assert!(
            answer["error"]["message"].as_str().is_some_and(|words| words.ends_with('.')),
            "{path} {answer}"
        );
    }
    for (path, expected) in
        [("/pipelines/custmers", 404), ("/runs/999", 404), ("/nowhere", 404), ("/assets/../Cargo.toml", 404)]
    {
        let answer = stand.get(path).await;
        assert_eq!(answer.status().as_u16(), expected, "{path}");
        assert!(answer.text().await.unwrap().contains("There is no such"), "{path}");
    }
    let huge = "x".repeat(100_000);
    let answer = stand.form("/pipelines/customers/pause").body(huge).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(stand.paused().await, None);
}

#[tokio::test]
async fn a_browser_hears_at_once_that_something_changed() {
    let stand = Stand::open().await;
    let mut events = stand.get("/events").await;
    assert_eq!(events.headers()[CONTENT_TYPE], "text/event-stream");
    let mut heard = String::new();
    let mut next = async |events: &mut Response| {
        let begun = heard.matches("event: changed").count();
        while heard.matches("event: changed").count() == begun {
            let chunk = tokio::time::timeout(Duration::from_secs(20), events.chunk()).await;
            heard += &String::from_utf8_lossy(&chunk.unwrap().unwrap().unwrap());
        }
    };
    next(&mut events).await;
    stand.submit("/pipelines/customers/pause", &[]).await;
    next(&mut events).await;
}
