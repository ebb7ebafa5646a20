//! What the demo shows: per run the stand-in's counters beside our own outcomes.

use sandbox::Counts;
use serde::Serialize;
use shared::state::Ledger;

use crate::exit::Exit;
use crate::output::table;
use crate::sync::{self, PipelineReport};

#[derive(Debug, Default, Serialize)]
pub(super) struct DemoReport {
    pub(super) runs: Vec<RunReport>,
}

/// One run. `source_calls` and `rows` are the stand-in's counters (calls of models; signing in is apart);
/// `sink_writes` counts the records that the visible files hold differently than before; `outcomes` are ours.
#[derive(Debug, Serialize)]
pub(super) struct RunReport {
    name: &'static str,
    seconds: f64,
    source_calls: u64,
    authentication_calls: u64,
    source_rows: u64,
    sink_writes: u64,
    image_downloads: u64,
    outcomes: Ledger,
    #[serde(skip)]
    pub(super) exit: Exit,
}

impl RunReport {
    pub(super) fn new(
        name: &'static str,
        seconds: f64,
        counters: &Counts,
        sink_writes: u64,
        reports: &[PipelineReport],
    ) -> Self {
        let mut outcomes = Ledger::default();
        for report in reports {
            outcomes += report.ledger;
        }
        Self {
            name,
            seconds: (seconds * 1000.0).round() / 1000.0,
            source_calls: counters.model_calls,
            authentication_calls: counters.auth_calls,
            source_rows: counters.rows_returned,
            sink_writes,
            image_downloads: 0,
            outcomes,
            exit: sync::exit(reports),
        }
    }
}

impl DemoReport {
    /// The stand-in's counters of all runs.
    pub(super) fn text(&self) -> String {
        let heading = [
            "counted by the stand-in",
            "seconds",
            "calls",
            "sign-in calls",
            "rows",
            "records changed in files",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for run in &self.runs {
            rows.push(vec![
                run.name.to_owned(),
                format!("{:.2}", run.seconds),
                run.source_calls.to_string(),
                run.authentication_calls.to_string(),
                run.source_rows.to_string(),
                run.sink_writes.to_string(),
            ]);
        }
        format!("\n{}", table(&rows))
    }
}
