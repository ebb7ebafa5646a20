//! A client that does what it is told and nothing else: no retry, no refresh, no check.

use std::time::Duration;

use serde_json::Value as Json;

use crate::zoho::ZohoSandbox;
use crate::zoho::control::ZohoControl;
use crate::zoho::settings::ZohoSettings;

/// A stand-in and a token for it.
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) sandbox: ZohoSandbox,
    pub(super) control: ZohoControl,
    pub(super) token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) async fn read(mut response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, headers, body })
    }

    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code, the two things by which answers are told apart.
    pub(super) fn verdict(&self) -> (u16, i64) {
        (self.status, self.json()["code"].as_i64().unwrap())
    }
}

impl Client {
    /// A stand-in of the default settings with this many items.
    pub(super) async fn with_items(items: usize) -> Self {
        Self::start(ZohoSettings { items, contacts: 30, ..ZohoSettings::default() }).await
    }

    /// A stand-in with a token of it.
    pub(super) async fn start(settings: ZohoSettings) -> Self {
        let sandbox = ZohoSandbox::start(settings).await.unwrap();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let control = sandbox.control();
        let mut client = Self { http, sandbox, control, token: String::new() };
        client.refresh().await;
        client
    }

    /// Gets another token.
    pub(super) async fn refresh(&mut self) {
        let answer = self.token_request(&self.form(), "").await;
        answer.json()["access_token"].as_str().unwrap().clone_into(&mut self.token);
    }

    /// The right body of a token request.
    pub(super) fn form(&self) -> String {
        format!(
            "refresh_token={}&client_id={}&client_secret={}&grant_type=refresh_token",
            self.sandbox.refresh_token(),
            self.sandbox.client_id(),
            self.sandbox.client_secret()
        )
    }

    pub(super) async fn token_request(&self, body: &str, query: &str) -> Answer {
        let url = format!("{}/oauth/v2/token?{query}", self.sandbox.accounts_url());
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        Answer::read(request.body(body.to_owned()).send().await.unwrap()).await.unwrap()
    }

    /// A call of Inventory.
    pub(super) async fn get(&self, target: &str) -> Answer {
        self.try_get(target).await.unwrap()
    }

    /// A call of Inventory that may fail on the way.
    pub(super) async fn try_get(&self, target: &str) -> Result<Answer, reqwest::Error> {
        let request = self.request(&self.sandbox.inventory_url(), target);
        Answer::read(request.send().await?).await
    }

    /// A call of Books.
    pub(super) async fn books(&self, target: &str) -> Answer {
        let request = self.request(&self.sandbox.books_url(), target);
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    /// A call without sending it: the target is a path and, after `?`, parameters.
    pub(super) fn request(&self, base: &str, target: &str) -> reqwest::RequestBuilder {
        let join = if target.contains('?') { '&' } else { '?' };
        let url = format!("{base}/{target}{join}organization_id={}", self.sandbox.organization_id());
        self.http.get(url).header("authorization", format!("Zoho-oauthtoken {}", self.token))
    }

    /// All items of a list call.
    pub(super) async fn items(&self, target: &str) -> Vec<Json> {
        let answer = self.get(target).await;
        assert_eq!(answer.verdict(), (200, 0), "{answer:?}");
        answer.json()["items"].as_array().unwrap().clone()
    }
}

/// The texts of one key.
pub(super) fn column(rows: &[Json], key: &str) -> Vec<String> {
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

/// Waits for a condition that another part of this process brings about.
pub(super) async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
}
