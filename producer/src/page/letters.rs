//! Dead letters: what failed and why, and what a person does about it.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use shared::config::Pipeline;
use shared::failure::{Failure, Reason};
use shared::record::RecordKey;

use super::app::App;
use super::form::Fields;
use super::html::{frame, show};
use super::record::key_of;
use super::refusal::Refusal;
use super::session::Session;
use super::view::frame::{Frame, Tab};
use super::view::letter::{Group, LetterRow, words};
use crate::operate::letters::{self, LetterPage, Outcomes, Which};
use crate::schedule::{Kind, Schedule};

/// Letters of one page.
const LISTED: usize = 50;

/// Records that one request may name.
const KEYS_MAX: usize = 200;

/// What takes longer goes on behind the answer.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Template)]
#[template(path = "failures.html")]
struct FailuresPage {
    frame: Frame,
    groups: Vec<Group>,
    /// Of the pipeline whose letters are listed.
    pipeline: String,
    /// Label and words.
    reason: Option<(&'static str, String)>,
    letters: Vec<LetterRow>,
    next: Option<u64>,
}

/// Which letters somebody means.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Meant {
    all: bool,
    reason: Option<String>,
    keys: Vec<String>,
}

/// What is done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Redrive,
    Discard,
}

impl Deed {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "redrive" => Some(Self::Redrive),
            "discard" => Some(Self::Discard),
            _ => None,
        }
    }

    /// The name of what is said of it.
    pub(super) fn said(self, outcomes: Option<Outcomes>) -> &'static str {
        match (self, outcomes) {
            (_, None) => "going-on",
            (_, Some(Outcomes { done: 0, under_way: 0, .. })) => "nothing",
            (_, Some(Outcomes { done: 0, .. })) => "under-way",
            (Self::Redrive, Some(_)) => "redriven",
            (Self::Discard, Some(_)) => "discarded",
        }
    }
}

/// The same, checked.
#[derive(Debug, Clone)]
enum Chosen {
    All,
    Reason(Reason),
    Keys(Vec<RecordKey>),
}

impl Meant {
    /// Of a form: a reason, a record, or all.
    pub(super) fn of_form(fields: &Fields) -> Self {
        Self {
            all: fields.get("all") == Some("yes"),
            reason: fields.text("reason").map(str::to_owned),
            keys: fields.text("key").map(str::to_owned).into_iter().collect(),
        }
    }

    fn check(self) -> Result<Chosen, Refusal> {
        match self {
            Self { all: true, reason: None, keys } if keys.is_empty() => Ok(Chosen::All),
            Self { all: false, reason: Some(reason), keys } if keys.is_empty() => {
                reason_of(&reason).map(Chosen::Reason)
            }
            Self { all: false, reason: None, keys } if (1..=KEYS_MAX).contains(&keys.len()) => {
                keys.iter().map(|key| key_of(key)).collect::<Result<_, _>>().map(Chosen::Keys)
            }
            _ => Err(Refusal::bad(format!(
                "Say which dead letters: those of a `reason`, those of `keys` (1 to {KEYS_MAX}), or `all`."
            ))),
        }
    }
}

pub(super) fn reason_of(label: &str) -> Result<Reason, Refusal> {
    Reason::of_label(label).ok_or_else(|| Refusal::bad("There is no such reason."))
}

/// Does it. `None`: it takes long, and goes on without us.
pub(super) async fn carry_out(
    app: &App,
    pipeline: &Pipeline,
    deed: Deed,
    meant: Meant,
) -> Result<Option<Outcomes>, Refusal> {
    let chosen = meant.check()?;
    let (app, pipeline) = (app.clone(), pipeline.clone());
    let work = tokio::spawn(async move {
        let name = &pipeline.name;
        let which = match &chosen {
            Chosen::All => Which::All,
            Chosen::Reason(reason) => Which::Reason(*reason),
            Chosen::Keys(keys) => Which::Keys(keys),
        };
        let outcomes = match deed {
            Deed::Redrive => letters::redrive(&app.state, app.queue.as_ref(), name, which).await,
            Deed::Discard => letters::discard(&app.state, name, which).await,
        };
        if let Err(failure) = &outcomes {
            tracing::warn!(pipeline = %name, "dead letters were not all looked after: {failure:#}");
        }
        let outcomes = outcomes?;
        if deed == Deed::Redrive && outcomes.done > 0 && app.queue.is_none() {
            run_soon(&app, &pipeline).await?;
        }
        app.look_again();
        tracing::info!(pipeline = %name, ?deed, done = outcomes.done, "dead letters");
        Ok::<_, Failure>(outcomes)
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Err(_) => Ok(None),
        Ok(Ok(Ok(outcomes))) => Ok(Some(outcomes)),
        Ok(Ok(Err(failure))) if failure.reason == Reason::Configuration => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "One of these records has no dead letter. Nothing was changed.",
        )),
        Ok(Ok(Err(failure))) => Err(failure.into()),
        Ok(Err(_)) => {
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "That went wrong; the log says why."))
        }
    }
}

/// On one machine the next run enqueues what is outstanding: it need not wait. What was asked for already is more.
async fn run_soon(app: &App, pipeline: &Pipeline) -> Result<(), Failure> {
    let schedule = Schedule::of(&app.state, pipeline);
    if schedule.note().await?.asked.is_none() {
        schedule.ask(Kind::Incremental).await?;
    }
    Ok(())
}

/// A page of a pipeline's letters, as the address says which.
pub(super) async fn list(
    app: &App,
    pipeline: &Pipeline,
    query: &Fields,
    limit: usize,
) -> Result<LetterPage, Refusal> {
    let reason = query.text("reason").map(reason_of).transpose()?;
    let before = query.text("before").map(str::parse).transpose();
    let before = before.map_err(|_| Refusal::bad("`before` is the number of a dead letter."))?;
    Ok(letters::list(&app.state, &pipeline.name, reason, before, limit).await?)
}

pub(super) async fn failures(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Fields::of_query(&uri);
    let asked = query.text("pipeline").map(|name| app.pipeline(name)).transpose()?;
    let reason = query.text("reason").map(reason_of).transpose()?;
    let mut groups = Vec::new();
    let mut first = None;
    for pipeline in &app.config.pipelines {
        let counts = app.state.letter_counts(&pipeline.name).await?;
        if !counts.is_empty() {
            first = first.or(Some(pipeline));
        }
        groups.extend(counts.iter().map(|(reason, count)| Group::of(&pipeline.name, *reason, *count)));
    }
    let shown = asked.or(first);
    let at = app.state.now().await?;
    let page = match shown {
        Some(pipeline) => Some(list(&app, pipeline, &query, LISTED).await?),
        None => None,
    };
    Ok(show(&FailuresPage {
        frame: frame("Failures", Tab::Failures, session.as_deref(), &uri),
        groups,
        pipeline: shown.map(|pipeline| pipeline.name.to_string()).unwrap_or_default(),
        reason: reason.map(|reason| (reason.label(), words(reason))),
        next: page.as_ref().and_then(|page| page.next),
        letters: page
            .map(|page| page.letters.iter().map(|line| LetterRow::of(line, at)).collect())
            .unwrap_or_default(),
    }))
}
