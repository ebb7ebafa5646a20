//! What every request passes: where it comes from, who asks, and for how long; and the headers of every answer.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::app::App;
use super::refusal::{Refusal, answer, is_api};
use super::session::{self, Session};

/// Everything answers within this, but the stream of events.
const PATIENCE: Duration = Duration::from_secs(15);

/// Nothing of others, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// On every answer. A referrer is sent to ourselves alone: without it browsers would not say where a form comes from.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

pub(super) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let passed = match admit(&app, request.method(), request.headers(), &uri).await {
        Ok(Admitted::SignsIn) => Redirect::to("/sign-in").into_response(),
        Ok(Admitted::Passes(session)) => {
            if let Some(session) = session {
                request.extensions_mut().insert(session);
            }
            let answered = next.run(request);
            if uri.path() == "/events" {
                answered.await
            } else {
                let late = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "That took too long; try again.");
                tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| answer(late, &uri))
            }
        }
        Err(refusal) => answer(refusal, &uri),
    };
    with_headers(passed)
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

enum Admitted {
    Passes(Option<Session>),
    SignsIn,
}

async fn admit(app: &App, method: &Method, headers: &HeaderMap, uri: &Uri) -> Result<Admitted, Refusal> {
    let host = host(headers, uri);
    // Without a token nothing but the address keeps others out: a name that somebody lets point here is another site.
    if app.config.page.token.is_none() && !host.as_deref().is_some_and(is_this_machine) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "This page is for this machine alone, by the names localhost and 127.0.0.1. A token lets it be reached by others.",
        ));
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        is_ours(headers, host.as_deref())?;
    }
    let session = match &app.config.page.token {
        None => Some(Session { form_token: app.form_token.clone(), id: None }),
        Some(token) if is_api(uri) => {
            session::bearer(app, token, headers).await?;
            None
        }
        Some(token) => {
            let session = Session::of(app, token, headers).await?;
            let is_open = matches!(uri.path(), "/sign-in") || uri.path().starts_with("/assets/");
            if session.is_none() && !is_open {
                if *method == Method::GET && uri.path() != "/events" {
                    return Ok(Admitted::SignsIn);
                }
                return Err(Refusal::new(
                    StatusCode::UNAUTHORIZED,
                    "You are not signed in any more. Sign in and try again.",
                ));
            }
            session
        }
    };
    Ok(Admitted::Passes(session))
}

/// Host and port that were asked for.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| uri.authority().map(Authority::as_str)).map(str::to_ascii_lowercase)
}

/// Any port: it may have come through a tunnel.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost"
        || name == "[::1]"
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// A change comes from our own pages, or from a program. Browsers say where it comes from, and cannot be told to lie.
pub(super) fn is_ours(headers: &HeaderMap, host: Option<&str>) -> Result<(), Refusal> {
    let refused =
        || Refusal::new(StatusCode::FORBIDDEN, "This came from another site and was not carried out.");
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    if let Some(origin) = text("origin") {
        let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        return if from.is_some() && from == host { Ok(()) } else { Err(refused()) };
    }
    match text("sec-fetch-site").as_deref() {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        for host in ["localhost", "localhost:9000", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "10.0.0.1:8080",
            "127.0.0.1.evil.example",
            "",
            ":80",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn another_sites_form_is_told_from_ours() {
        let headers = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        let host = Some("localhost:8080");
        for (name, value, ours) in [
            ("origin", "http://localhost:8080", true),
            ("origin", "https://localhost:8080", true),
            ("origin", "http://localhost:8081", false),
            ("origin", "http://evil.example", false),
            ("origin", "null", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "same-origin", true),
            ("accept", "*/*", true),
        ] {
            assert_eq!(is_ours(&headers(name, value), host).is_ok(), ours, "{name}: {value}");
        }
    }
}
