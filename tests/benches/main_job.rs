//! The main job at 20,000 and 200,000 records: time, peak memory and bytes written of the program's own process, while
//! the stand-in Odoo runs in this one. `cargo bench -p tests` prints the table.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where anything is wrong"
)]

mod measured;

use std::process::Command;

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};

use measured::Measured;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("records | run | seconds | records/s | peak MiB | bytes written / file | calls | answer MiB");
    println!("--:|---|--:|--:|--:|--:|--:|--:");
    for records in [20_000_usize, 200_000] {
        let settings = OdooSettings {
            version: OdooVersion::V19,
            customers: records * 805 / 2_880,
            products: records - records * 805 / 2_880,
            ..OdooSettings::default()
        };
        let sandbox = runtime.block_on(OdooSandbox::start(settings)).unwrap();
        measure(&sandbox, records);
    }
}

fn measure(sandbox: &OdooSandbox, records: usize) {
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
    for (run, arguments) in [
        ("first", &["sync", "--json"][..]),
        ("nothing changed", &["sync", "--json"]),
        ("--full", &["sync", "--full", "--json"]),
    ] {
        sandbox.control().reset_counts();
        let measured = sync(folder.path(), sandbox, arguments);
        let sum = |field: &str| -> u64 {
            let pipelines = measured.report["pipelines"].as_array().unwrap();
            pipelines.iter().filter_map(|pipeline| pipeline[field].as_u64()).sum()
        };
        let file: u64 = ["odoo_customers.json", "odoo_products.json"]
            .iter()
            .map(|name| std::fs::metadata(folder.path().join("out").join(name)).unwrap().len())
            .sum();
        let counts = sandbox.control().counts();
        println!(
            "{records} | {run} | {:.2} | {:.0} | {:.1} | {:.2} | {} | {:.1}",
            measured.seconds,
            counts.rows_returned as f64 / measured.seconds,
            measured.peak_mib,
            sum("bytes_written") as f64 / file as f64,
            counts.model_calls,
            counts.bytes_out as f64 / 1_048_576.0
        );
        assert_eq!(sum("records_total"), sandbox_total(sandbox));
    }
}

fn sandbox_total(sandbox: &OdooSandbox) -> u64 {
    let count = |model| sandbox.control().ids(model).unwrap().len() as u64;
    count("res.partner") + count("product.template")
}

fn sync(folder: &std::path::Path, sandbox: &OdooSandbox, arguments: &[&str]) -> Measured {
    measured::measure(
        Command::new(env!("CARGO_BIN_EXE_catalog-sync-under-test"))
            .args(arguments)
            .current_dir(folder)
            .env("CATALOG_SYNC_ODOO_ERP_PASSWORD", sandbox.password()),
    )
}
