//! Records that are looked up, and those that failed.

use super::*;

/// Wants a record and gives it up.
async fn bury(stand: &Stand, key: &str, values: Value, message: &str) {
    let name = &stand.pipeline().name;
    let run = begin(stand).await;
    let checksum = shared::checksum::Checksum::of_value(&json!(key));
    let want = shared::state::Want { key: key.parse().unwrap(), checksum, image: None };
    let wanted = stand.state.want(&run, &[want], false).await.unwrap()[0];
    let shared::state::Wanted::Enqueue { version, place } = wanted else { panic!("{key} is new") };
    let failure = json!({"at": "2026-11-26T00:00:00Z", "class": "permanent", "reason": "bad_record", "message": message});
    let letter = json!({"unmapped": false, "failure": failure, "job": {
        "format": 1, "kind": "record", "pipeline": name, "key": key, "version": version, "checksum": checksum,
        "run": run.id, "place": place, "attempt": 3, "values": values, "failures": [failure],
    }});
    stand.state.bury(&[serde_json::from_value(letter).unwrap()]).await.unwrap();
}

async fn begin(stand: &Stand) -> shared::state::Run {
    let none = shared::checksum::Checksum::of_value(&Value::Null);
    let binding = shared::state::Binding { source: "a".to_owned(), sink: "b".to_owned(), mapping: none };
    let window = shared::state::Window { start: None, end: "2026-11-26T00:00:00Z".parse().unwrap() };
    let new = shared::state::NewRun {
        pipeline: stand.pipeline().name.clone(),
        kind: shared::state::RunKind::Full,
        window,
        binding,
        force: false,
        reset: false,
    };
    stand.state.begin_run(&new).await.unwrap()
}

#[tokio::test]
async fn a_record_is_looked_up_with_what_failed_and_its_values_as_they_are() {
    let stand = Stand::open().await;
    let name = "<script>alert('x')</script>";
    bury(&stand, "42", json!({"name": name, "list_price": 10.5}), &format!("{name} is refused")).await;
    let page = stand.text("/records?pipeline=customers&key=42").await;
    assert!(page.contains("It was given up, and the sink never had it."), "{page}");
    assert!(page.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62; is refused"), "{page}");
    assert!(
        page.contains("after 3 attempts") && page.contains("10.5") && !page.contains("<script>"),
        "{page}"
    );
    // What the state knows waits for no source; nobody listens where this one should be.
    let ask = "/records?pipeline=customers&amp;key=42&amp;ask=source";
    assert!(page.contains(ask) && !page.contains("The source gave no answer"), "{page}");
    let asked = stand.text(&ask.replace("&amp;", "&")).await;
    assert!(asked.contains("The source gave no answer") && !asked.contains("data-ask"), "{asked}");
    let (status, told) = stand.api(Method::GET, "/pipelines/customers/records/42", &Value::Null).await;
    assert_eq!(
        (status, &told["stage"], &told["letter"]["job"]["values"]["name"]),
        (StatusCode::OK, &json!("dead"), &json!(name))
    );
    for (path, expected) in [
        ("/records", 200),
        ("/records?pipeline=customers&key=43", 404),
        ("/records?pipeline=custmers&key=42", 404),
        ("/records?pipeline=customers&key=a%20b", 404),
    ] {
        let answer = stand.get(path).await;
        assert_eq!(answer.status().as_u16(), expected, "{path}");
        assert!(!answer.text().await.unwrap().contains("is refused"), "{path}");
    }
    let (status, told) = stand.api(Method::GET, "/pipelines/customers/records/43", &Value::Null).await;
    assert_eq!((status.as_u16(), &told["error"]["message"]), (404, &json!("There is no such record.")));
}

#[tokio::test]
async fn what_failed_is_listed_by_reason_redriven_and_discarded() {
    let stand = Stand::open().await;
    assert!(stand.text("/failures").await.contains("nothing was given up"));
    for key in ["41", "42", "a&b=c"] {
        bury(&stand, key, json!({"name": key}), "the unit <b>box</b> does not exist").await;
    }
    let page = stand.text("/failures").await;
    assert!(page.contains("bad record") && page.contains("the unit &#60;b&#62;box&#60;/b&#62;"), "{page}");
    assert!(page.contains("/records?pipeline=customers&amp;key=a%26b%3Dc"), "{page}");
    let listed = async |query: &str| {
        stand.api(Method::GET, &format!("/pipelines/customers/dead-letters{query}"), &Value::Null).await.1
    };
    let all = listed("?limit=2").await;
    assert_eq!((&all["kept"], all["letters"].as_array().unwrap().len()), (&json!(3), 2));
    assert_eq!(listed(&format!("?before={}", all["next"])).await["letters"].as_array().unwrap().len(), 1);
    assert_eq!(listed("?reason=timeout").await["letters"], json!([]));
    let outstanding = async || stand.state.counts(&stand.pipeline().name).await.unwrap().outstanding;
    // One, by the page; on one machine a run is asked for, which enqueues it.
    let answer = stand.submit("/pipelines/customers/redrive", &[("key", "a&b=c"), ("back", "record")]).await;
    assert_eq!(answer.headers()[LOCATION], "/records?pipeline=customers&key=a%26b%3Dc&said=redriven");
    assert_eq!(outstanding().await, 1);
    assert_eq!(
        Schedule::of(&stand.state, stand.pipeline()).note().await.unwrap().asked,
        Some(crate::schedule::Kind::Incremental)
    );
    assert!(stand.text("/records?pipeline=customers&key=a%26b%3Dc").await.contains("redriven"));
    // All of a reason, by the API.
    let post = async |deed: &str, body: Value| {
        stand.api(Method::POST, &format!("/pipelines/customers/{deed}"), &body).await
    };
    let (status, outcomes) = post("redrive", json!({"reason": "bad_record"})).await;
    assert_eq!((status, &outcomes["done"], &outcomes["under_way"]), (StatusCode::OK, &json!(2), &json!(1)));
    assert_eq!(outstanding().await, 3);
    bury(&stand, "43", json!({}), "no").await;
    let answer = stand.submit("/pipelines/customers/discard", &[("reason", "bad_record")]).await;
    assert!(answer.headers()[LOCATION].to_str().unwrap().ends_with("said=discarded"));
    let (status, _) = stand.api(Method::GET, "/pipelines/customers/records/43", &Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for (body, expected) in [
        (json!({}), 400),
        (json!({"all": true, "reason": "timeout"}), 400),
        (json!({"reason": "bad weather"}), 400),
        (json!({"keys": []}), 400),
        (json!({"keys": ["a b"]}), 400),
        (json!({"keys": ["4711"]}), 404),
    ] {
        assert_eq!(post("redrive", body.clone()).await.0.as_u16(), expected, "{body}");
        assert_eq!(post("discard", body.clone()).await.0.as_u16(), expected, "{body}");
    }
}
