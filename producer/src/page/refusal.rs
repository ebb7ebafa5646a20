//! Answers to what cannot be done: a status and plain words, as a page or as JSON. What went wrong inside is for the log
//! alone.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use shared::failure::{Class, Failure};

use super::assets;

/// Why not.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) what: String,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Page<'a> {
    status: u16,
    what: &'a str,
    assets: &'a str,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into() }
    }

    pub(super) fn unknown(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    pub(super) fn bad(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request is larger than anything that is asked for here.",
        )
    }

    /// As JSON.
    pub(super) fn json(&self) -> Response {
        let body = serde_json::json!({ "error": { "status": self.status.as_u16(), "message": self.what } });
        let mut answer = (self.status, super::api::Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<Failure> for Refusal {
    /// A wrong value says so in its own words; whatever else failed is told to the log.
    fn from(failure: Failure) -> Self {
        if failure.class == Class::Permanent {
            return Self::bad(failure.to_string());
        }
        tracing::warn!(reason = failure.reason.label(), "the page could not answer: {failure:#}");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The state does not answer now. The log of this process says why; try again in a moment.",
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let page = Page { status: self.status.as_u16(), what: &self.what, assets: assets::version() };
        match page.render() {
            Ok(text) => (self.status, Html(text)).into_response(),
            Err(error) => broken(&error),
        }
    }
}

/// A page that cannot be rendered: ours to repair.
pub(super) fn broken(error: &askama::Error) -> Response {
    tracing::error!("a page cannot be rendered: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown; the log says why.").into_response()
}

pub(super) fn is_api(uri: &Uri) -> bool {
    uri.path() == "/api" || uri.path().starts_with("/api/")
}

/// In the form that whoever asked there expects.
pub(super) fn answer(refusal: Refusal, uri: &Uri) -> Response {
    if is_api(uri) { refusal.json() } else { refusal.into_response() }
}

pub(super) async fn not_found(uri: Uri) -> Response {
    answer(Refusal::unknown("page"), &uri)
}

pub(super) async fn not_allowed(uri: Uri) -> Response {
    answer(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "That cannot be done with this address."), &uri)
}
