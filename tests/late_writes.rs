//! A call to Odoo that nobody waits for any more is carried out all the same, after something newer was written: a later
//! sync finds it and repairs it.

use std::time::Duration;

use sandbox::{Fault, FaultRule};
use serde_json::json;

use crate::shop::Shop;

/// Longer than any test: the work is done when the test says so.
const LATER: u64 = 3_600_000;

/// How long Odoo may be late, and a second.
const LATE: Duration = Duration::from_secs(151);

impl Shop {
    fn price(&self, number: u32) -> String {
        self.product(&self.id(number))["list_price"].as_f64().unwrap().to_string()
    }

    /// The next write of a product is done only when the test says so; its connection gets no answer.
    fn withhold_a_write(&self) {
        let fault = Fault::HangAndWorkLate { millis: LATER };
        self.odoo.control().fault(FaultRule::once(fault).model("product.product").method("write"));
    }

    async fn late_calls(&self, number: usize) {
        while self.odoo.control().late_calls() != number {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Odoo does what it was told long ago.
    async fn work_late(&self) {
        self.odoo.control().hurry();
        self.late_calls(0).await;
    }

    /// So much time passes: what the state has noted is that much longer ago. Answers in how many records it waits for
    /// a write that may come late.
    fn let_pass(&self, time: Duration) -> usize {
        let state = rusqlite::Connection::open(self.place.path("catalog-sync.db")).unwrap();
        let millis = u64::try_from(time.as_millis()).unwrap();
        let pass = "UPDATE record SET doubt_until = doubt_until - ?1 WHERE doubt_until IS NOT NULL";
        state.execute(pass, [millis]).unwrap()
    }

    /// The late write has gone over the newer price of item 1. When no other can come, a sync repairs that, and only that.
    async fn assert_repaired(&self, late: &str, newest: &str) {
        assert_eq!(self.price(1), late, "the late write came last");
        self.place.sync().await;
        assert_eq!(self.price(1), late, "another one may still come");
        assert_eq!(self.let_pass(LATE), 1);
        self.reset_counts();
        let synced = self.place.sync().await;
        assert_eq!(self.price(1), newest);
        assert_eq!(synced.count("items", "updated"), 1);
        assert_eq!(self.odoo.control().counts().rows_written, 1);
        self.assert_in_step();
        self.reset_counts();
        assert_eq!(self.place.sync().await.of("items")["outstanding"], 0);
        self.assert_nothing_written();
        assert_eq!(self.let_pass(LATE), 0, "nothing is waited for any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_comes_after_its_process_was_killed_and_a_newer_one_was_made_is_repaired() {
    let shop = Shop::plain(4).await;
    shop.place.sync().await;
    shop.edit(1, &json!({ "rate": 11 }));
    shop.withhold_a_write();
    let mut killed = shop.place.start(&["sync"]);
    shop.late_calls(1).await;
    killed.kill().await.unwrap();

    shop.edit(1, &json!({ "rate": 22 }));
    shop.place.sync().await;
    assert_eq!(shop.price(1), "22");
    shop.work_late().await;
    shop.assert_repaired("11", "22").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_comes_after_its_time_was_over_and_a_newer_one_was_made_is_repaired() {
    let shop = Shop::plain(4).await;
    shop.place.sync().await;
    shop.place.reconfigure("timeout = \"20s\"", "timeout = \"2s\"");
    shop.edit(1, &json!({ "rate": 11 }));
    shop.withhold_a_write();
    // No answer within two seconds: it is tried again, and succeeds.
    shop.place.sync().await;
    shop.late_calls(1).await;
    assert_eq!(shop.price(1), "11");
    shop.edit(1, &json!({ "rate": 22 }));
    shop.place.sync().await;
    shop.work_late().await;
    shop.assert_repaired("11", "22").await;
}
