//! The services of docker-compose.yml as processes of this machine, by the file's own command lines and environment.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox::{OdooSandbox, OdooSettings, OdooVersion, ZohoSandbox, ZohoSettings};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::{text, yaml};
use crate::fleet::{port_in, port_of};

const PATIENCE: Duration = Duration::from_mins(2);

const PAGE_TOKEN: &str = "page-0123456789abcdef";

/// A container's folders, below one of ours; and its neighbours' names, as addresses.
struct Machine {
    folder: tempfile::TempDir,
    names: Vec<(&'static str, String)>,
}

impl Machine {
    /// The same path or text, as it is on this machine.
    fn here(&self, said: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let mut said = said.to_owned();
        for place in ["/run/secrets", "/etc/catalog-sync", "/var/lib/catalog-sync", "/data"] {
            said = said.replace(place, &format!("{folder}{place}"));
        }
        for (name, address) in &self.names {
            said = said.replace(name, address);
        }
        said
    }

    /// `catalog-sync` is the image's entry point.
    fn command(&self, service: &Value, arguments: &Value) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_catalog-sync-under-test"));
        command.env_clear().kill_on_drop(true).current_dir(self.folder.path());
        command.args(arguments.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
        for (variable, value) in service["environment"].as_object().unwrap() {
            command.env(variable, self.here(value.as_str().unwrap()));
        }
        // Containers have an address each; processes of one machine share theirs.
        command
            .env("CATALOG_SYNC_METRICS_LISTEN", "127.0.0.1:0")
            .env("CATALOG_SYNC_PAGE_LISTEN", "127.0.0.1:0");
        command
    }

    fn start(&self, service: &Value, log: &str) -> Child {
        let log = std::fs::File::create(self.folder.path().join(log)).unwrap();
        self.command(service, &service["command"]).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn log(&self, log: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(log)).unwrap_or_default()
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The stand-ins by the arguments of their services.
async fn stand_ins(compose: &Value) -> (ZohoSandbox, OdooSandbox, OdooSandbox) {
    let argument = |service: &str, name: &str| -> usize {
        let command = compose["services"][service]["command"].as_array().unwrap();
        let at = command.iter().position(|argument| argument == name).unwrap();
        command[at + 1].as_str().unwrap().parse().unwrap()
    };
    let zoho = ZohoSettings {
        items: argument("zoho", "--items"),
        per_minute: u32::try_from(argument("zoho", "--per-minute")).unwrap(),
        per_day: u32::try_from(argument("zoho", "--per-day")).unwrap(),
        image_bytes: 3_000,
        ..ZohoSettings::default()
    };
    let odoo = |service: &str, version| OdooSettings {
        version,
        customers: argument(service, "--customers"),
        products: argument(service, "--products"),
        ..OdooSettings::default()
    };
    assert_eq!((argument("shop", "--version"), argument("erp", "--version")), (18, 19));
    (
        ZohoSandbox::start(zoho).await.unwrap(),
        OdooSandbox::start(odoo("shop", OdooVersion::V18)).await.unwrap(),
        OdooSandbox::start(odoo("erp", OdooVersion::V19)).await.unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_of_the_compose_file_bring_a_catalogue_into_step() {
    let compose = yaml("docker-compose.yml");
    let (zoho, shop, erp) = stand_ins(&compose).await;
    let machine = Machine {
        folder: tempfile::tempdir().unwrap(),
        names: vec![
            ("amqp://rabbitmq:5672", format!("amqp://{}", services::broker().addr())),
            ("redis://redis:6379", format!("redis://{}", services::redis().addr())),
            ("http://zoho:8070", zoho.accounts_url()),
            ("http://shop:8069", shop.url()),
            ("http://erp:8069", erp.url()),
        ],
    };
    let folder = machine.folder.path();
    // The services of these tests know another user, and are shared by many fleets.
    let (user, prefix) = (services::USER, services::prefix());
    let configuration = machine.here(&text("deploy/compose/catalog-sync.toml")).replace(
        "broker_user = \"catalog\"",
        &format!("broker_user = \"{user}\"\nredis_user = \"{user}\"\nprefix = \"{prefix}\""),
    );
    write(&folder.join("etc/catalog-sync/catalog-sync.toml"), &configuration);
    // As secrets.sh makes them, but for the two of the services.
    let made = text("deploy/compose/secrets.sh");
    for secret in compose["services"]["producer"]["secrets"].as_array().unwrap() {
        let secret = secret.as_str().unwrap();
        let line = made.split(&format!("keep {secret} ")).nth(1).unwrap().lines().next().unwrap();
        let text = match (secret, line.contains("random")) {
            ("page_token", _) => PAGE_TOKEN,
            (_, true) => services::PASSWORD,
            (_, false) => line,
        };
        write(&folder.join("run/secrets").join(secret), text);
    }
    for volume in ["data", "var/lib/catalog-sync"] {
        std::fs::create_dir_all(folder.join(volume)).unwrap();
    }
    let service = |name: &str| compose["services"][name].clone();
    let _producer = machine.start(&service("producer"), "producer.log");
    let replicas = service("worker")["deploy"]["replicas"].as_u64().unwrap();
    let _workers: Vec<Child> = (0..replicas)
        .map(|number| machine.start(&service("worker"), &format!("worker-{number}.log")))
        .collect();
    let began = Instant::now();
    let wanted = zoho.control().item_count();
    let customers = erp.control().ids("res.partner").unwrap().len();
    let file = folder.join("data/odoo_customers.json");
    loop {
        let products = shop.control().external_ids("product.product").len();
        let lines = std::fs::read_to_string(&file).map_or(0, |text| text.matches("\"id\":").count());
        if products == wanted && lines >= customers {
            break;
        }
        let (producer, worker) = (machine.log("producer.log"), machine.log("worker-0.log"));
        assert!(began.elapsed() < PATIENCE, "{products}/{wanted} {lines}/{customers}\n{producer}\n{worker}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("in step after {:.1} s", began.elapsed().as_secs_f64());
    let port = port_of(&machine.log("worker-0.log"));
    let check = service("worker")["healthcheck"]["test"].clone();
    assert_eq!((&check[0], &check[1]), (&Value::from("CMD"), &Value::from("catalog-sync")));
    let arguments = Value::from(check.as_array().unwrap()[2..].to_vec());
    let checked = machine
        .command(&service("worker"), &arguments)
        .env("CATALOG_SYNC_METRICS_LISTEN", format!("0.0.0.0:{port}"))
        .output()
        .await
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert_the_page_shows_the_fleet(&machine.log("producer.log"), replicas).await;
}

/// To whoever has the token, and to nobody else.
async fn assert_the_page_shows_the_fleet(log: &str, workers: u64) {
    let url = format!("http://127.0.0.1:{}/api/v1/status", port_in(log, "the operator's page is served"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    let began = Instant::now();
    loop {
        let answer = client.get(&url).bearer_auth(PAGE_TOKEN).send().await.unwrap();
        let shown: Value = answer.json().await.unwrap();
        let all = shown["workers"].as_array().unwrap();
        assert_eq!(all.iter().filter(|worker| worker["is_alive"] == true).count() as u64, workers, "{shown}");
        let settled =
            |worker: &Value| worker["settled"].as_u64() > Some(0) && worker["last_settled"].is_string();
        // A worker's heart says what it has done a beat later.
        if all.iter().any(settled) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{shown}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
