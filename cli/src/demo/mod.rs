//! `demo`: a full and two incremental syncs against the bundled stand-ins of Odoo and Zoho, with the stand-ins' own
//! counters.

mod changed;
mod report;
mod stand;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use producer::start::Wish;
use shared::config::{Config, SinkConfig};
use shared::failure::Failure;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Demo, DemoVersion};
use crate::exit::Exit;
use crate::output::Output;
use crate::sync;
use changed::Snapshot;
use report::{DemoReport, RunReport};
use stand::{Stand, cannot_write};

pub(crate) async fn run(demo: &Demo, stop: &CancellationToken) -> Result<Exit, Failure> {
    let output = Output::new(demo.json);
    let temporary = match &demo.dir {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|error| cannot_write(&std::env::temp_dir(), error))?),
    };
    let folder =
        demo.dir.as_deref().or(temporary.as_ref().map(tempfile::TempDir::path)).unwrap_or(Path::new("."));
    let stand = Stand::start(demo).await?;
    let config = Arc::new(stand.configure(folder)?);
    output.line(format!(
        "Stand-ins of Odoo {version} ({}), Zoho ({}) and the shop's Odoo {version} ({}) are listening.\n\
         Configuration, state and files are in {}",
        stand.odoo.url(),
        stand.zoho.accounts_url(),
        stand.shop.url(),
        folder.display(),
        version = version(demo.odoo),
    ));
    let show = Showing { config: &config, stand: &stand, output, stop };
    let mut report = DemoReport::default();
    for (name, title, change) in [
        ("full", "1. Full sync", false),
        ("nothing changed", "2. Incremental sync, nothing changed", false),
        (
            "few changed",
            "3. Incremental sync; changed: 3 customers, 1 product, the prices of 2 items, the image of 1",
            true,
        ),
    ] {
        if stop.is_cancelled() {
            return Ok(Exit::Stopped);
        }
        if change {
            stand.change_few()?;
        }
        let run = Box::pin(show.run(name, title)).await?;
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
    config: &'a Arc<Config>,
    stand: &'a Stand,
    output: Output,
    stop: &'a CancellationToken,
}

impl Showing<'_> {
    async fn run(&self, name: &'static str, title: &str) -> Result<RunReport, Failure> {
        self.output.line(format!("\n{title}"));
        let before = self.snapshots()?;
        let Stand { odoo, zoho, shop } = self.stand;
        odoo.control().reset_counts();
        zoho.control().reset_counts();
        shop.control().reset_counts();
        let began = Instant::now();
        let asked = sync::asked(self.config, &[], &Wish::default())?;
        let reports = Box::pin(sync::run(self.config, &asked, &self.output, self.stop)).await?;
        let seconds = began.elapsed().as_secs_f64();
        self.output.text(&sync::summary::text(&reports));
        let written: usize =
            self.snapshots()?.iter().zip(&before).map(|(after, before)| after.differing_from(before)).sum();
        let counted = report::Counted {
            odoo: odoo.control().counts(),
            zoho: zoho.control().counts(),
            shop: shop.control().counts(),
            records_in_files: written as u64,
        };
        Ok(RunReport::new(name, seconds, &counted, &reports))
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

fn version(version: DemoVersion) -> &'static str {
    match version {
        DemoVersion::V17 => "17",
        DemoVersion::V18 => "18",
        DemoVersion::V19 => "19",
    }
}
