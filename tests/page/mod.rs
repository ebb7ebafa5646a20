//! The operator's page, as a person sees it: in a browser, over the real program.

mod browser;

use std::time::{Duration, Instant};

use sandbox::{Fault, FaultRule, OdooSandbox, OdooVersion};
use serde_json::Value;
use tokio::process::Child;

use crate::place::{PASSWORD, Place};
use crate::shop::Shop;
use crate::truth::sandbox_with;
use browser::Browser;

const TOKEN: &str = "geheim-0123456789abcdef";

/// A daemon that serves its page.
struct Daemon {
    place: Place,
    _child: Child,
    url: String,
}

impl Daemon {
    async fn start(sandbox: &OdooSandbox, more: &[(&'static str, &str)]) -> Self {
        let mut secrets = vec![
            (PASSWORD, sandbox.password().to_owned()),
            ("CATALOG_SYNC_PAGE_LISTEN", "127.0.0.1:0".to_owned()),
            ("CATALOG_SYNC_LOG_FORMAT", "json".to_owned()),
        ];
        secrets.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let text = Place::usual_configuration(&sandbox.url(), sandbox.database(), sandbox.login());
        let place = Place::configured(&text, secrets);
        place.reconfigure("entity = \"products\"\n", "entity = \"products\"\npage_size = 40\n");
        Self::of(place).await
    }

    async fn of(place: Place) -> Self {
        let log = place.path("daemon.log");
        let child = place.start_logged(&["schedule", "start"], &log);
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(line) = text.lines().find(|line| line.contains("the operator's page is served")) {
                let told: Value = serde_json::from_str(line).unwrap();
                let url = format!("http://{}", told["address"].as_str().unwrap());
                return Self { place, _child: child, url };
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status(&self, pipeline: &str) -> Value {
        let told = self.place.run(&["status", "--json"]).await.json();
        let all = told["pipelines"].as_array().unwrap().clone();
        all.into_iter().find(|known| known["pipeline"] == pipeline).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_watches_a_run_pauses_and_resumes_without_loading_the_page_again() {
    let sandbox = sandbox_with(OdooVersion::V19, 561, 815).await;
    // Twenty-one pages of products, about one a second.
    let slow = FaultRule::once(Fault::Delay { millis: 800 }).model("product.template").method("search_read");
    sandbox.control().fault(slow.times(1_000));
    let daemon = Daemon::start(&sandbox, &[]).await;
    let browser = Browser::open().await;
    browser.go(&daemon.url).await;
    browser.run("window.same = 'page'").await;
    browser.until_text("#live-customers", "in step").await;
    browser.until_text("#live-products", "running").await;
    browser.until_text("#live-products", " of 815 records, ").await;
    let progress = async || {
        browser
            .run("return document.querySelector('#live-products [data-progress]')?.dataset.progress ?? ''")
            .await
    };
    let first = progress().await;
    let begun = Instant::now();
    while progress().await == first {
        assert!(begun.elapsed() < Duration::from_mins(1), "the progress does not move");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    browser.picture("page-running").await;
    browser.dark(true).await;
    browser.picture("page-running-dark").await;
    browser.dark(false).await;
    // Somebody else pauses it: this page shows so.
    daemon.place.run(&["pause", "products", "--why", "<b>stock</b>-taking"]).await.expect(0, &[]);
    browser.until_text("#live-products", "Paused by hand").await;
    browser.until_text("#live-products", "<b>stock</b>-taking").await;
    browser.screen(2560, 1300, false).await;
    browser.assert_fits().await;
    browser.picture("page-paused-wide").await;
    browser.screen(1280, 900, false).await;
    assert_eq!(browser.run("return window.same").await, "page", "it was not loaded again");
    // And goes on from here.
    browser.click("#controls-products form[action$='/resume'] button").await;
    browser.until_text(".notice", "Resumed").await;
    sandbox.control().clear_faults();
    browser.until_text("#live-products", "in step").await;
    assert_eq!(daemon.status("products").await["paused"], serde_json::json!([]));
    // By keyboard, with a reason.
    browser.run("document.querySelector('#controls-customers details:has(form[action$=\"/pause\"]) > summary').focus()").await;
    browser.press("\u{e007}").await;
    browser.write("#controls-customers form[action$='/pause'] input[name=why]", "counting <i>\"\n").await;
    browser.until_text("#live-customers", "counting <i>\"").await;
    assert_eq!(daemon.status("customers").await["paused"][0]["why"], "counting <i>\"");
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_a_phone_works_without_scripts_and_is_walked_over_by_keyboard() {
    let sandbox = sandbox_with(OdooVersion::V19, 561, 60).await;
    let daemon = Daemon::start(&sandbox, &[("CATALOG_SYNC_PAGE_TOKEN", TOKEN)]).await;
    let browser = Browser::open().await;
    browser.screen(390, 844, true).await;
    browser.scripts(false).await;
    browser.go(&daemon.url).await;
    browser.write("input[name=token]", "not the token\n").await;
    browser.until_text("[role=alert]", "That is not the token.").await;
    browser.write("input[name=token]", &format!("{TOKEN}\n")).await;
    browser.until_text("header.top", "Sign out").await;
    browser.click("#controls-customers summary").await;
    browser.write("#controls-customers form[action$='/pause'] input[name=why]", "no script\n").await;
    browser.until_text("#live-customers", "no script").await;
    browser.click("#controls-customers form[action$='/resume'] button").await;
    browser.until_text(".notice", "Resumed").await;
    browser.scripts(true).await;
    daemon.place.run(&["schedule", "run-now", "customers"]).await.expect(0, &[]);
    for path in ["/", "/pipelines/customers", "/runs", "/runs/1", "/runs/404"] {
        browser.go(&format!("{}{path}", daemon.url)).await;
        browser.assert_fits().await;
        let named = browser.run("return [...document.querySelectorAll('button, a, input:not([type=hidden]), select, summary')].filter(one => !(one.textContent || one.labels?.[0]?.textContent || one.ariaLabel || '').trim()).map(one => one.outerHTML)").await;
        assert_eq!(named, serde_json::json!([]), "{path}: what a screen reader has no name for");
        assert_eq!(browser.run("return document.querySelectorAll('h1').length").await, 1, "{path}");
    }
    browser.go(&daemon.url).await;
    browser.until_text("#live-customers", "in step").await;
    browser.picture("page-phone").await;
    browser.dark(true).await;
    browser.picture("page-phone-dark").await;
    browser.press("\u{e004}").await;
    assert_eq!(browser.run("return document.activeElement.className").await, "skip");
    browser.press("\u{e007}").await;
    assert_eq!(browser.run("return document.activeElement.id").await, "main");
    browser.click("header.top form button").await;
    browser.until_text("h1", "Sign in").await;
    browser.go(&format!("{}/runs", daemon.url)).await;
    browser.until_text("h1", "Sign in").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_token_is_in_no_log_no_answer_and_no_file() {
    let sandbox = sandbox_with(OdooVersion::V19, 60, 60).await;
    sandbox.control().fault(FaultRule::once(Fault::AccessError).method("search_read").times(1_000));
    let daemon =
        Daemon::start(&sandbox, &[("CATALOG_SYNC_PAGE_TOKEN", TOKEN), ("CATALOG_SYNC_LOG", "trace")]).await;
    let client =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let at = |path: &str| format!("{}{path}", daemon.url);
    let form = |path: &str, body: String| {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        client.post(at(path)).header(kind.0, kind.1).body(body)
    };
    let mut said = String::new();
    let wrong = format!("{TOKEN}x");
    for request in [
        form("/sign-in", format!("token={wrong}")),
        form("/pipelines/customers/pause", format!("form_token={TOKEN}")),
        client.get(at("/api/v1/status")).bearer_auth(&wrong),
        client.get(at("/api/v1/status")).bearer_auth(TOKEN),
        client.get(at("/api/v1/nowhere")).bearer_auth(TOKEN),
        client.get(at("/sign-in")),
    ] {
        let answer = request.send().await.unwrap();
        said += &format!("{:?}\n", answer.headers());
        said += &answer.text().await.unwrap();
    }
    let signed_in = form("/sign-in", format!("token={TOKEN}")).send().await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    for path in ["/", "/pipelines/customers", "/runs", "/records?pipeline=customers&key=1", "/nowhere"] {
        said += &client.get(at(path)).header("Cookie", &cookie).send().await.unwrap().text().await.unwrap();
    }
    assert!(said.contains("Sign out") && said.contains("\"pipelines\":["), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    let id = cookie.split_once('=').unwrap().1;
    for (path, bytes) in crate::secrets::files_below(&daemon.place.path("")) {
        for secret in [TOKEN, id] {
            assert!(!crate::secrets::contains(&bytes, secret), "{} holds it", path.display());
        }
    }
}

/// The page finds a record by its SKU, as the command line does, and tells the same.
async fn look_up_by_sku(browser: &Browser, daemon: &Daemon, sku: &str, key: &str) {
    browser.go(&format!("{}/records", daemon.url)).await;
    browser.write("input[name=key]", &format!("{sku}\n")).await;
    browser.until_text("#record-title", key).await;
    browser.until_text("#source a", "See it in the sink").await;
    let known = daemon.place.run(&["why", "items", key, "--json"]).await.json();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let told: Value = client
        .get(format!("{}/api/v1/pipelines/items/why?sku={sku}", daemon.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&told["key"], &told["source"], &told["url"]),
        (&known["key"], &known["source"], &known["url"])
    );
    let url = known["url"].as_str().unwrap();
    assert_eq!(browser.run("return document.querySelector('#source a').href").await, url);
    assert_eq!(told["source"]["has"]["values"]["default_code"], *sku);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_finds_what_failed_looks_it_up_and_redrives_it() {
    let mut shop = Shop::plain(30).await;
    shop.place.add_secret("CATALOG_SYNC_PAGE_LISTEN", "127.0.0.1:0");
    shop.place.add_secret("CATALOG_SYNC_LOG_FORMAT", "json");
    let name = "<script>window.obeyed = 1</script>";
    let bad = shop.id(3);
    let items = shop.zoho.control().items();
    let sku = items.iter().find(|item| item["item_id"] == *bad).unwrap()["sku"].as_str().unwrap().to_owned();
    // Odoo has no such unit, yet.
    shop.edit(3, &serde_json::json!({"name": name, "unit": "<i>box</i>"}));
    shop.edit(4, &serde_json::json!({"unit": "crate"}));
    let Shop { place, zoho: _zoho, odoo } = shop;
    let daemon = Daemon::of(place).await;
    let browser = Browser::open().await;
    browser.go(&format!("{}/failures", daemon.url)).await;
    browser.run("window.same = 'page'").await;
    browser.until_text("#groups", "bad record").await;
    browser.until_text("#letters", &bad).await;
    assert_eq!(browser.run("return window.same").await, "page", "it came without loading the page again");
    browser.picture("page-failures").await;
    browser.click(&format!("#letters a[href*='{bad}']")).await;
    browser.until_text("#record", "was given up").await;
    browser.until_text("#record .values", name).await;
    browser.until_text("#source", "The source has what is wanted").await;
    browser.until_text("#source .values", name).await;
    assert_eq!(browser.run("return window.obeyed ?? 'never'").await, "never");
    browser.picture("page-record").await;
    // Somebody makes the units in Odoo.
    for unit in ["<i>box</i>", "crate"] {
        let values = serde_json::json!({"name": unit, "category_id": 1});
        let edit = sandbox::Edit::Create {
            model: "uom.uom".to_owned(),
            values: values.as_object().unwrap().clone(),
            write_date: sandbox::WriteDate::Transaction,
        };
        odoo.control().edit(vec![edit]).unwrap();
    }
    browser.click(".controls form[action$='/redrive'] button").await;
    browser.until_text(".notice", "Redriven").await;
    browser.until_text("#record", "The sink has what the source showed last.").await;
    let products = odoo.control().rows("product.product").unwrap();
    assert!(products.iter().any(|product| product["name"] == name));
    // The other one by its reason.
    browser.go(&format!("{}/failures", daemon.url)).await;
    browser.click("#groups form[action$='/redrive'] button").await;
    browser.until_text(".notice", "Redriven").await;
    browser.until_text("main", "nothing was given up").await;
    assert_eq!(odoo.control().rows("product.product").unwrap().len(), 30);
    assert_eq!(browser.run("return window.obeyed ?? 'never'").await, "never");
    assert_eq!(browser.complaints().await, [""; 0]);
    // By hand, on a phone.
    browser.screen(390, 844, true).await;
    browser.go(&format!("{}/records", daemon.url)).await;
    browser.write("input[name=key]", &format!("{bad}\n")).await;
    browser.until_text("#record", "in the sink").await;
    browser.assert_fits().await;
    browser.picture("page-record-phone").await;
    look_up_by_sku(&browser, &daemon, &sku, &bad).await;
    browser.go(&format!("{}/records?pipeline=items&key=4711", daemon.url)).await;
    browser.until_text("[role=status]", "Nothing is known of this record").await;
}
