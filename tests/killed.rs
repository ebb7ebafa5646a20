//! kill -9 at random times: the next run finishes, with the right files.

use std::time::{Duration, Instant};

use sandbox::{OdooSandbox, OdooVersion};

use crate::dice::{Dice, kills};
use crate::incremental::update;
use crate::place::Place;
use crate::truth::{assert_files_hold_the_source, sandbox_with};

/// How long an undisturbed sync takes, so that the kills fall inside.
async fn duration_of_a_sync(sandbox: &OdooSandbox) -> Duration {
    let began = Instant::now();
    Place::new(sandbox).sync().await;
    began.elapsed()
}

async fn kill_within(place: &Place, span: Duration, dice: &mut Dice) -> bool {
    let mut child = place.start(&["sync"]);
    let span = u64::try_from(span.as_micros()).unwrap();
    let after = Duration::from_micros(dice.roll(span));
    let ended = tokio::time::timeout(after, child.wait()).await;
    child.kill().await.unwrap();
    ended.is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_killed_again_and_again_ends_with_the_right_files() {
    let sandbox = sandbox_with(OdooVersion::V19, 1_100, 1_100).await;
    let span = duration_of_a_sync(&sandbox).await;
    let mut dice = Dice::new();
    let mut killed = 0;
    for _ in 0..kills(3) {
        let place = Place::new(&sandbox);
        for _ in 0..3 {
            killed += u32::from(kill_within(&place, span, &mut dice).await);
        }
        let last = place.sync().await;
        assert_files_hold_the_source(&place, &sandbox);
        for pipeline in ["customers", "products"] {
            assert_eq!(last.of(pipeline)["outstanding"], 0);
        }
        place.run(&["status"]).await.expect(0, &["0 outstanding, 0 failed"]);
    }
    println!("{killed} of {} syncs were killed before their end", kills(3) * 3);
    assert!(killed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_sync_that_is_killed_loses_nothing() {
    let sandbox = sandbox_with(OdooVersion::V17, 700, 700).await;
    let place = Place::new(&sandbox);
    place.sync().await;
    let began = Instant::now();
    place.sync().await;
    let span = began.elapsed() * 2;
    let mut dice = Dice::new();
    let ids = sandbox.control().ids("res.partner").unwrap();
    for round in 0..kills(3) * 3 {
        sandbox.control().advance_clock(Duration::from_mins(30));
        // Not the name: other records show it as `[id, name]`, and their own write_date does not move with it.
        let comment = serde_json::json!({ "comment": format!("round {round}") });
        let edits = ids.iter().skip(round as usize).step_by(3).map(|id| update("res.partner", *id, &comment));
        sandbox.control().edit(edits.collect()).unwrap();
        kill_within(&place, span, &mut dice).await;
        place.sync().await;
        assert_files_hold_the_source(&place, &sandbox);
    }
}
