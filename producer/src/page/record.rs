//! One record, looked up: what the state knows, and where somebody came to see it, what source and sink have.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::record::RecordKey;

use super::app::App;
use super::form::Fields;
use super::guard;
use super::html::{frame, show};
use super::refusal::Refusal;
use super::session::Session;
use super::view::frame::{Frame, Tab};
use super::view::record::{RecordView, SourceView};
use crate::operate::why::{Asked, Why, by_sku, why};

/// What a remote system has not answered by then is left out.
const ANSWERED: Duration = Duration::from_secs(5);

/// No key and no SKU is longer.
const CHARACTERS_MAX: usize = 200;

const UNKNOWN: &str = "Nothing is known of this record: the source never showed it, or it was never read.";

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    pipelines: Vec<(String, bool)>,
    key: String,
    pipeline: String,
    /// What happens next, in words; `None`: there is no such record.
    next: Option<String>,
    /// What the state knows.
    record: Option<RecordView>,
    /// What the source said; `None`: it was not asked.
    source: Option<SourceView>,
    /// It may be.
    may_ask: bool,
    /// Where a person sees it in the sink.
    url: Option<String>,
    /// Why none is shown.
    unknown: Option<String>,
}

/// What came of looking.
pub(super) enum Found {
    Record(Box<Why>),
    /// There is no such record; in words.
    Nothing(String),
}

/// What somebody typed as a key.
pub(super) fn key_of(text: &str) -> Result<RecordKey, Refusal> {
    text.parse().map_err(|error: shared::record::InvalidName| Refusal::bad(format!("{error}.")))
}

/// Looks for a record by its key, else by its SKU, in source, state and sink.
pub(super) async fn find(
    app: &App,
    pipeline: &Pipeline,
    key: Option<RecordKey>,
    sku: Option<&str>,
) -> Result<Found, Failure> {
    let mut words = Vec::new();
    if let Some(key) = key {
        let why = ask(app, pipeline, &key).await?;
        if why.state.is_some() || matches!(why.source, Asked::Has(_)) {
            return Ok(Found::Record(Box::new(why)));
        }
        words.push(match why.source {
            Asked::Away(why) => {
                format!("Nothing is known of this record, and the source gave no answer: {why}.")
            }
            _ => UNKNOWN.to_owned(),
        });
    }
    if let Some(sku) = sku {
        match tokio::time::timeout(ANSWERED, by_sku(&app.state, pipeline, &app.systems, sku)).await {
            Ok(Ok(key)) => return Ok(Found::Record(Box::new(ask(app, pipeline, &key).await?))),
            Ok(Err(failure)) => words.push(format!("As a SKU: {}.", failure.what())),
            Err(_) => words.push("As a SKU: no answer in time.".to_owned()),
        }
    }
    Ok(Found::Nothing(words.join(" ")))
}

/// All that is known. A source that takes too long takes nothing away from what the state tells.
async fn ask(app: &App, pipeline: &Pipeline, key: &RecordKey) -> Result<Why, Failure> {
    let asked = why(&app.state, &app.config, pipeline, Some(&app.systems), key);
    if let Ok(why) = tokio::time::timeout(ANSWERED, asked).await {
        return why;
    }
    let known = why(&app.state, &app.config, pipeline, None, key).await?;
    Ok(Why { source: Asked::Away(format!("none within {} s", ANSWERED.as_secs())), ..known })
}

/// Looks at the page's query. What the state knows is shown at once: the source may be slow or away, and is asked by the link
/// that the page has for that, which its script follows. What the state does not know, only the source can tell.
async fn look(
    app: &App,
    pipeline: &Pipeline,
    text: &str,
    asks_source: bool,
    may_ask: bool,
) -> Result<Found, Failure> {
    let key: Option<RecordKey> = text.parse().ok();
    if let (Some(key), false) = (&key, asks_source && may_ask) {
        let known = why(&app.state, &app.config, pipeline, None, key).await?;
        if known.state.is_some() {
            return Ok(Found::Record(Box::new(known)));
        }
    }
    if may_ask { find(app, pipeline, key, Some(text)).await } else { Ok(Found::Nothing(UNKNOWN.to_owned())) }
}

/// A page that keeps itself up to date asks the state alone, and another site may not spend a source's calls.
fn may_ask(headers: &HeaderMap) -> bool {
    !headers.contains_key("x-live") && guard::is_ours(headers, None).is_ok()
}

pub(super) async fn record(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Fields::of_query(&uri);
    let asked = query.text("pipeline").map(|name| app.pipeline(name)).transpose()?;
    let text = query.text("key").unwrap_or_default();
    if text.chars().count() > CHARACTERS_MAX {
        return Err(Refusal::bad(format!("No key or SKU has more than {CHARACTERS_MAX} characters.")));
    }
    let at = app.state.now().await?;
    let asks_source = query.text("ask") == Some("source");
    let (mut found, mut unknown) = (None, None);
    if let (Some(pipeline), false) = (asked, text.is_empty()) {
        let looked = look(&app, pipeline, text, asks_source, may_ask(&headers)).await?;
        match looked {
            Found::Record(why) if why.key.as_str() != text => return Ok(to(&why)),
            Found::Record(why) => found = Some(*why),
            Found::Nothing(words) => unknown = Some(words),
        }
    }
    let status = if unknown.is_some() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let is_asked = |name| asked.is_some_and(|asked| asked.name == name);
    let names = app.config.pipelines.iter().map(|known| known.name.clone());
    let page = RecordPage {
        frame: frame("Look up", Tab::Records, session.as_deref(), &uri),
        pipelines: names.map(|name| (name.to_string(), is_asked(name))).collect(),
        key: text.to_owned(),
        pipeline: asked.map(|pipeline| pipeline.name.to_string()).unwrap_or_default(),
        next: found.as_ref().map(|why| why.next.clone()),
        record: found.as_ref().and_then(|why| why.state.as_ref()).map(|sight| RecordView::of(sight, at)),
        source: found.as_ref().and_then(|why| SourceView::of(&why.source)),
        may_ask: !asks_source,
        url: found.and_then(|why| why.url),
        unknown,
    };
    Ok((status, show(&page)).into_response())
}

/// A record that was found by its SKU has an address of its own.
fn to(why: &Why) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("pipeline", why.pipeline.as_str()).append_pair("key", why.key.as_str());
    Redirect::to(&format!("/records?{}", query.finish())).into_response()
}
