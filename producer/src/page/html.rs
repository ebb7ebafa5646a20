//! The pages that only show.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{Html, IntoResponse, Response};
use shared::fleet::spent_of;
use shared::record::RunId;

use super::app::App;
use super::change::said;
use super::form::Fields;
use super::refusal::{Refusal, broken};
use super::session::Session;
use super::view::card::Card;
use super::view::frame::{Frame, Tab};
use super::view::people::{QuotaView, WorkerRow};
use super::view::run::{RunPage, RunRow};
use super::view::when::When;

/// Runs of a pipeline's picture.
const PICTURED: usize = 40;

/// Runs of the history.
const LISTED: usize = 100;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    cards: Vec<Card>,
    quotas: Vec<QuotaView>,
    workers: Vec<WorkerRow>,
    is_fleet: bool,
    strays: u64,
}

#[derive(Template)]
#[template(path = "pipeline.html")]
struct PipelinePage {
    frame: Frame,
    card: Card,
    runs: Vec<RunRow>,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    runs: Vec<RunRow>,
    pipelines: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct OneRunPage {
    frame: Frame,
    run: RunPage,
}

pub(super) fn show(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => broken(&error),
    }
}

/// What every page has around it.
pub(super) fn frame(title: &str, tab: Tab, session: Option<&Session>, uri: &Uri) -> Frame {
    let notice = Fields::of_query(uri).get("said").and_then(said);
    Frame::new(title, tab, session, notice)
}

pub(super) async fn overview(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let overview = app.overview().await?;
    let mut cards = Vec::with_capacity(overview.pipelines.len());
    for (view, pipeline) in overview.pipelines.iter().zip(&app.config.pipelines) {
        let runs = app.state.runs(Some(&pipeline.name), PICTURED).await?;
        cards.push(Card::of(view, &runs, overview.at, "overview"));
    }
    Ok(show(&OverviewPage {
        frame: frame("Overview", Tab::Overview, session.as_deref(), &uri),
        cards,
        quotas: overview.zoho.iter().map(QuotaView::of).collect(),
        workers: overview.workers.iter().map(|worker| WorkerRow::of(worker, overview.at)).collect(),
        is_fleet: app.config.fleet.is_some(),
        strays: overview.strays.kept,
    }))
}

pub(super) async fn pipeline(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let pipeline = app.pipeline(&name)?;
    let at = app.state.now().await?;
    let view = app.look(pipeline).await?;
    let runs = app.state.runs(Some(&pipeline.name), PICTURED).await?;
    Ok(show(&PipelinePage {
        frame: frame(&name, Tab::Overview, session.as_deref(), &uri),
        card: Card::of(&view, &runs, at, "pipeline"),
        runs: runs.iter().map(|run| RunRow::of(run, at)).collect(),
    }))
}

pub(super) async fn runs(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let query = Fields::of_query(&uri);
    let chosen = query.text("pipeline").map(|name| app.pipeline(name)).transpose()?;
    let at = app.state.now().await?;
    let runs = app.state.runs(chosen.map(|pipeline| &pipeline.name), LISTED).await?;
    let pipelines = app.config.pipelines.iter();
    let is_chosen = |name| chosen.is_some_and(|chosen| chosen.name == name);
    Ok(show(&RunsPage {
        frame: frame("Runs", Tab::Runs, session.as_deref(), &uri),
        runs: runs.iter().map(|run| RunRow::of(run, at)).collect(),
        pipelines: pipelines.map(|known| (known.name.to_string(), is_chosen(known.name.clone()))).collect(),
    }))
}

pub(super) async fn run(
    State(app): State<App>,
    session: Option<Extension<Session>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let id = id.parse().map(RunId).map_err(|_| Refusal::unknown("run"))?;
    let run = app.state.run(id).await?.ok_or_else(|| Refusal::unknown("run"))?;
    let spent = spent_of(&app.state, id).await?;
    let at: When = When::of(run.started, app.state.now().await?);
    Ok(show(&OneRunPage {
        frame: frame(&format!("Run {id}"), Tab::Runs, session.as_deref(), &uri),
        run: RunPage::of(&run, spent.as_ref(), at),
    }))
}
