//! A real browser: Debian's chromium without a window, driven through chromedriver's `WebDriver` (JSON over HTTP).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Whatever has not come about by then never will.
const PATIENCE: Duration = Duration::from_mins(1);

/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One window. It ends with this.
pub(crate) struct Browser {
    client: reqwest::Client,
    session: String,
    _driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn open() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is there: ./test installs it (Debian: chromium-driver)");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver tells its port");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let url = format!("http://127.0.0.1:{port}/session");
        let made: Value = client.post(&url).json(&wanted).send().await.unwrap().json().await.unwrap();
        let id = made["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{made}"));
        let browser = Self { client, session: format!("{url}/{id}"), _driver: driver, _profile: profile };
        browser.screen(1280, 900, false).await;
        browser
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Value> {
        let answer = self.client.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let status = answer.status();
        let mut told: Value = answer.json().await.unwrap();
        if status.is_success() { Ok(told["value"].take()) } else { Err(told) }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}/{path}", self.session)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["value"].take()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await.unwrap();
    }

    /// Size in CSS pixels; a phone has two of its own for each.
    pub(crate) async fn screen(&self, width: u32, height: u32, phone: bool) {
        let scale = if phone { 2 } else { 1 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    pub(crate) async fn scripts(&self, on: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !on})).await;
    }

    pub(crate) async fn go(&self, url: &str) {
        self.post("url", json!({ "url": url })).await.unwrap();
    }

    /// What a function's body returns, run in the page.
    pub(crate) async fn run(&self, body: &str) -> Value {
        self.post("execute/sync", json!({"script": body, "args": []})).await.unwrap()
    }

    async fn find(&self, selector: &str) -> Option<String> {
        let found = self.post("element", json!({"using": "css selector", "value": selector})).await.ok()?;
        found[ELEMENT].as_str().map(str::to_owned)
    }

    /// What a person reads in an element; nothing where it is not there.
    pub(crate) async fn text(&self, selector: &str) -> String {
        match self.find(selector).await {
            Some(id) => self.get(&format!("element/{id}/text")).await.as_str().unwrap_or_default().to_owned(),
            None => String::new(),
        }
    }

    pub(crate) async fn click(&self, selector: &str) {
        let id = self.find(selector).await.unwrap_or_else(|| panic!("there is no {selector}"));
        self.post(&format!("element/{id}/click"), json!({}))
            .await
            .unwrap_or_else(|why| panic!("{selector}: {why}"));
    }

    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let id = self.find(selector).await.unwrap_or_else(|| panic!("there is no {selector}"));
        self.post(&format!("element/{id}/value"), json!({ "text": text })).await.unwrap();
    }

    /// Presses a key, whatever has the focus.
    pub(crate) async fn press(&self, key: &str) {
        let keys = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("actions", json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]}))
            .await
            .unwrap();
    }

    /// Waits until a person reads this there.
    pub(crate) async fn until_text(&self, selector: &str, text: &str) {
        let begun = Instant::now();
        loop {
            let read = self.text(selector).await;
            if read.contains(text) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{text:?} did not come into {selector}: {read:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// With the logs of the whole test run, where there is such a folder.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("CATALOG_SYNC_TEST_LOGS") else { return };
        let picture = self.get("screenshot").await;
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the browser complained of: refused scripts and styles, errors of ours.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let told = self.post("se/log", json!({"type": "browser"})).await.unwrap();
        told.as_array().unwrap().iter().map(ToString::to_string).collect()
    }

    /// Nothing reaches over the side of the screen.
    pub(crate) async fn assert_fits(&self) {
        let sizes = self.run("return [document.documentElement.scrollWidth, window.innerWidth]").await;
        assert!(sizes[0].as_u64().unwrap() <= sizes[1].as_u64().unwrap(), "wider than the screen: {sizes}");
    }
}

/// The driver is killed, and a browser without its driver would stay: it is ended first.
impl Drop for Browser {
    fn drop(&mut self) {
        let address = self.session.trim_start_matches("http://");
        let (host, path) = address.split_once('/').unwrap_or_default();
        let order = format!("DELETE /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let ended = TcpStream::connect(host).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(order.as_bytes())?;
            stream.read(&mut [0; 512])
        });
        if let Err(why) = ended {
            println!("the browser was not ended: {why}");
        }
    }
}
