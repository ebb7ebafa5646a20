//! The main job on one machine: Odoo into JSON files. Time, CPU, peak memory and bytes written of the program's own process,
//! while the stand-in Odoo runs in this one.

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};

use crate::process::{Measured, measure as run, program};
use crate::report::Report;

const PART: &str = "Odoo to JSON";

pub(crate) fn measure(report: &mut Report, runtime: &tokio::runtime::Runtime, most: usize) {
    for records in [most / 10, most] {
        report.part(&format!("Odoo to JSON files on one machine, {records} records"));
        let settings = OdooSettings {
            version: OdooVersion::V19,
            customers: records * 805 / 2_880,
            products: records - records * 805 / 2_880,
            ..OdooSettings::default()
        };
        let sandbox = runtime.block_on(OdooSandbox::start(settings)).unwrap();
        rows(report, &sandbox, records);
    }
}

fn rows(report: &mut Report, sandbox: &OdooSandbox, records: usize) {
    let folder = tempfile::tempdir().unwrap();
    let configuration = format!(
        "[odoo.erp]\nurl = \"{}\"\ndatabase = \"{}\"\nuser = \"{}\"\n[json.files]\nfolder = \"out\"\n\
         [pipeline.customers]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"customers\"\n\
         [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n",
        sandbox.url(),
        sandbox.database(),
        sandbox.login()
    );
    std::fs::write(folder.path().join("catalog-sync.toml"), configuration).unwrap();
    for (what, arguments) in [
        ("first", &["sync", "--json"][..]),
        ("nothing changed", &["sync", "--json"]),
        ("--full, nothing changed", &["sync", "--full", "--json"]),
    ] {
        sandbox.control().reset_counts();
        let mut command = program(arguments);
        command.current_dir(folder.path()).env("CATALOG_SYNC_ODOO_ERP_PASSWORD", sandbox.password());
        let Measured { seconds, cpu_seconds, peak_mib, report: said } = run(&mut command);
        let sum = |field: &str| -> u64 {
            let pipelines = said["pipelines"].as_array().unwrap();
            pipelines.iter().filter_map(|pipeline| pipeline[field].as_u64()).sum()
        };
        assert_eq!(sum("records_total"), total(sandbox));
        let file: u64 = ["odoo_customers.json", "odoo_products.json"]
            .iter()
            .map(|name| std::fs::metadata(folder.path().join("out").join(name)).unwrap().len())
            .sum();
        let what = format!("{records} records, {what}");
        report.add(PART, format!("{what}: time"), seconds, "s");
        report.add(PART, format!("{what}: CPU"), cpu_seconds, "s");
        report.add(PART, format!("{what}: memory"), peak_mib, "MiB");
        report.add(
            PART,
            format!("{what}: written"),
            sum("bytes_written") as f64 / file as f64,
            "x the files",
        );
        report.add(PART, format!("{what}: calls"), sandbox.control().counts().model_calls as f64, "calls");
    }
}

fn total(sandbox: &OdooSandbox) -> u64 {
    let count = |model| sandbox.control().ids(model).unwrap().len() as u64;
    count("res.partner") + count("product.template")
}
