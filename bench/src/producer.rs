//! A fleet's producer: Odoo's products enumerated, mapped, hashed, wanted and published to RabbitMQ, while nobody takes a job
//! away; then all of them once more, of which none has changed.

use std::process::Stdio;
use std::time::Duration;

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};
use shared::fleet::SinkNote;
use shared::state::{RunEnd, RunSummary, State};
use tempfile::TempDir;

use crate::fleet::Services;
use crate::process::{Role, cpu_seconds, peak_mib, program};
use crate::records::pipeline;
use crate::redis::opened;
use crate::report::Report;
use crate::results::Goal;

const PART: &str = "producer";

/// How often it is looked whether a run has ended.
const LOOK: Duration = Duration::from_millis(200);

/// What a producer may have in use.
const PEAK_MIB: f64 = 64.0;

/// How much faster the pass over what is unchanged is to be.
const FASTER: f64 = 3.0;

pub(crate) async fn measure(report: &mut Report, records: usize) {
    report.part(&format!("Producer: {records} products of Odoo into RabbitMQ and Redis"));
    let services = Services::start();
    let settings = OdooSettings {
        version: OdooVersion::V19,
        customers: 0,
        products: records,
        ..OdooSettings::default()
    };
    let sandbox = OdooSandbox::start(settings).await.unwrap();
    let records = sandbox.control().ids("product.template").unwrap().len();
    let stage = Stage::new(sandbox, &services, records);
    let state = opened(&services.redis, &stage.prefix).await;
    // A producer asks nothing before somebody has opened the file, and this one is to be alone then.
    let worker = stage.role("worker");
    while SinkNote::of(&state, &pipeline()).await.unwrap().is_none() {
        tokio::time::sleep(LOOK).await;
    }
    drop(worker);
    let mut first_rate = 0.0;
    for pass in [Pass::First, Pass::Unchanged] {
        let before = newest(&state).await.map(|run| run.id);
        if pass == Pass::Unchanged {
            let asked = stage.command(&["schedule", "run-now", "--compare"]).status().unwrap();
            assert!(asked.success());
        }
        stage.sandbox.control().reset_counts();
        let producer = stage.role("producer");
        let run = loop {
            tokio::time::sleep(LOOK).await;
            let run = newest(&state).await.filter(|run| Some(run.id) != before && run.ended.is_some());
            if let Some(run) = run {
                break run;
            }
        };
        let (cpu, peak) = (cpu_seconds(producer.id()), peak_mib(producer.id()));
        drop(producer);
        assert_eq!(run.end, Some(RunEnd::Complete), "{run:?}");
        let seconds = (run.ended.unwrap() - run.started).total(jiff::Unit::Second).unwrap();
        let (rate, what) = (records as f64 / seconds, pass.words());
        match pass {
            Pass::First => report.add(PART, format!("{what}: records"), rate, "per s"),
            Pass::Unchanged => report.aim_beside(
                PART,
                format!("{what}: records"),
                (rate, "per s"),
                ("first pass", first_rate),
                Goal::AtLeast(FASTER),
            ),
        }
        first_rate = rate;
        report.add(PART, format!("{what}: CPU"), cpu * 1_000_000.0 / records as f64, "µs per record");
        report.aim(PART, format!("{what}: memory"), peak, "MiB", Goal::AtMost(PEAK_MIB));
        let calls = stage.sandbox.control().counts().model_calls;
        report.add(PART, format!("{what}: calls"), calls as f64, "calls");
    }
    let waiting = state.counts(&pipeline()).await.unwrap();
    assert_eq!(waiting.outstanding, records as u64, "{waiting:?}");
}

#[derive(Clone, Copy, PartialEq)]
enum Pass {
    First,
    Unchanged,
}

impl Pass {
    fn words(self) -> &'static str {
        match self {
            Self::First => "first pass",
            Self::Unchanged => "all again, nothing changed",
        }
    }
}

async fn newest(state: &State) -> Option<RunSummary> {
    state.runs(Some(&pipeline()), 1).await.unwrap().pop()
}

/// Odoo and the folder of those who read it.
struct Stage {
    sandbox: OdooSandbox,
    folder: TempDir,
    prefix: String,
}

impl Stage {
    fn new(sandbox: OdooSandbox, services: &Services, records: usize) -> Self {
        let (folder, prefix, user) = (tempfile::tempdir().unwrap(), services::prefix(), services::USER);
        let text = format!(
            "[fleet]\nbroker = \"{}\"\nbroker_user = \"{user}\"\nredis = \"{}\"\nredis_user = \"{user}\"\n\
             prefix = \"{prefix}\"\ncapacity = {}\nlost_after = \"1h\"\n\
             [odoo.erp]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n[json.files]\nfolder = \"out\"\n\
             [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n",
            services.broker.url(),
            services.redis.url(),
            records * 2,
            sandbox.url(),
            sandbox.database(),
            sandbox.login()
        );
        std::fs::write(folder.path().join("catalog-sync.toml"), text).unwrap();
        Self { sandbox, folder, prefix }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = program(arguments);
        command
            .current_dir(self.folder.path())
            .env("CATALOG_SYNC_ODOO_ERP_PASSWORD", self.sandbox.password())
            .env("CATALOG_SYNC_BROKER_PASSWORD", services::PASSWORD)
            .env("CATALOG_SYNC_REDIS_PASSWORD", services::PASSWORD)
            .env("CATALOG_SYNC_PAGE_LISTEN", "")
            .stdout(Stdio::null());
        command
    }

    fn role(&self, name: &str) -> Role {
        let log = self.folder.path().join("log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        Role::start(self.command(&[name]).stderr(log))
    }
}
