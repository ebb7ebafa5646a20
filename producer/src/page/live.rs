//! Tells a browser when there is something new to show: it then asks for the page it shows.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use tokio::sync::mpsc;

use super::app::App;
use super::refusal::Refusal;
use crate::operate::overview::Overview;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Then the browser connects anew, and is asked again who it is.
const TERM: Duration = Duration::from_mins(30);

struct Events(mpsc::Receiver<Event>);

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

pub(super) async fn events(State(app): State<App>) -> Response {
    let Ok(seat) = app.viewers.clone().try_acquire_owned() else {
        let full = "Too many pages are open at a time; this one is not kept up to date.";
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, full).into_response();
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _seat = seat;
        tokio::select! {
            () = tell(&app, &sender) => {}
            () = sender.closed() => {}
            () = tokio::time::sleep(TERM) => {}
        }
    });
    Sse::new(Events(receiver)).keep_alive(KeepAlive::default()).into_response()
}

async fn tell(app: &App, sender: &mpsc::Sender<Event>) {
    let mut known = None;
    loop {
        // A state that does not answer is no news.
        if let Ok(overview) = app.overview().await {
            let now = fingerprint(&overview);
            if known != Some(now) {
                known = Some(now);
                let event = Event::default().event("changed").data(format!("{now:016x}"));
                if sender.send(event).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Of what is shown, without what only tells the time.
fn fingerprint(overview: &Overview) -> u64 {
    let mut told = serde_json::to_value(overview).unwrap_or_default();
    if let Some(all) = told.as_object_mut() {
        all.remove("at");
        for worker in all.get_mut("workers").and_then(|workers| workers.as_array_mut()).into_iter().flatten()
        {
            worker.as_object_mut().map(|worker| worker.remove("until"));
        }
        for pipeline in all.get_mut("pipelines").and_then(|all| all.as_array_mut()).into_iter().flatten() {
            pipeline.as_object_mut().map(|pipeline| pipeline.remove("lag_s"));
            let schedule = pipeline.get_mut("schedule").and_then(|schedule| schedule.as_object_mut());
            schedule.map(|schedule| schedule.remove("next"));
            let running = pipeline.get_mut("running").and_then(|running| running.as_object_mut());
            running.map(|running| running.remove("left_s"));
        }
    }
    let mut hasher = DefaultHasher::new();
    told.to_string().hash(&mut hasher);
    hasher.finish()
}
