//! Signing in: a token for a cookie. Sessions are in the state, so that any process of a fleet knows them; there is only a
//! sum of each, which signs nobody in.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::failure::{Failure, Reason};

use super::app::App;
use super::assets;
use super::form::{self, Fields};
use super::refusal::{Refusal, broken};

/// How long one stays signed in.
const TERM: SignedDuration = SignedDuration::from_hours(12);

/// What a wrong token costs.
const SLOW: Duration = Duration::from_secs(1);

const COOKIE: &str = "catalog_sync_session";

/// Of whoever asks.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// In every form of this session; no other site can read it.
    pub(super) form_token: String,
    /// What the cookie holds; `None` where nobody signs in.
    pub(super) id: Option<String>,
}

/// A memo of the state.
#[derive(Serialize, Deserialize)]
struct Kept {
    until: Timestamp,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    is_wrong: bool,
    assets: &'static str,
}

impl Session {
    /// Of this cookie, where it is known and not over.
    pub(super) async fn of(
        app: &App,
        token: &SecretString,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, Failure> {
        let Some(id) = cookie(headers) else { return Ok(None) };
        let Some(text) = app.state.memo(&memo_name(&id, token)).await? else { return Ok(None) };
        let until = serde_json::from_str::<Kept>(&text).ok().map(|kept| kept.until);
        if until.is_none_or(|until| until < Timestamp::now()) {
            return Ok(None);
        }
        Ok(Some(Self { form_token: sum(&["form", &id]), id: Some(id) }))
    }
}

/// 32 random bytes as text.
pub(super) fn random() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::systemic(Reason::File, "the system has no random numbers")
            .advise("see why this machine has none (getrandom)")
            .because(std::io::Error::other(error.to_string()))
    })?;
    Ok(hex(&bytes))
}

/// The API's way in.
pub(super) async fn bearer(app: &App, token: &SecretString, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(given) = given.and_then(|given| given.strip_prefix("Bearer ")) else {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "Send the page's token as `Authorization: Bearer TOKEN`.",
        ));
    };
    admit(app, token, given).await
}

/// A wrong token is answered slowly, and few at a time: nobody tries many. A right one never waits.
async fn admit(app: &App, token: &SecretString, given: &str) -> Result<(), Refusal> {
    if is_same(given, token.expose_secret()) {
        return Ok(());
    }
    let Ok(_turn) = app.guesses.try_acquire() else {
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong tokens at a time; try again later.",
        ));
    };
    tracing::warn!("somebody gave a wrong token of the operator's page");
    tokio::time::sleep(SLOW).await;
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "That is not the token."))
}

/// Takes the same time whatever is given: sums are compared, and all of them.
fn is_same(given: &str, token: &str) -> bool {
    let (given, token) = (Sha256::digest(given), Sha256::digest(token));
    given.iter().zip(token.iter()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

pub(super) async fn sign_in_form(State(app): State<App>) -> Response {
    if app.config.page.token.is_none() {
        return Redirect::to("/").into_response();
    }
    show(false)
}

fn show(is_wrong: bool) -> Response {
    match (Page { is_wrong, assets: assets::version() }).render() {
        Ok(text) => {
            (if is_wrong { StatusCode::UNAUTHORIZED } else { StatusCode::OK }, Html(text)).into_response()
        }
        Err(error) => broken(&error),
    }
}

pub(super) async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Some(token) = &app.config.page.token else { return Ok(Redirect::to("/").into_response()) };
    let fields = Fields::read(body)?;
    match admit(&app, token, fields.get("token").unwrap_or_default()).await {
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => return Ok(show(true)),
        admitted => admitted?,
    }
    forget_the_old(&app).await?;
    let id = random()?;
    let kept = Kept { until: Timestamp::now() + TERM };
    let text = serde_json::to_string(&kept).unwrap_or_default();
    app.state.set_memo(&memo_name(&id, token), Some(&text)).await?;
    Ok(with_cookie(&headers, &id, TERM))
}

pub(super) async fn sign_out(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    form::of_session(body, session.as_deref())?;
    if let (Some(token), Some(id)) = (&app.config.page.token, session.and_then(|session| session.0.id)) {
        app.state.set_memo(&memo_name(&id, token), None).await?;
    }
    Ok(with_cookie(&headers, "", SignedDuration::ZERO))
}

/// To the first page, with this cookie.
fn with_cookie(headers: &HeaderMap, id: &str, term: SignedDuration) -> Response {
    // Whoever speaks TLS for us says so.
    let proto = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let secure = if proto == Some("https") { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}", term.as_secs());
    let mut answer = Redirect::to("/").into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, value);
    }
    answer
}

async fn forget_the_old(app: &App) -> Result<(), Failure> {
    let now = Timestamp::now();
    for (name, text) in app.state.memos("session/").await? {
        if serde_json::from_str::<Kept>(&text).ok().is_none_or(|kept| kept.until < now) {
            app.state.swap_memo(&name, Some(&text), None).await?;
        }
    }
    Ok(())
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, id) = pairs.find(|(name, _)| *name == COOKIE)?;
    let fits = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| id.to_owned())
}

/// Another token knows no session of the one before.
fn memo_name(id: &str, token: &SecretString) -> String {
    format!("session/{}", sum(&[id, token.expose_secret()]))
}

fn sum(parts: &[&str]) -> String {
    let sum = parts.iter().fold(Sha256::new(), |sum, part| sum.chain_update(part).chain_update([0]));
    hex(&sum.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
