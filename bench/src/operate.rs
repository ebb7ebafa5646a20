//! What an operator asks on the command line, over a state of many records and dead letters: whole processes, from their
//! start to their end.

use std::process::{Command, Stdio};
use std::time::Instant;

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};
use serde_json::json;
use services::{Broker, RedisServer};
use shared::failure::{Class, Reason};
use shared::state::{DeadLetter, State, Want, Wanted};

use crate::process::program;
use crate::records::{BATCH, Records, Timings, begin, pipeline, run_over};
use crate::redis::opened;
use crate::report::{Report, median};

/// Times that each command is run.
const TIMES: usize = 10;

/// Products that the source has: `why` asks it for one of them.
const PRODUCTS: usize = 100;

/// `count` records in a file and in Redis, of which `letters` were given up.
pub(crate) async fn measure(report: &mut Report, count: u64, letters: u64) {
    let settings = OdooSettings {
        version: OdooVersion::V19,
        customers: 0,
        products: PRODUCTS,
        ..OdooSettings::default()
    };
    let odoo = OdooSandbox::start(settings).await.unwrap();
    let records = Records { first: 1, count, images: false };
    let dead = Records { first: 1 + count - letters, count: letters, images: false };

    let part = "commands over SQLite";
    report.part(&format!("Commands over SQLite: {count} records, {letters} dead letters"));
    let folder = Folder::new(&odoo, "");
    let state = State::open_file(&folder.0.path().join("catalog-sync.db")).await.unwrap();
    fill(report, part, &state, records, dead).await;
    drop(state);
    folder.ask(report, part, &odoo, records);

    let part = "commands over Redis";
    report.part(&format!("Commands over Redis: {count} records, {letters} dead letters"));
    // No command of these asks the broker; the configuration of a fleet names one.
    let (broker, redis) = (Broker::start(), RedisServer::start());
    let (user, prefix) = (services::USER, services::prefix());
    let fleet = format!(
        "[fleet]\nbroker = \"{}\"\nbroker_user = \"{user}\"\nredis = \"{}\"\nredis_user = \"{user}\"\nprefix = \"{prefix}\"\n",
        broker.url(),
        redis.url()
    );
    let folder = Folder::new(&odoo, &fleet);
    let state = opened(&redis, &prefix).await;
    fill(report, part, &state, records, dead).await;
    drop(state);
    folder.ask(report, part, &odoo, records);
}

/// Brings all records, then gives up a newer change of the last ones.
pub(crate) async fn fill(
    report: &mut Report,
    part: &'static str,
    state: &State,
    records: Records,
    dead: Records,
) {
    let began = Instant::now();
    run_over(report, part, state, records, (1, "new")).await;
    let (run, mut bury) = (begin(state).await, Timings::default());
    for batch in dead.wants(2) {
        let answers = state.want(&run, &batch, false).await.unwrap();
        let letters: Vec<DeadLetter> =
            batch.iter().zip(answers).map(|(want, answer)| letter(want, answer)).collect();
        bury.of(state.bury(&letters)).await;
    }
    bury.tell(report, part, &format!("give up {BATCH}"));
    report.add(part, "filling the state", began.elapsed().as_secs_f64(), "s");
}

/// A product that Odoo refused.
fn letter(Want { key, checksum, .. }: &Want, answer: Wanted) -> DeadLetter {
    let Wanted::Enqueue { version, place } = answer else { panic!("{key}: {answer:?}") };
    let reasons = [Reason::BadRecord, Reason::Timeout, Reason::Missing];
    let reason = reasons[usize::try_from(place % 3).unwrap()];
    let failed = |at| {
        json!({
            "at": at, "class": Class::Permanent, "reason": reason,
            "message": "Odoo refuses the product: the unit of measure does not fit the one of its moves",
        })
    };
    let now = jiff::Timestamp::now();
    let job = json!({
        "format": 1, "kind": "record", "pipeline": pipeline(), "key": key, "version": version, "checksum": checksum,
        "run": 2, "place": place, "attempt": 3, "failures": [failed(now), failed(now)],
        "values": { "name": "Chair, four legs", "list_price": 10.5, "default_code": format!("SKU-{key}"),
                    "description": "Solid beech, oiled; seat of woven paper cord. ".repeat(8) },
    });
    serde_json::from_value(json!({ "job": job, "failure": failed(now) })).unwrap()
}

/// A configuration, beside which a state lies or not.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(odoo: &OdooSandbox, fleet: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let text = format!(
            "{fleet}[odoo.erp]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n[json.files]\nfolder = \"out\"\n\
             [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n",
            odoo.url(),
            odoo.database(),
            odoo.login()
        );
        std::fs::write(folder.0.path().join("catalog-sync.toml"), text).unwrap();
        folder
    }

    fn ask(&self, report: &mut Report, part: &'static str, odoo: &OdooSandbox, records: Records) {
        let last = (records.first + records.count - 1).to_string();
        let sku = format!("SKU-{last}");
        let asked: [(&str, &[&str]); 10] = [
            ("--version: the process alone", &["--version"]),
            ("status", &["status"]),
            ("runs", &["runs"]),
            ("schedule status", &["schedule", "status"]),
            ("dead list", &["dead", "list"]),
            ("dead list --reason", &["dead", "list", "--reason", "timeout"]),
            ("dead show", &["dead", "show", &last]),
            ("why, of one in step, its source asked", &["why", "products", "42"]),
            ("why --offline, of one given up", &["why", "products", &last, "--offline"]),
            ("why --sku, of one given up", &["why", "products", "--sku", &sku]),
        ];
        for (what, arguments) in asked {
            report.add(part, what, milliseconds(|| self.command(odoo, arguments)), "ms");
        }
    }

    fn command(&self, odoo: &OdooSandbox, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command
            .current_dir(self.0.path())
            .env("CATALOG_SYNC_ODOO_ERP_PASSWORD", odoo.password())
            .env("CATALOG_SYNC_BROKER_PASSWORD", services::PASSWORD)
            .env("CATALOG_SYNC_REDIS_PASSWORD", services::PASSWORD);
        command
    }
}

/// The usual time of a process that ends well and says something.
fn milliseconds(command: impl Fn() -> Command) -> f64 {
    let times = (0..TIMES).map(|_| {
        let began = Instant::now();
        let ended = command().stderr(Stdio::inherit()).output().unwrap();
        let took = began.elapsed();
        assert!(ended.status.success() && !ended.stdout.is_empty(), "{:?}", ended.status);
        took.as_secs_f64() * 1_000.0
    });
    median(times.collect())
}
