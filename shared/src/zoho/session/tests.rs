//! The token against an accounts server that counts how often it is asked.

use secrecy::ExposeSecret;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::failure::Reason;
use crate::zoho::client_tests::config;

async fn served(answer: ResponseTemplate) -> (MockServer, Session, Http) {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path("/oauth/v2/token")).respond_with(answer).mount(&server).await;
    let (session, http) = process(&server, &State::open_memory().await.unwrap());
    (server, session, http)
}

/// One of the processes that share a state.
fn process(server: &MockServer, state: &State) -> (Session, Http) {
    let config = config(&server.uri());
    let place = Place::new(&config).unwrap();
    let session = Session::new(place, config.secret.clone(), state.clone(), Arc::default()).unwrap();
    (session, Http::new(&config).unwrap())
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

fn token(lifetime: i64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"access_token": "1000.fresh", "expires_in": lifetime}))
}

/// A token that is due for renewal and works on for a minute.
async fn put_aging_token(session: &Session) {
    let now = Timestamp::now();
    let token = Token {
        access: "1000.aging".into(),
        expires_at: now + SignedDuration::from_mins(1),
        renew_at: now - SignedDuration::from_secs(1),
    };
    session.known.lock().await.token = Some((token, session.place.api_for(None)));
}

#[tokio::test]
async fn callers_that_come_together_share_one_token() {
    let (server, session, http) = served(token(3600)).await;
    let calls = (0..20).map(|_| session.current(&http));
    for ticket in futures_join(calls).await {
        assert_eq!(ticket.unwrap().access.expose_secret(), "1000.fresh");
    }
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn callers_that_come_together_share_one_failure() {
    let (server, session, http) = served(ResponseTemplate::new(502)).await;
    let calls = (0..20).map(|_| session.current(&http));
    for ticket in futures_join(calls).await {
        assert_eq!(ticket.unwrap_err().reason, Reason::ServerError);
    }
    assert_eq!(asked(&server).await, 1);
    session.current(&http).await.unwrap_err();
    assert_eq!(asked(&server).await, 2, "whoever comes later asks anew");
}

#[tokio::test]
async fn throttle_and_rejected_secret_are_not_asked_for_again_at_once() {
    let denied = ResponseTemplate::new(400).set_body_json(json!({"error": "Access Denied"}));
    let rejected = ResponseTemplate::new(200).set_body_json(json!({"error": "invalid_code"}));
    for (answer, class) in [(denied, Class::Throttled), (rejected, Class::Systemic)] {
        let (server, session, http) = served(answer).await;
        for _ in 0..3 {
            let failure = session.current(&http).await.unwrap_err();
            assert_eq!(failure.class, class);
            assert!(failure.retry_after.is_none_or(|wait| wait <= Duration::from_mins(10)));
        }
        assert_eq!(asked(&server).await, 1);
    }
}

#[tokio::test]
async fn token_that_is_due_is_renewed_and_used_on_where_that_fails() {
    let (server, session, http) = served(token(3600)).await;
    put_aging_token(&session).await;
    let ticket = session.current(&http).await.unwrap();
    assert_eq!(ticket.access.expose_secret(), "1000.fresh");
    assert_eq!(asked(&server).await, 1);

    let (server, session, http) = served(ResponseTemplate::new(502)).await;
    put_aging_token(&session).await;
    for _ in 0..3 {
        let ticket = session.current(&http).await.unwrap();
        assert_eq!(ticket.access.expose_secret(), "1000.aging");
    }
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn refused_token_is_replaced_once() {
    let (server, session, http) = served(token(3600)).await;
    let old = session.current(&http).await.unwrap();
    let new = session.replace(&old, &http).await.unwrap().unwrap();
    assert_eq!(asked(&server).await, 2);
    let other_caller = session.replace(&old, &http).await.unwrap().unwrap();
    assert_eq!(other_caller.number, new.number);
    assert!(session.replace(&new, &http).await.unwrap().is_none());
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn a_fleet_takes_one_token_whatever_the_number_of_its_processes_and_starts() {
    let server = MockServer::start().await;
    let slow = token(3600).set_delay(Duration::from_millis(100));
    Mock::given(method("POST")).respond_with(slow).mount(&server).await;
    let state = State::open_memory().await.unwrap();
    let processes: Vec<_> = (0..50).map(|_| process(&server, &state)).collect();
    for ticket in futures_join(processes.iter().map(|(session, http)| session.current(http))).await {
        assert_eq!(ticket.unwrap().access.expose_secret(), "1000.fresh");
    }
    let (later, http) = process(&server, &state);
    later.current(&http).await.unwrap();
    assert_eq!(asked(&server).await, 1);
    // Nothing that could be used is in the state.
    for (name, text) in state.memos("").await.unwrap() {
        assert!(
            !text.contains("fresh") && !text.contains("s3cret") && !text.contains("r3fresh"),
            "{name}: {text}"
        );
    }
    // All meet the same refusal: one new token for all.
    let tickets = futures_join(processes.iter().map(|(session, http)| session.current(http))).await;
    let replaced = processes
        .iter()
        .zip(&tickets)
        .map(|((session, http), ticket)| session.replace(ticket.as_ref().unwrap(), http));
    let numbers: Vec<u64> =
        futures_join(replaced).await.into_iter().map(|ticket| ticket.unwrap().unwrap().number).collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    assert_eq!(asked(&server).await, 2);
    for (session, http) in &processes {
        let ticket = session.current(http).await.unwrap();
        assert!(
            session.replace(&ticket, http).await.unwrap().is_none(),
            "a scope is missing, for all of them"
        );
    }
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn a_rejected_secret_is_shown_once_by_all_and_a_corrected_one_at_once() {
    let rejected = ResponseTemplate::new(200).set_body_json(json!({"error": "invalid_code"}));
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(rejected).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(token(3600)).mount(&server).await;
    let state = State::open_memory().await.unwrap();
    for _ in 0..5 {
        let (session, http) = process(&server, &state);
        let failure = session.current(&http).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Credentials));
        assert!(failure.to_string().contains("API console"), "{failure}");
    }
    assert_eq!(asked(&server).await, 1);
    let mut config = config(&server.uri());
    config.secret.refresh_token = "1000.another".into();
    let place = Place::new(&config).unwrap();
    let session = Session::new(place, config.secret.clone(), state.clone(), Arc::default()).unwrap();
    session.current(&Http::new(&config).unwrap()).await.unwrap();
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn never_ten_tokens_in_ten_minutes() {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(token(1)).mount(&server).await;
    let state = State::open_memory().await.unwrap();
    let mut refused = None;
    for _ in 0..12 {
        // Each is useless to the next one, which knows nothing of it.
        for (name, text) in state.memos("zoho-token/").await.unwrap() {
            let mut note: serde_json::Value = serde_json::from_str(&text).unwrap();
            note["sealed"] = json!("b3RoZXIga2V5");
            state.set_memo(&name, Some(&note.to_string())).await.unwrap();
        }
        let (session, http) = process(&server, &state);
        refused = session.current(&http).await.err();
    }
    let failure = refused.unwrap();
    assert_eq!(failure.class, Class::Throttled);
    assert!(failure.retry_after.unwrap() > Duration::from_mins(9), "{failure}");
    assert_eq!(asked(&server).await, 9);
}

#[tokio::test]
async fn a_process_that_dies_while_it_asks_keeps_the_others_waiting_for_seconds_and_no_longer() {
    let (server, session, http) = served(token(3600)).await;
    let name = TokenNote::name(&session.seal);
    let dead = Lease::take(&session.state, &name, "dead", Duration::from_millis(300)).await.unwrap().unwrap();
    session.current(&http).await.unwrap();
    assert_eq!(asked(&server).await, 1);
    drop(dead);
}

/// All of them at once, polled in turn.
async fn futures_join<F: Future>(calls: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = calls.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (call, result) in calls.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(output) = call.as_mut().poll(context)
            {
                *result = Some(output);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results.into_iter().flatten().collect()
}
