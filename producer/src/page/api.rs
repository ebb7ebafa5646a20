//! The same as the page, as JSON: `docs/api.md` describes it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::fleet::{Scope, spent_of};
use shared::record::RunId;
use shared::state::Sight;

use super::app::App;
use super::change::{span, span_or_never, why};
use super::form::Fields;
use super::guard;
use super::letters::{self, Deed};
use super::record::{Found, find, key_of};
use super::refusal::Refusal;
use crate::operate::change::Change;
use crate::operate::letters::LetterPage;
use crate::operate::overview::PipelineView;
use crate::schedule::{Kind, Overrides};

/// Runs or dead letters in one answer at most.
const LISTED_MAX: usize = 200;

/// The same where nobody says how many.
const LISTED: usize = 20;

/// A body of JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!("an answer cannot be written as JSON: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A refusal as JSON.
#[derive(Debug)]
pub(super) struct Refused(Refusal);

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.json()
    }
}

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/status", get(status))
        .route("/pipelines/{pipeline}", get(pipeline))
        .route("/pipelines/{pipeline}/{change}", post(change))
        .route("/pipelines/{pipeline}/records/{key}", get(record))
        .route("/pipelines/{pipeline}/why", get(whole))
        .route("/pipelines/{pipeline}/dead-letters", get(dead_letters))
        .route("/runs", get(runs))
        .route("/runs/{run}", get(run))
}

async fn status(State(app): State<App>) -> Result<Response, Refused> {
    Ok(Json(&*app.overview().await?).into_response())
}

async fn pipeline(State(app): State<App>, Path(name): Path<String>) -> Result<Json<PipelineView>, Refused> {
    let pipeline = app.pipeline(&name)?;
    Ok(Json(app.look(pipeline).await?))
}

async fn runs(State(app): State<App>, uri: Uri) -> Result<Response, Refused> {
    let query = Fields::of_query(&uri);
    let pipeline = query.text("pipeline").map(|name| app.pipeline(name)).transpose()?;
    let runs = app.state.runs(pipeline.map(|pipeline| &pipeline.name), limit(&query)?).await?;
    Ok(Json(json!({ "runs": runs })).into_response())
}

async fn run(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Refused> {
    let id = id.parse().map(RunId).map_err(|_| Refusal::unknown("run"))?;
    let run = app.state.run(id).await?.ok_or_else(|| Refusal::unknown("run"))?;
    let spent = spent_of(&app.state, id).await?;
    Ok(Json(json!({ "run": run, "spent": spent })).into_response())
}

async fn dead_letters(
    State(app): State<App>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<LetterPage>, Refused> {
    let query = Fields::of_query(&uri);
    let pipeline = app.pipeline(&name)?;
    Ok(Json(letters::list(&app, pipeline, &query, limit(&query)?).await?))
}

/// How many somebody wants.
fn limit(query: &Fields) -> Result<usize, Refusal> {
    match query.text("limit").map(str::parse) {
        None => Ok(LISTED),
        Some(Ok(limit)) if (1..=LISTED_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Refusal::bad(format!("`limit` is a number from 1 to {LISTED_MAX}."))),
    }
}

async fn record(
    State(app): State<App>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Json<Sight>, Refused> {
    let pipeline = app.pipeline(&name)?;
    let sight = app.state.look(&pipeline.name, &key_of(&key)?).await?;
    Ok(Json(sight.ok_or_else(|| Refusal::unknown("record"))?))
}

/// The same as `catalog-sync why --json`.
async fn whole(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refused> {
    let query = Fields::of_query(&uri);
    let pipeline = app.pipeline(&name)?;
    guard::is_ours(&headers, None)?;
    let found = match (query.text("key"), query.text("sku")) {
        (Some(key), None) => find(&app, pipeline, Some(key_of(key)?), None).await?,
        (None, Some(sku)) => find(&app, pipeline, None, Some(sku)).await?,
        _ => return Err(Refusal::bad("Name a record by its `key` or by its `sku`.").into()),
    };
    match found {
        Found::Record(why) => Ok(Json(why).into_response()),
        Found::Nothing(words) => Err(Refusal::new(StatusCode::NOT_FOUND, words).into()),
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PauseBody {
    scope: Option<Scope>,
    why: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WhyBody {
    why: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RunBody {
    kind: Option<Kind>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RhythmBody {
    every: Option<String>,
    compare_every: Option<String>,
    full_every: Option<String>,
    sweep_every: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct NoBody {}

async fn change(
    State(app): State<App>,
    Path((name, change)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let body = Body::read(&headers, body)?;
    let pipeline = app.pipeline(&name)?;
    if let Some(deed) = Deed::of(&change) {
        return Ok(match letters::carry_out(&app, pipeline, deed, body.parse()?).await? {
            Some(outcomes) => Json(outcomes).into_response(),
            None => (StatusCode::ACCEPTED, Json(json!({}))).into_response(),
        });
    }
    let change = match change.as_str() {
        "pause" => {
            let PauseBody { scope, why: said } = body.parse()?;
            let why = why(said.as_deref(), "paused by hand")?;
            Change::Pause { scope: scope.unwrap_or(Scope::Pipeline), why }
        }
        "resume" => {
            let PauseBody { scope, .. } = body.parse()?;
            Change::Resume(scope.unwrap_or(Scope::Pipeline))
        }
        "disable" => {
            Change::Disable { why: why(body.parse::<WhyBody>()?.why.as_deref(), "disabled by hand")? }
        }
        "enable" => {
            let NoBody {} = body.parse()?;
            Change::Enable
        }
        "run" => Change::Run(body.parse::<RunBody>()?.kind.unwrap_or(Kind::Incremental)),
        "rhythm" => {
            let RhythmBody { every, compare_every, full_every, sweep_every } = body.parse()?;
            Change::Rhythm(Overrides {
                every: every.as_deref().map(span).transpose()?,
                compare_every: compare_every.as_deref().map(span_or_never).transpose()?,
                full_every: full_every.as_deref().map(span_or_never).transpose()?,
                sweep_every: sweep_every.as_deref().map(span_or_never).transpose()?,
            })
        }
        _ => return Err(Refusal::unknown("page").into()),
    };
    change.apply(&app.state, pipeline).await?;
    tracing::info!(pipeline = %pipeline.name, ?change, "by the API");
    app.look_again();
    Ok(Json(app.look(pipeline).await?).into_response())
}

/// What was sent.
pub(super) struct Body(Bytes);

impl Body {
    /// A form of another site cannot say that it sends JSON.
    pub(super) fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Self, Refusal> {
        let body = body.map_err(|_| Refusal::too_large())?;
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            return Ok(Self(body));
        }
        Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send JSON, and say so: `Content-Type: application/json`.",
        ))
    }

    /// Nothing is as good as an empty object.
    pub(super) fn parse<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.0.is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&self.0).map_err(|error| {
            Refusal::bad(format!(
                "The body is not what is asked for: {}.",
                shared::failure::one_line(error.to_string())
            ))
        })
    }
}
