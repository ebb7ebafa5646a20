//! The operator's page and its API: what the state knows, and what a person may change of it. Rendered here, useful without
//! scripts. Everything is in the state, so every process of a fleet may serve it.
//!
//! `guard` stands before all of it; `html` and `change` are the page, `api` the same as JSON.

mod api;
mod app;
mod assets;
mod change;
mod form;
mod guard;
mod html;
mod letters;
mod live;
mod pace;
mod record;
mod refusal;
mod session;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use shared::config::Config;
use shared::failure::Failure;
use shared::queue::Queue;
use shared::state::State;
use shared::telemetry::Serving;

use app::App;

/// More than any form of ours has.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Serves the page where the configuration says so, until the answer is dropped; `queue` is that of a fleet. Where nobody asked for the usual address
/// and it is taken, the service works without its page.
///
/// # Errors
/// `Reason::Configuration`: it cannot be listened at, or others could see it and there is no token.
pub async fn serve(
    config: &Arc<Config>,
    state: &State,
    queue: Option<&Queue>,
) -> Result<Option<Serving>, Failure> {
    let Some(listen) = config.page.address()? else { return Ok(None) };
    let app = App::new(Arc::clone(config), state.clone(), queue.cloned())?;
    match Serving::start(listen, "the operator's page is", routes(&app)).await {
        Ok(serving) => Ok(Some(serving)),
        Err(error) if config.page.is_usual => {
            tracing::warn!(
                "no operator's page: {listen} is taken ({error}); [page] listen or CATALOG_SYNC_PAGE_LISTEN names another one"
            );
            Ok(None)
        }
        Err(error) => Err(Failure::configuration(format!(
            "cannot listen at {listen} for the operator's page"
        ))
        .advise("give it another address in [page] listen or CATALOG_SYNC_PAGE_LISTEN; empty switches it off")
        .because(error)),
    }
}

fn routes(app: &App) -> Router {
    let page = Router::new()
        .route("/", get(html::overview))
        .route("/pipelines/{pipeline}", get(html::pipeline))
        .route("/pipelines/{pipeline}/{change}", post(change::change))
        .route("/runs", get(html::runs))
        .route("/runs/{run}", get(html::run))
        .route("/failures", get(letters::failures))
        .route("/records", get(record::record))
        .route("/sign-in", get(session::sign_in_form).post(session::sign_in))
        .route("/sign-out", post(session::sign_out))
        .route("/events", get(live::events))
        .route("/assets/{name}", get(assets::asset));
    page.nest("/api/v1", api::routes())
        .fallback(refusal::not_found)
        .method_not_allowed_fallback(refusal::not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app.clone())
}
