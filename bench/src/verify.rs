//! `plan --full` and `verify` over files: time, memory and calls, and whether one changed field is found among all.

use sandbox::{OdooSandbox, OdooSettings, OdooVersion};

use crate::process::{Measured, measure as run, program, watch};
use crate::report::Report;

const PART: &str = "plan and verify";

pub(crate) fn measure(report: &mut Report, runtime: &tokio::runtime::Runtime, most: usize) {
    for records in [most / 10, most] {
        report.part(&format!("plan and verify of a file of {records} records"));
        let settings = OdooSettings {
            version: OdooVersion::V19,
            customers: 0,
            products: records,
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
         [pipeline.products]\nsource = \"odoo.erp\"\nsink = \"json.files\"\nentity = \"products\"\n",
        sandbox.url(),
        sandbox.database(),
        sandbox.login()
    );
    std::fs::write(folder.path().join("catalog-sync.toml"), configuration).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = program(arguments);
        command.current_dir(folder.path()).env("CATALOG_SYNC_ODOO_ERP_PASSWORD", sandbox.password());
        command
    };
    let mut add = |what: &str, measured: &Measured| {
        let what = format!("{records} records, {what}");
        report.add(PART, format!("{what}: time"), measured.seconds, "s");
        report.add(PART, format!("{what}: memory"), measured.peak_mib, "MiB");
        report.add(PART, format!("{what}: calls"), sandbox.control().counts().model_calls as f64, "calls");
        sandbox.control().reset_counts();
    };
    sandbox.control().reset_counts();
    add("plan of a first run", &run(&mut command(&["plan", "--json"])));
    run(&mut command(&["sync", "--json"]));
    sandbox.control().reset_counts();
    add("plan --full", &run(&mut command(&["plan", "--full", "--json"])));
    let (verified, code) = watch(&mut command(&["verify", "--json"]));
    assert_eq!((code, &verified.report["pipelines"][0]["totals"]["in_step"]), (0, &records.into()));
    add("verify, in step", &verified);

    let path = folder.path().join("out/odoo_products.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let last = text.rfind("\"name\":\"").unwrap() + "\"name\":\"".len();
    let (before, after) = text.split_at(last);
    std::fs::write(&path, format!("{before}X{after}")).unwrap();
    let (verified, code) = watch(&mut command(&["verify", "--json"]));
    let findings = verified.report["pipelines"][0]["findings"].as_array().unwrap();
    assert_eq!((code, findings.len()), (1, 1), "{findings:?}");
    assert_eq!(
        (&findings[0]["drift"], &findings[0]["fields"][0]["field"]),
        (&"different".into(), &"name".into())
    );
    add("verify, one field edited", &verified);
}
