//! Bad input gets one clear sentence, the right exit code, and loses nothing.

use sandbox::{Fault, FaultRule, OdooVersion};

use crate::place::{PASSWORD, Place};
use crate::truth::{assert_file_holds, assert_files_hold_the_source, sandbox_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_exit_3() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    place.reconfigure(&sandbox.url(), "http://127.0.0.1:9");
    place
        .run(&["sync"])
        .await
        .expect(3, &["no connection to Odoo at 127.0.0.1:9", "check that the server is running"]);
    place.run(&["check"]).await.expect(3, &["FAILED odoo.erp"]);
    place.run(&["counts"]).await.expect(3, &["no connection"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_exit_2_and_is_sent_once() {
    for (version, transport) in [(OdooVersion::V17, "session"), (OdooVersion::V18, "execute_kw")] {
        let sandbox = sandbox_of(version).await;
        let mut place = Place::new(&sandbox);
        place.set_secret(PASSWORD, "wrong-geheim");
        place.reconfigure("database =", &format!("transport = \"{transport}\"\ndatabase ="));
        sandbox.control().reset_counts();
        let ran = place.run(&["sync"]).await;
        ran.expect(2, &["password"]);
        assert!(!format!("{ran:?}").contains("geheim"), "{ran:?}");
        let calls = sandbox.control().counts();
        assert_eq!(calls.auth_calls, 2, "the version and one try, for two pipelines: {calls:?}");
        assert_eq!(calls.model_calls, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_database_is_exit_2_and_named() {
    for version in [OdooVersion::V17, OdooVersion::V19] {
        let sandbox = sandbox_of(version).await;
        let place = Place::new(&sandbox);
        place.reconfigure(&format!("\"{}\"", sandbox.database()), "\"nodb\"");
        place.run(&["sync"]).await.expect(2, &["nodb"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_names_the_variables() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let mut place = Place::new(&sandbox);
    place.set_secret("NOT_OURS", "x");
    place
        .run(&["sync"])
        .await
        .expect(2, &["CATALOG_SYNC_ODOO_ERP_PASSWORD", "CATALOG_SYNC_ODOO_ERP_API_KEY", "_FILE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_stop_one_pipeline_and_not_the_other() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    sandbox.control().fault(FaultRule::once(Fault::AccessError).model("res.partner").times(1_000));
    place.run(&["sync"]).await.expect(2, &["Customers NOT synced", "res.partner", "Products synced: 815."]);
    assert_file_holds(&place.products(), &sandbox, "product.template");
    place
        .run(&["check"])
        .await
        .expect(2, &["FAILED pipeline.customers source", "ok     pipeline.products source"]);
    sandbox.control().clear_faults();
    place.run(&["sync"]).await.expect(0, &["Customers synced: 5"]);
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_read_is_enough() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let plain = sandbox.plain_user();
    let place = Place::with_secret(&sandbox, PASSWORD, &plain.password);
    place.reconfigure(&format!("\"{}\"", sandbox.login()), &format!("\"{}\"", plain.login));
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_pipeline_or_field_is_exit_2_with_a_suggestion() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    place.run(&["sync", "custmers"]).await.expect(2, &["did you mean 'customers'?"]);
    place.reconfigure(
        "entity = \"customers\"",
        "model = \"res.partner\"\nfile = \"odoo_customers.json\"\nfields = [\"nmae\"]",
    );
    place
        .run(&["sync"])
        .await
        .expect(2, &["no field 'nmae'", "did you mean 'name'?", "Products synced: 815."]);
    place.run(&["check"]).await.expect(2, &["did you mean 'name'?"]);
    place.reconfigure("model = \"res.partner\"", "model = \"res.partnr\"");
    place.run(&["sync", "customers"]).await.expect(2, &["res.partnr"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_vanishes_from_the_server_is_named_and_asked_for_again() {
    let sandbox = sandbox_of(OdooVersion::V18).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    // An update of Odoo to 19 behind the same address: its version differs, so the fields are asked for again.
    let upgraded = sandbox_of(OdooVersion::V19).await;
    place.reconfigure(&sandbox.url(), &upgraded.url());
    place.reconfigure(&format!("\"{}\"", sandbox.database()), &format!("\"{}\"", upgraded.database()));
    assert!(place.sync().await.is_full("customers"), "another source");
    assert!(!std::fs::read_to_string(place.customers()).unwrap().contains("\"mobile\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_errors_are_exit_2() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    place.run(&["synk"]).await.expect(2, &["sync"]);
    place.run(&["sync", "--config", "elsewhere.toml"]).await.expect(2, &["elsewhere.toml", "config example"]);
    place.reconfigure("database", "databse");
    place.run(&["sync"]).await.expect(2, &["line 3", "did you mean 'database'?"]);
    place.run(&["config", "check"]).await.expect(2, &["did you mean 'database'?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_the_place_of_a_file_is_exit_2_and_left_alone() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    std::fs::create_dir_all(place.customers()).unwrap();
    let ran = place.run(&["sync"]).await;
    assert_eq!(ran.code(), 2, "{ran:?}");
    assert!(
        ran.stdout.contains("Customers NOT synced") && ran.stdout.contains("Products synced: 815."),
        "{ran:?}"
    );
    assert!(place.customers().is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_no_odoo_is_said_so() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    place.reconfigure(&sandbox.url(), &format!("{}/nope", sandbox.url()));
    place.run(&["sync"]).await.expect(2, &["does not look like an Odoo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_state_of_ours_is_refused_and_kept() {
    let sandbox = sandbox_of(OdooVersion::V17).await;
    let place = Place::new(&sandbox);
    std::fs::write(place.path("catalog-sync.db"), "a letter to my aunt, and not a database at all").unwrap();
    let ran = place.run(&["sync"]).await;
    assert_eq!(ran.code(), 2, "{ran:?}");
    let kept = std::fs::read_to_string(place.path("catalog-sync.db")).unwrap();
    assert!(kept.starts_with("a letter"));
}

/// A small file system of its own for the sink's folder, where the machine lets us make one (Linux with user
/// namespaces): the first sync finds it full, then it grows.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_exit_3_and_with_space_the_next_sync_goes_on() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    std::fs::create_dir(place.path("out")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=256k tmpfs out || exit 99\n\
         \"$0\" sync; echo \"first exit $?\"; ls -a out\n\
         mount -o remount,size=64m out || exit 99\n\
         \"$0\" sync; echo \"second exit $?\"; cp out/*.json {}",
        place.path("").display()
    );
    let program = env!("CARGO_BIN_EXE_catalog-sync-under-test");
    let ran = place.command_of("unshare", &["-r", "-m", "sh", "-c", &script, program]).await;
    if ran.code() == 99 || ran.stderr.contains("unshare") {
        assert!(std::env::var_os("CI").is_none(), "no small file system can be made here: {ran:?}");
        println!(
            "SKIPPED: this machine lets us make no file system, a full disk was NOT tested: {}",
            ran.stderr
        );
        return;
    }
    ran.expect(0, &["first exit 3", "disk", "second exit 0"]);
    for file in ["odoo_customers.json", "odoo_products.json"] {
        std::fs::rename(place.path(file), place.path("out").join(file)).unwrap();
    }
    assert_files_hold_the_source(&place, &sandbox);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_said_so() {
    let sandbox = sandbox_of(OdooVersion::V19).await;
    let place = Place::new(&sandbox);
    // A folder below /proc takes no files from anybody, root included.
    place.reconfigure("folder = \"out\"", "folder = \"/proc/self\"");
    let ran = place.run(&["sync"]).await;
    assert_eq!(ran.code(), 2, "{ran:?}");
    assert!(ran.stdout.contains("/proc/self") && ran.stdout.contains("Customers NOT synced"), "{ran:?}");
    place.run(&["check"]).await.expect(2, &["cannot write in the folder /proc/self"]);
}
