//! Servers, proxies and networks on bad days: the sync ends with the right files, or says what was wrong and the next
//! one does.

use sandbox::{Fault, FaultRule, OdooVersion};

use crate::place::Place;
use crate::truth::{assert_files_hold_the_source, sandbox_of, sandbox_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_now_and_then_is_not_noticed() {
    faults_are_not_noticed(OdooVersion::V17).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_now_and_then_is_not_noticed_over_json_2() {
    faults_are_not_noticed(OdooVersion::V19).await;
}

async fn faults_are_not_noticed(version: OdooVersion) {
    let sandbox = sandbox_of(version).await;
    let place = Place::new(&sandbox);
    let faults = [
        Fault::BadGateway,
        Fault::CloseBeforeAnswer,
        Fault::CutAnswer,
        Fault::ExpireSessions,
        Fault::InvalidJson,
        Fault::SerializationFailure,
        Fault::Delay { millis: 300 },
    ];
    for (nth, fault) in faults.into_iter().enumerate() {
        sandbox.control().fault(FaultRule::once(fault).method("search_read").after(nth as u64 % 3));
        place.sync().await;
        std::fs::remove_file(place.path("out/last_sync.json")).unwrap();
    }
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_is_exit_3_and_the_next_sync_goes_on_where_it_was() {
    let sandbox = sandbox_with(OdooVersion::V19, 1_600, 100).await;
    let place = Place::new(&sandbox);
    let away =
        FaultRule::once(Fault::BadGateway).model("res.partner").method("search_read").after(2).times(1_000);
    sandbox.control().fault(away);
    place.run(&["sync"]).await.expect(3, &["Customers NOT synced", "Products synced: 100."]);
    place.run(&["status"]).await.expect(0, &["FAILED"]);
    sandbox.control().clear_faults();
    sandbox.control().reset_counts();
    let next = place.run(&["sync", "customers"]).await;
    next.expect(0, &["going on with a full run that was broken off"]);
    let calls = sandbox.control().counts().calls_of("res.partner", "search_read");
    assert!(calls <= 4, "two of its pages were in the file already, and then what changed since: {calls}");
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_is_given_up_after_its_time() {
    let sandbox = sandbox_with(OdooVersion::V18, 100, 100).await;
    let place = Place::new(&sandbox);
    place.reconfigure("timeout = \"20s\"", "timeout = \"1s\"");
    sandbox
        .control()
        .fault(FaultRule::once(Fault::Hang).model("res.partner").method("search_read").times(10));
    place.run(&["sync"]).await.expect(3, &["Customers NOT synced", "Products synced: 100."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_change_while_they_are_read_arrive_in_this_run_or_the_next() {
    let sandbox = sandbox_with(OdooVersion::V19, 3_000, 100).await;
    let place = Place::new(&sandbox);
    let control = sandbox.control();
    let ids = control.ids("res.partner").unwrap();
    let mut child = place.start(&["sync"]);
    let mut round = 0;
    while child.try_wait().unwrap().is_none() {
        let id = ids[round % ids.len()];
        let comment = serde_json::json!({ "comment": format!("round {round}") });
        control.edit(vec![crate::incremental::update("res.partner", id, &comment)]).unwrap();
        round += 37;
        tokio::task::yield_now().await;
    }
    control.advance_clock(std::time::Duration::from_secs(2));
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
}
