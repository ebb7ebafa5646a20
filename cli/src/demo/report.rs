//! What the demo shows: per run the stand-ins' counters beside our own outcomes.

use sandbox::{Counts, ZohoCounts};
use serde::Serialize;
use shared::state::Ledger;

use crate::exit::Exit;
use crate::output::table;
use crate::sync::{self, PipelineReport};

#[derive(Debug, Default, Serialize)]
pub(super) struct DemoReport {
    pub(super) runs: Vec<RunReport>,
}

/// What the stand-ins counted in one run, and what the visible files hold differently than before.
pub(super) struct Counted {
    pub(super) odoo: Counts,
    pub(super) zoho: ZohoCounts,
    pub(super) shop: Counts,
    pub(super) records_in_files: u64,
}

/// One run. All but `outcomes` is counted by the stand-ins, or read from the files: calls of the two sources (signing in
/// is apart), writes in the sinks (records that the files hold differently, records and images that the shop's Odoo was made
/// to write), images that Zoho served.
#[derive(Debug, Serialize)]
pub(super) struct RunReport {
    name: &'static str,
    seconds: f64,
    source_calls: u64,
    odoo_calls: u64,
    zoho_list_calls: u64,
    zoho_image_calls: u64,
    sink_calls: u64,
    authentication_calls: u64,
    sink_writes: u64,
    file_writes: u64,
    odoo_writes: u64,
    image_downloads: u64,
    image_bytes: u64,
    outcomes: Ledger,
    #[serde(skip)]
    pub(super) exit: Exit,
}

impl RunReport {
    pub(super) fn new(
        name: &'static str,
        seconds: f64,
        counted: &Counted,
        reports: &[PipelineReport],
    ) -> Self {
        let Counted { odoo, zoho, shop, records_in_files } = counted;
        let mut outcomes = Ledger::default();
        for report in reports {
            outcomes += report.ledger;
        }
        let zoho_calls = zoho.list + zoho.detail + zoho.itemdetails + zoho.image + zoho.other;
        let odoo_writes = shop.rows_created + shop.rows_written;
        Self {
            name,
            seconds: (seconds * 1000.0).round() / 1000.0,
            source_calls: odoo.model_calls + zoho_calls,
            odoo_calls: odoo.model_calls,
            zoho_list_calls: zoho.list,
            zoho_image_calls: zoho.image,
            sink_calls: shop.model_calls,
            authentication_calls: odoo.auth_calls + zoho.token + shop.auth_calls,
            sink_writes: records_in_files + odoo_writes,
            file_writes: *records_in_files,
            odoo_writes,
            image_downloads: zoho.image,
            image_bytes: zoho.image_bytes,
            outcomes,
            exit: sync::exit(reports),
        }
    }
}

impl DemoReport {
    /// The stand-ins' counters of all runs.
    pub(super) fn text(&self) -> String {
        let heading = [
            "counted by the stand-ins",
            "seconds",
            "Odoo calls",
            "Zoho list calls",
            "image calls",
            "sign-in calls",
            "records changed in files",
            "records written in Odoo",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for run in &self.runs {
            rows.push(vec![
                run.name.to_owned(),
                format!("{:.2}", run.seconds),
                run.odoo_calls.to_string(),
                run.zoho_list_calls.to_string(),
                run.zoho_image_calls.to_string(),
                run.authentication_calls.to_string(),
                run.file_writes.to_string(),
                run.odoo_writes.to_string(),
            ]);
        }
        format!("\n{}", table(&rows))
    }
}
