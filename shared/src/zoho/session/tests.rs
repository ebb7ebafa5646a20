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
    let config = config(&server.uri());
    let session = Session::new(Place::new(&config).unwrap(), config.secret.clone());
    (server, session, Http::new(&config).unwrap())
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
    session.state.lock().await.token = Some(Token {
        access: "1000.aging".into(),
        expires_at: now + SignedDuration::from_mins(1),
        renew_at: now - SignedDuration::from_secs(1),
    });
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
    assert_eq!(other_caller.asked, new.asked);
    assert!(session.replace(&new, &http).await.unwrap().is_none());
    assert_eq!(asked(&server).await, 2);
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
