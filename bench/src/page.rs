//! The operator's page and the metrics, over a state of many records and dead letters.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use shared::failure::{Class, Reason};
use shared::record::RecordKey;
use shared::state::{DeadLetter, State, Want, Wanted};

use crate::process::{Role, program};
use crate::records::{BATCH, Records, Timings, begin, pipeline, run_over};
use crate::report::{Report, median};

const PART: &str = "operator's page";

/// Times that each address is asked for.
const TIMES: usize = 11;

/// The page looks at the state once in this time, however many ask.
const FRESH: Duration = Duration::from_millis(950);

pub(crate) async fn measure(report: &mut Report, count: u64, letters: u64) {
    report.part(&format!("The operator's page, {count} records, {letters} dead letters"));
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[odoo.erp]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"erp\"\nuser = \"sync\"\n\
                         [json.files]\nfolder = \"out\"\n\
                         [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n";
    std::fs::write(folder.path().join("catalog-sync.toml"), configuration).unwrap();
    let records = Records { first: 4_600_000_000_000_000, count, images: false };
    let state = State::open_file(&folder.path().join("catalog-sync.db")).await.unwrap();
    run_over(report, PART, &state, records, (1, "new")).await;
    let dead = Records { count: letters, ..records };
    bury(report, &state, dead).await;
    drop(state);
    let [page, metrics] = [free_address(), free_address()];
    let mut daemon = program(["schedule", "start"]);
    daemon
        .current_dir(folder.path())
        .env("CATALOG_SYNC_ODOO_ERP_PASSWORD", "none")
        .env("CATALOG_SYNC_PAGE_LISTEN", &page)
        .env("CATALOG_SYNC_METRICS_LISTEN", &metrics)
        .stderr(Stdio::null());
    let _daemon = Role::start(&mut daemon);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    while client.get(format!("http://{page}/")).send().await.is_err() {
        assert!(began.elapsed() < Duration::from_mins(1), "the page is not served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let record = format!("/records?pipeline=products&key={}", records.first);
    for path in ["/", "/pipelines/products", "/failures", &record, "/runs", "/api/v1/status"] {
        report.add(
            PART,
            path.split('?').next().unwrap(),
            asked(&client, &format!("http://{page}{path}")).await,
            "ms",
        );
    }
    report.add(PART, "/metrics", asked(&client, &format!("http://{metrics}/metrics")).await, "ms");
}

/// Time of the usual answer, in milliseconds, each after the state was looked at anew.
async fn asked(client: &reqwest::Client, url: &str) -> f64 {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        tokio::time::sleep(FRESH).await;
        let began = Instant::now();
        let answer = client.get(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{url}");
        assert!(!answer.text().await.unwrap().is_empty());
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    median(times)
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Gives up the newest change of these records.
async fn bury(report: &mut Report, state: &State, records: Records) {
    let run = begin(state).await;
    let mut bury = Timings::default();
    for batch in records.wants(2) {
        let answers = state.want(&run, &batch, false).await.unwrap();
        let dead: Vec<DeadLetter> = batch
            .iter()
            .zip(answers)
            .filter_map(|(Want { key, checksum, .. }, answer)| {
                let Wanted::Enqueue { version, place } = answer else { return None };
                let reasons = [Reason::BadRecord, Reason::Timeout, Reason::Missing];
                let reason = reasons[usize::try_from(place % 3).unwrap()];
                let failure = json!({
                    "at": jiff::Timestamp::now(), "class": Class::Permanent, "reason": reason,
                    "message": "Odoo refuses the product: the unit of measure does not fit the one of its moves",
                });
                let job = json!({
                    "format": 1, "kind": "record", "pipeline": pipeline(), "key": RecordKey::clone(key),
                    "version": version, "checksum": checksum, "run": run.id, "place": place, "attempt": 3,
                    "values": {"name": "Chair, four legs", "list_price": 10.5, "default_code": key},
                });
                Some(serde_json::from_value(json!({"job": job, "failure": failure, "unmapped": false})).unwrap())
            })
            .collect();
        bury.of(state.bury(&dead)).await;
    }
    bury.tell(report, PART, &format!("bury {BATCH}"));
}
