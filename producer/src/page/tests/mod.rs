//! Page and API over a state in memory, asked as a browser does.

mod change;
mod guard;
mod record;
mod session;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use shared::config::Config;
use shared::fleet::{Pause, PausedBy, Scope};
use shared::state::State;
use shared::telemetry::Serving;

use super::*;
use crate::schedule::Schedule;

const TEXT: &str = "[odoo.erp]\nurl = \"https://erp.example\"\ndatabase = \"x\"\n[json.files]\nfolder = \"out\"\n\
                    [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n\
                    [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n";

const TOKEN: &str = "geheim-0123456789abcdef";

pub(super) struct Stand {
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    serving: Serving,
    client: Client,
    token: Option<&'static str>,
}

fn config(listen: &str, token: Option<&str>) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog-sync.toml");
    std::fs::write(&path, TEXT).unwrap();
    let environment = |name: &str| match name {
        "CATALOG_SYNC_PAGE_LISTEN" => Some(listen.to_owned()),
        "CATALOG_SYNC_PAGE_TOKEN" => token.map(str::to_owned),
        _ => None,
    };
    Config::load_with(Path::new(&path), &environment).unwrap()
}

impl Stand {
    pub(super) async fn open() -> Self {
        Self::with(None).await
    }

    pub(super) async fn with(token: Option<&'static str>) -> Self {
        let config = Arc::new(config("127.0.0.1:0", token));
        let state = State::open_memory().await.unwrap();
        let serving = serve(&config, &state, None).await.unwrap().unwrap();
        let client =
            Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { config, state, serving, client, token }
    }

    fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(super) async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// The token that the page's forms hold.
    pub(super) async fn form_token(&self) -> String {
        let page = self.text("/").await;
        let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(super) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.form_token().await;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("form_token", &token).extend_pairs(fields);
        self.form(path).body(body.finish()).send().await.unwrap()
    }

    fn form(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    pub(super) async fn api(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let mut request = self.request(method.clone(), &format!("/api/v1{path}"));
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap())
    }

    pub(super) fn pipeline(&self) -> &shared::config::Pipeline {
        &self.config.pipelines[0]
    }

    async fn paused(&self) -> Option<Pause> {
        Pause::of(&self.state, &self.pipeline().name, Scope::Pipeline).await.unwrap()
    }
}
