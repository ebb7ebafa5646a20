//! Serving HTTP: `/metrics`, `/livez` and `/readyz` where the configuration says, and what others bring.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Telemetry;
use crate::failure::{Failure, Reason};

/// Prometheus knows the text by this.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a process may take to say that it lives.
const PATIENCE: Duration = Duration::from_secs(3);

/// Something is served until this is dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    _stopped: DropGuard,
}

impl Serving {
    /// Serves these routes at this address; `what` begins the line of the log ("metrics are").
    ///
    /// # Errors
    /// The system's, where it cannot be listened at.
    pub async fn start(listen: SocketAddr, what: &'static str, routes: Router) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, routes) => {
                    if let Err(error) = served { tracing::error!("{what} no longer served: {error}"); }
                }
                () = stopped.cancelled() => {}
            }
        });
        tracing::info!(%address, "{what} served");
        Ok(Self { address, _stopped: stop.drop_guard() })
    }

    /// Where; with the port that was found where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Telemetry {
    /// Serves them where the configuration says so.
    ///
    /// # Errors
    /// As [`Telemetry::serve`].
    pub async fn serve_at(&self, listen: Option<SocketAddr>) -> Result<Option<Serving>, Failure> {
        match listen {
            Some(listen) => self.serve(listen).await.map(Some),
            None => Ok(None),
        }
    }

    /// Serves them at this address.
    ///
    /// # Errors
    /// `Reason::Configuration` where it cannot be listened at.
    pub async fn serve(&self, listen: SocketAddr) -> Result<Serving, Failure> {
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .with_state(self.clone());
        Serving::start(listen, "metrics are", routes).await.map_err(|error| {
            Failure::systemic(Reason::Configuration, format!("cannot listen at {listen} for metrics"))
                .advise(
                    "give each process of this machine another address in [metrics] listen or \
                         CATALOG_SYNC_METRICS_LISTEN",
                )
                .because(error)
        })
    }
}

async fn metrics(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, TEXT)], telemetry.text())
}

async fn livez(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    said(telemetry.stalled())
}

async fn readyz(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    said(telemetry.unready())
}

fn said(trouble: Option<String>) -> (StatusCode, String) {
    match trouble {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

/// Asks a process on this machine whether it lives, or with `ready` whether it works. `listen` is what it was told.
///
/// # Errors
/// What it says, or that it says nothing.
pub async fn healthy(listen: SocketAddr, ready: bool) -> Result<(), Failure> {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let page = if ready { "readyz" } else { "livez" };
    let silent = |error: reqwest::Error| {
        Failure::transient(Reason::Unreachable, format!("nothing answers at {address}"))
            .advise("start it, or see its log")
            .because(error.without_url())
    };
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().map_err(silent)?;
    let answer = client.get(format!("http://{address}/{page}")).send().await.map_err(silent)?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    if status.is_success() { Ok(()) } else { Err(Failure::transient(Reason::ServerError, text.trim())) }
}
