//! Changes by forms. Each ends with a redirect: loading the page again repeats nothing.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Redirect;
use shared::config::interval;
use shared::fleet::Scope;

use super::app::App;
use super::form::{self, Fields};
use super::letters::{self, Deed, Meant};
use super::refusal::Refusal;
use super::session::Session;
use crate::operate::change::Change;
use crate::schedule::{Interval, Kind, Overrides};

/// More than a reason needs.
const WHY_CHARACTERS_MAX: usize = 200;

pub(super) async fn change(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    Path((name, change)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Redirect, Refusal> {
    let fields = form::of_session(body, session.as_deref())?;
    let pipeline = app.pipeline(&name)?;
    if let Some(deed) = Deed::of(&change) {
        let said = deed.said(letters::carry_out(&app, pipeline, deed, Meant::of_form(&fields)).await?);
        let back = match (fields.get("back"), fields.get("key")) {
            (Some("record"), Some(key)) => {
                let key: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
                format!("/records?pipeline={name}&key={key}")
            }
            _ => format!("/failures?pipeline={name}"),
        };
        return Ok(Redirect::to(&format!("{back}&said={said}")));
    }
    let (change, said) = of_form(&change, &fields)?;
    change.apply(&app.state, pipeline).await?;
    tracing::info!(pipeline = %pipeline.name, "by the page: {said}");
    app.look_again();
    let back =
        if fields.get("back") == Some("pipeline") { format!("/pipelines/{name}") } else { "/".to_owned() };
    Ok(Redirect::to(&format!("{back}?said={said}")))
}

/// The change, and the name of what is said of it.
fn of_form(change: &str, fields: &Fields) -> Result<(Change, &'static str), Refusal> {
    let why = |usual: &str| why(fields.text("why"), usual);
    Ok(match change {
        "pause" => (Change::Pause { scope: Scope::Pipeline, why: why("paused by hand")? }, "paused"),
        "resume" => (Change::Resume(Scope::Pipeline), "resumed"),
        "pause-images" => {
            (Change::Pause { scope: Scope::Images, why: why("paused by hand")? }, "images-paused")
        }
        "resume-images" => (Change::Resume(Scope::Images), "images-resumed"),
        "disable" => (Change::Disable { why: why("disabled by hand")? }, "disabled"),
        "enable" => (Change::Enable, "enabled"),
        "run" => {
            let kind = fields.text("kind").unwrap_or("incremental");
            let kind = Kind::ALL.into_iter().find(|known| known.label() == kind);
            (Change::Run(kind.ok_or_else(|| Refusal::bad("There is no such kind of run."))?), "asked")
        }
        "rhythm" => {
            let every = fields.text("every").map(span).transpose()?;
            let or_never = |name| fields.text(name).map(span_or_never).transpose();
            let overrides = Overrides {
                every,
                compare_every: or_never("compare_every")?,
                full_every: or_never("full_every")?,
                sweep_every: or_never("sweep_every")?,
            };
            (Change::Rhythm(overrides), "set")
        }
        _ => return Err(Refusal::unknown("page")),
    })
}

/// What a person says, or what is usual.
pub(super) fn why(said: Option<&str>, usual: &str) -> Result<String, Refusal> {
    let said = said.unwrap_or(usual);
    if said.chars().count() > WHY_CHARACTERS_MAX || said.contains(char::is_control) {
        return Err(Refusal::bad(format!("Say why in one line of at most {WHY_CHARACTERS_MAX} characters.")));
    }
    Ok(said.to_owned())
}

/// "15m".
pub(super) fn span(text: &str) -> Result<Interval, Refusal> {
    interval(text).map(|span| Interval::from(Some(span))).map_err(|what| Refusal::bad(format!("{what}.")))
}

/// "7d" or "never".
pub(super) fn span_or_never(text: &str) -> Result<Interval, Refusal> {
    if text == "never" { Ok(Interval::Never) } else { span(text) }
}

/// What is shown after a change: only what is named here, whatever the address says.
pub(super) fn said(name: &str) -> Option<&'static str> {
    Some(match name {
        "paused" => "Paused. Nothing of it is read or written until it is resumed.",
        "resumed" => "Resumed.",
        "images-paused" => "Its images are paused; fields go on.",
        "images-resumed" => "Its images go on.",
        "disabled" => "The schedule is switched off. Runs that are asked for still run.",
        "enabled" => "The schedule is switched on.",
        "asked" => "A run is due now; whoever keeps the schedule begins it within seconds.",
        "set" => "The intervals are set.",
        "redriven" => "Redriven: they are tried again.",
        "discarded" => "Discarded: forgotten until the source shows them again.",
        "going-on" => "That is a lot: it goes on behind this page. Look again in a while.",
        "under-way" => "They are being tried again already.",
        "nothing" => "There was nothing to do.",
        _ => return None,
    })
}
