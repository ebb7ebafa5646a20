//! One record, looked up.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use shared::record::RecordKey;

use super::app::App;
use super::form::Fields;
use super::html::{frame, show};
use super::refusal::Refusal;
use super::session::Session;
use super::view::frame::{Frame, Tab};
use super::view::record::RecordView;
use crate::operate::why::why;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    frame: Frame,
    pipelines: Vec<(String, bool)>,
    key: String,
    pipeline: String,
    /// Of a record that is known.
    record: Option<RecordView>,
    /// Why none is shown.
    unknown: Option<&'static str>,
}

/// What somebody typed as a key.
pub(super) fn key_of(text: &str) -> Result<RecordKey, Refusal> {
    text.parse().map_err(|error: shared::record::InvalidName| Refusal::bad(format!("{error}.")))
}

pub(super) async fn record(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Fields::of_query(&uri);
    let asked = query.text("pipeline").map(|name| app.pipeline(name)).transpose()?;
    let text = query.text("key").unwrap_or_default();
    let at = app.state.now().await?;
    let (mut record, mut unknown) = (None, None);
    if let (Some(pipeline), false) = (asked, text.is_empty()) {
        let why = why(&app.state, &app.config, pipeline, None, &key_of(text)?).await?;
        record = why.state.map(|sight| RecordView::of(&sight, why.next, at));
        if record.is_none() {
            unknown =
                Some("Nothing is known of this record: the source never showed it, or it was never read.");
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
        record,
        unknown,
    };
    Ok((status, show(&page)).into_response())
}
