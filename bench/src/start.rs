//! How long it takes until a process is of use.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shared::state::State;

use crate::fleet::{Services, Shop};
use crate::process::{Role, program};
use crate::records::{Records, run_quietly};
use crate::report::{Report, median};
use crate::results::Goal;

const PART: &str = "start-up";
const TIMES: usize = 20;

/// A worker's readiness is asked for this often.
const ASK: Duration = Duration::from_millis(1);

/// Records that `status` counts.
const RECORDS: u64 = 100_000;

pub(crate) async fn measure(report: &mut Report) {
    report.part(&format!("Start-up, median of {TIMES}"));
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[odoo.erp]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"erp\"\nuser = \"sync\"\n\
                         [json.files]\nfolder = \"out\"\n\
                         [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n";
    std::fs::write(folder.path().join("catalog-sync.toml"), configuration).unwrap();
    let state = State::open_file(&folder.path().join("catalog-sync.db")).await.unwrap();
    run_quietly(&state, Records { first: 4_600_000_000_000_000, count: RECORDS, images: false }).await;
    drop(state);
    let in_folder = |arguments: &[&str]| {
        let mut command = program(arguments);
        command.current_dir(folder.path()).env("CATALOG_SYNC_ODOO_ERP_PASSWORD", "none");
        command
    };
    report.add(PART, "--version", milliseconds(|| in_folder(&["--version"])), "ms");
    let status = milliseconds(|| in_folder(&["status"]));
    report.aim(PART, format!("status of {RECORDS} records"), status, "ms", Goal::AtMost(20.0));
    report.aim(PART, "worker, from its start until it is ready", worker().await, "ms", Goal::AtMost(200.0));
    let size = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    report.add(PART, "this binary: the program, its stand-ins and the bench", size as f64 / 1e6, "MB");
}

fn milliseconds(command: impl Fn() -> Command) -> f64 {
    let times = (0..TIMES).map(|_| {
        let began = Instant::now();
        let ended = command().stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(ended.success());
        began.elapsed().as_secs_f64() * 1_000.0
    });
    median(times.collect())
}

/// A worker of items with images: ready are its lanes, with RabbitMQ, Redis, Zoho and Odoo.
async fn worker() -> f64 {
    let services = Services::start();
    let shop = Shop::new(10, 2_000, Duration::ZERO).await;
    services.join(&shop, "", None);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let began = Instant::now();
        let mut command = shop.command(&["worker"]);
        let worker = Role::start(command.env("CATALOG_SYNC_METRICS_LISTEN", &address).stderr(Stdio::null()));
        loop {
            let answer = client.get(format!("http://{address}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "the worker is not ready");
            tokio::time::sleep(ASK).await;
        }
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        drop(worker);
    }
    median(times)
}
