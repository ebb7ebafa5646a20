//! The webhook: a JSON object is posted, and posted again while that fails.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret;
use shared::config::Webhook;
use shared::failure::{Failure, Reason};

use super::Message;

/// Bound of one post.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts it: four tries within some seconds. The address is a secret and in no failure.
pub(super) async fn post(webhook: &Webhook, message: &Message<'_>) -> Result<(), Failure> {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| failed(error.without_url()))?;
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_times(3)
        .with_jitter();
    (|| once(&client, webhook, message)).retry(backoff).await
}

async fn once(client: &reqwest::Client, webhook: &Webhook, message: &Message<'_>) -> Result<(), Failure> {
    let mut request = client.post(webhook.url.expose_secret()).json(message);
    if let Some(authorization) = &webhook.authorization {
        let mut value = HeaderValue::from_str(authorization.expose_secret()).map_err(|_| {
            Failure::configuration("the webhook's Authorization is no text that a header can hold")
                .advise("check CATALOG_SYNC_WEBHOOK_AUTHORIZATION for line breaks and letters outside ASCII")
        })?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let answer = request.send().await.map_err(|error| failed(error.without_url()))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let status = answer.status();
    Err(Failure::transient(Reason::ServerError, format!("the webhook answered with {status}"))
        .advise("check its address and its Authorization"))
}

fn failed(error: reqwest::Error) -> Failure {
    Failure::transient(Reason::Unreachable, "the webhook cannot be reached").because(error)
}
