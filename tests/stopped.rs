//! SIGTERM and a second sync at once.

use std::process::Stdio;

use sandbox::{Fault, FaultRule, OdooSandbox, OdooVersion};
use tokio::process::Child;

use crate::place::Place;
use crate::truth::{assert_files_hold_the_source, sandbox_with};

async fn terminate(child: &Child) {
    let pid = child.id().unwrap().to_string();
    let status =
        tokio::process::Command::new("kill").args(["-TERM", &pid]).stdin(Stdio::null()).status().await;
    assert!(status.unwrap().success());
}

/// Waits until the sync hangs in the call that was to hang.
async fn until_it_hangs(sandbox: &OdooSandbox) {
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(2));
    while !sandbox.control().pending_faults().is_empty() {
        tick.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_what_is_in_hand_and_the_next_sync_goes_on() {
    let sandbox = sandbox_with(OdooVersion::V19, 2_000, 100).await;
    let place = Place::new(&sandbox);
    sandbox.control().fault(FaultRule::once(Fault::Hang).method("search_read").after(2));
    let mut child = place.start(&["sync"]);
    until_it_hangs(&sandbox).await;
    terminate(&child).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    place.run(&["status"]).await.expect(0, &["stopped before its end; the next run goes on with it"]);
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sync_over_the_same_state_ends_at_once_and_names_the_first() {
    let sandbox = sandbox_with(OdooVersion::V19, 2_000, 100).await;
    let place = Place::new(&sandbox);
    sandbox.control().fault(FaultRule::once(Fault::Hang).method("search_read").after(1));
    let mut first = place.start(&["sync"]);
    until_it_hangs(&sandbox).await;
    let pid = first.id().unwrap().to_string();
    place.run(&["sync"]).await.expect(3, &[&pid]);
    first.kill().await.unwrap();
    place.sync().await;
    assert_files_hold_the_source(&place, &sandbox);
}
