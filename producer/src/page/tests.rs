use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use shared::config::Config;
use shared::fleet::{Pause, PausedBy, Scope};
use shared::state::State;
use shared::telemetry::Serving;

use super::*;
use crate::schedule::Schedule;

const TEXT: &str = "[odoo.erp]\nurl = \"https://erp.example\"\ndatabase = \"x\"\n[json.files]\nfolder = \"out\"\n\
                    [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n\
                    [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n";

const TOKEN: &str = "geheim-0123456789abcdef";

pub(super) struct Stand {
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    serving: Serving,
    client: Client,
    token: Option<&'static str>,
}

fn config(listen: &str, token: Option<&str>) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog-sync.toml");
    std::fs::write(&path, TEXT).unwrap();
    let environment = |name: &str| match name {
        "CATALOG_SYNC_PAGE_LISTEN" => Some(listen.to_owned()),
        "CATALOG_SYNC_PAGE_TOKEN" => token.map(str::to_owned),
        _ => None,
    };
    Config::load_with(Path::new(&path), &environment).unwrap()
}

impl Stand {
    pub(super) async fn open() -> Self {
        Self::with(None).await
    }

    pub(super) async fn with(token: Option<&'static str>) -> Self {
        let config = Arc::new(config("127.0.0.1:0", token));
        let state = State::open_memory().await.unwrap();
        let serving = serve(&config, &state, None).await.unwrap().unwrap();
        let client =
            Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { config, state, serving, client, token }
    }

    fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(super) async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// The token that the page's forms hold.
    pub(super) async fn form_token(&self) -> String {
        let page = self.text("/").await;
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(super) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.form_token().await;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("form_token", &token).extend_pairs(fields);
        self.form(path).body(body.finish()).send().await.unwrap()
    }

    fn form(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    pub(super) async fn api(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let mut request = self.request(method.clone(), &format!("/api/v1{path}"));
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap())
    }

    pub(super) fn pipeline(&self) -> &shared::config::Pipeline {
        &self.config.pipelines[0]
    }

    async fn paused(&self) -> Option<Pause> {
        Pause::of(&self.state, &self.pipeline().name, Scope::Pipeline).await.unwrap()
    }
}

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
