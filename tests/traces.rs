//! One change of one record is found in the logs of every process by one id: through the queue of one machine here,
//! through `RabbitMQ` in `fleet::traces`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::shop::Shop;

/// What a process says, line by line.
fn lines(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect()
}

/// The traces of all lines that are `meant`.
fn traces(lines: &[Value], meant: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let meant = lines.iter().filter(|line| meant(line) && line["pipeline"] == "items");
    meant
        .map(|line| {
            for field in ["run", "record", "attempt"] {
                assert!(!line[field].is_null(), "{field} is not in {line}");
            }
            line["trace"].as_str().unwrap_or_else(|| panic!("no trace in {line}")).to_owned()
        })
        .collect()
}

/// By the logs of who enqueued and who worked: each change goes by one id from its enqueueing to its end, and on to its image; the
/// one that is refused, too.
pub(crate) fn assert_followed(enqueued: &str, worked: &str, records: usize) {
    let (enqueued, worked) = (lines(enqueued), lines(worked));
    let says = |text: &'static str| move |line: &Value| line["message"] == text;
    let begun = traces(&enqueued, says("enqueued"));
    assert_eq!(begun.len(), records, "one for each change");
    assert!(begun.iter().all(|trace| trace.len() == 32), "{begun:?}");
    let refused = traces(&worked, |line| line["reason"] == "bad_record" && line["level"] == "ERROR");
    assert_eq!(refused.len(), 1, "{refused:?}");
    let settled = traces(&worked, says("settled"));
    assert_eq!(begun, refused.union(&settled).cloned().collect());
    let images = traces(&worked, says("image settled"));
    assert!(!images.is_empty() && images.is_subset(&settled), "{images:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_followed_by_one_id_on_one_machine() {
    let mut shop = Shop::new(12).await;
    // Odoo has no such unit.
    shop.edit(3, &json!({ "unit": "crate" }));
    shop.place.add_secret("CATALOG_SYNC_LOG_FORMAT", "json");
    let ran = shop.place.run(&["-vv", "sync"]).await;
    ran.expect(1, &[]);
    assert_followed(&ran.stderr, &ran.stderr, 12);
}
