//! `demo`: a full and two incremental syncs against the bundled stand-in Odoo, with the stand-in's own counters.

mod changed;
mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use sandbox::{Edit, OdooSandbox, OdooSettings, OdooVersion, WriteDate};
use serde_json::json;
use shared::config::{Config, SinkConfig};
use shared::failure::{Failure, Reason};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Demo, DemoVersion};
use crate::exit::Exit;
use crate::output::Output;
use crate::sync;
use changed::Snapshot;
use report::{DemoReport, RunReport};

/// Of the usual 2,880 records, 805 are customers.
const CUSTOMERS_OF: (usize, usize) = (805, 2_880);

pub(crate) async fn run(demo: &Demo, stop: &CancellationToken) -> Result<Exit, Failure> {
    let output = Output::new(demo.json);
    let temporary = match &demo.dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|error| cannot_write(&std::env::temp_dir(), error))?),
    };
    let folder = demo
        .dir
        .as_deref()
        .or(temporary.as_ref().map(tempfile::TempDir::path))
        .unwrap_or(Path::new("."));
    let sandbox = start_sandbox(demo).await?;
    let config = configure(folder, &sandbox)?;
    output.line(format!(
        "A stand-in Odoo {} listens at {}; configuration, state and files are in {}",
        version(demo.odoo),
        sandbox.url(),
        folder.display()
    ));
    let show = Showing {
        config: &config,
        sandbox: &sandbox,
        output,
        stop,
    };
    let mut report = DemoReport::default();
    for (name, title, change) in [
        ("full", "1. Full sync", false),
        ("nothing changed", "2. Incremental sync, nothing changed", false),
        (
            "few changed",
            "3. Incremental sync, 3 customers and 1 product changed",
            true,
        ),
    ] {
        if stop.is_cancelled() {
            return Ok(Exit::Stopped);
        }
        if change {
            change_few(&sandbox)?;
        }
        let run = show.run(name, title).await?;
        let exit = run.exit;
        report.runs.push(run);
        if exit != Exit::Done {
            return Ok(exit);
        }
    }
    output.text(&report.text());
    output.object(&report);
    Ok(Exit::Done)
}

/// Runs syncs and reads counters.
struct Showing<'a> {
    config: &'a Config,
    sandbox: &'a OdooSandbox,
    output: Output,
    stop: &'a CancellationToken,
}

impl Showing<'_> {
    async fn run(&self, name: &'static str, title: &str) -> Result<RunReport, Failure> {
        self.output.line(format!("\n{title}"));
        let before = self.snapshots()?;
        self.sandbox.control().reset_counts();
        let began = Instant::now();
        let reports = sync::run(self.config, &[], false, &self.output, self.stop).await?;
        let seconds = began.elapsed().as_secs_f64();
        self.output.text(&sync::summary::text(&reports));
        let counters = self.sandbox.control().counts();
        let written: usize = self
            .snapshots()?
            .iter()
            .zip(&before)
            .map(|(after, before)| after.differing_from(before))
            .sum();
        Ok(RunReport::new(name, seconds, &counters, written as u64, &reports))
    }

    /// What the files hold, read by other means than the sink's own.
    fn snapshots(&self) -> Result<Vec<Snapshot>, Failure> {
        self.config
            .pipelines
            .iter()
            .filter_map(|pipeline| match &pipeline.sink {
                SinkConfig::Json(file) => Some(Snapshot::take(&file.path)),
                SinkConfig::Odoo(_) => None,
            })
            .collect()
    }
}

/// Somebody renames three customers and moves a price.
fn change_few(sandbox: &OdooSandbox) -> Result<(), Failure> {
    let control = sandbox.control();
    let refused = |error| Failure::systemic(Reason::BadRecord, "the stand-in refused an edit").because(error);
    let first_of = |model: &str, count: usize| -> Result<Vec<i64>, Failure> {
        Ok(control
            .ids(model)
            .map_err(refused)?
            .into_iter()
            .rev()
            .take(count)
            .collect())
    };
    let update = |model: &str, id, values: serde_json::Value| Edit::Update {
        model: model.to_owned(),
        id,
        values: values.as_object().cloned().unwrap_or_default(),
        write_date: WriteDate::Transaction,
    };
    let mut edits: Vec<Edit> = first_of("res.partner", 3)?
        .into_iter()
        .map(|id| {
            update(
                "res.partner",
                id,
                json!({ "name": format!("Renamed customer {id}") }),
            )
        })
        .collect();
    for id in first_of("product.template", 1)? {
        edits.push(update("product.template", id, json!({ "list_price": 19.99 })));
    }
    control.edit(edits).map_err(refused)?;
    Ok(())
}

fn version(version: DemoVersion) -> &'static str {
    match version {
        DemoVersion::V17 => "17",
        DemoVersion::V18 => "18",
        DemoVersion::V19 => "19",
    }
}

async fn start_sandbox(demo: &Demo) -> Result<OdooSandbox, Failure> {
    let (part, of) = CUSTOMERS_OF;
    let records = demo.records as usize;
    let customers = records * part / of;
    let version = match demo.odoo {
        DemoVersion::V17 => OdooVersion::V17,
        DemoVersion::V18 => OdooVersion::V18,
        DemoVersion::V19 => OdooVersion::V19,
    };
    let settings = OdooSettings {
        version,
        customers: customers.saturating_sub(version.built_in_customers()),
        products: records - customers,
        port: 0,
        call_delay: Duration::ZERO,
    };
    OdooSandbox::start(settings).await.map_err(|error| {
        Failure::systemic(
            Reason::Unreachable,
            "the stand-in Odoo cannot listen on this machine",
        )
        .because(error)
    })
}

/// Writes the configuration of the demo, as a user would, and loads it with the stand-in's password.
fn configure(folder: &Path, sandbox: &OdooSandbox) -> Result<Config, Failure> {
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, error))?;
    let path = folder.join("catalog-sync.toml");
    let text = format!(
        "[odoo.demo]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n\n[json.files]\nfolder = \"odoo_database\"\n\n\
         [pipeline.customers]\nsource = \"odoo.demo\"\nsink = \"json.files\"\nentity = \"customers\"\n\n\
         [pipeline.products]\nsource = \"odoo.demo\"\nsink = \"json.files\"\nentity = \"products\"\n",
        sandbox.url(),
        sandbox.database(),
        sandbox.login()
    );
    std::fs::write(&path, text).map_err(|error| cannot_write(folder, error))?;
    let password = sandbox.password().to_owned();
    Config::load_with(&path, &|name| {
        (name == "CATALOG_SYNC_ODOO_DEMO_PASSWORD").then(|| password.clone())
    })
}

fn cannot_write(folder: &Path, error: std::io::Error) -> Failure {
    Failure::configuration(format!("cannot write in {}", folder.display()))
        .advise("choose another folder with --dir")
        .because(error)
}
