//! Whatever is lost on the way, one source record is one record of Odoo.

use std::time::Duration;

use sandbox::{Fault, FaultRule};
use serde_json::json;
use shared::failure::{Class, Reason};
use shared::job::Job;
use shared::odoo::OdooClient;
use shared::record::Outcome;

use super::super::OdooSink;
use super::stand::{Stand, VERSIONS, all, items, matching, outcomes, try_upsert};

const FAULTS: [Fault; 5] = [
    Fault::LoseReply,
    Fault::CutAnswer,
    Fault::CloseBeforeAnswer,
    Fault::BadGateway,
    Fault::WorkLate { millis: 30 },
];

/// Repeats a batch as the queue would, until every record is in. The failures on the way are transient.
async fn persist(sink: &mut OdooSink, jobs: &[Job]) -> usize {
    for attempt in 1..6 {
        match try_upsert(sink, jobs).await {
            Ok(answers) if answers.iter().all(Result::is_ok) => return attempt,
            Ok(answers) => {
                for failure in answers.into_iter().filter_map(Result::err) {
                    assert_eq!(failure.class, Class::Transient, "{failure}");
                    // Work that is done late may get in between a look and a write: that is a conflict.
                    let is_told =
                        ["outcome unknown", "not sent"].iter().any(|words| failure.what().starts_with(words));
                    assert!(is_told || failure.reason == Reason::Conflict, "{failure}");
                }
            }
            Err(failure) => assert_eq!(failure.class, Class::Transient, "{failure}"),
        }
    }
    panic!("the batch never came through");
}

#[tokio::test]
async fn lost_replies_of_inserts_make_no_duplicates() {
    for version in VERSIONS {
        for fault in FAULTS {
            let stand = Stand::new(version).await;
            let mut sink = stand.sink().await;
            let jobs = items(20);
            stand.fault(fault.clone(), "product.product", "load");
            assert!(persist(&mut sink, &jobs).await > 1, "{fault:?}");
            assert!(stand.control().pending_faults().is_empty());
            settled(&stand, &mut sink, &jobs).await;
            assert_eq!(stand.sizes(), (20, 20), "{fault:?}");
        }
    }
}

/// Waits until late work is done: nothing differs any more, twice in a row.
async fn settled(stand: &Stand, sink: &mut OdooSink, jobs: &[Job]) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while tokio::time::Instant::now() < deadline {
        outcomes(sink, jobs).await;
        if stand.named().len() == jobs.len() && all(&outcomes(sink, jobs).await, Outcome::Unchanged) {
            return;
        }
    }
    panic!("Odoo never held what was sent");
}

#[tokio::test]
async fn lost_replies_of_updates_converge() {
    for version in VERSIONS {
        for fault in FAULTS {
            for (method, column) in [("load", "name"), ("write", "weight")] {
                let stand = Stand::new(version).await;
                let mut sink = stand.sink().await;
                let mut jobs = items(10);
                outcomes(&mut sink, &jobs).await;
                for (at, job) in jobs.iter_mut().enumerate() {
                    let value = if column == "name" { json!(format!("new {at}")) } else { json!("4.5") };
                    job.values.insert(column.to_owned(), value);
                }
                stand.fault(fault.clone(), "product.product", method);
                assert!(persist(&mut sink, &jobs).await > 1, "{fault:?} of {method}");
                settled(&stand, &mut sink, &jobs).await;
                assert_eq!(stand.sizes(), (10, 10), "{fault:?} of {method}");
            }
        }
    }
}

#[tokio::test]
async fn lost_replies_while_binding_make_no_duplicates() {
    for version in VERSIONS {
        for fault in FAULTS {
            let stand = Stand::new(version).await;
            let mut sink = stand.sink().await;
            let jobs = items(10);
            outcomes(&mut sink, &jobs).await;
            for job in &jobs {
                assert!(sink.unbind(&job.key).await.unwrap());
            }
            let columns = super::stand::COLUMNS;
            let mut sink = stand.open(matching(), &columns).await.unwrap();
            stand.fault(fault.clone(), "ir.model.data", "create");
            assert!(persist(&mut sink, &jobs).await > 1, "{fault:?}");
            settled(&stand, &mut sink, &jobs).await;
            assert_eq!((stand.sizes(), stand.named().len()), ((10, 10), 10), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn batches_after_a_broken_one_are_not_sent_and_what_was_written_counts() {
    let stand = Stand::new(VERSIONS[0]).await;
    let settings = super::super::OdooSinkSettings { batch: 10, ..super::stand::settings() };
    let mut sink = stand.open(settings, &super::stand::COLUMNS).await.unwrap();
    stand.control().fault(FaultRule::once(Fault::CloseBeforeAnswer).method("load").after(1));
    let answers = super::stand::upsert(&mut sink, &items(30)).await;
    assert!(answers[..10].iter().all(Result::is_ok));
    let told = |at: usize| answers[at].as_ref().unwrap_err().what().to_owned();
    assert!(told(10).starts_with("outcome unknown") && told(20).starts_with("not sent"));
    assert_eq!(stand.sizes(), (10, 10));
}

#[tokio::test]
async fn expired_session_is_renewed_on_the_way() {
    let stand = Stand::new(VERSIONS[0]).await;
    let mut sink = stand.sink().await;
    stand.fault(Fault::ExpireSessions, "product.product", "load");
    assert!(all(&outcomes(&mut sink, &items(3)).await, Outcome::Created));
    assert_eq!(stand.sizes(), (3, 3));
}

#[tokio::test]
async fn call_that_runs_into_its_time_limit_has_an_unknown_outcome() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut config = stand.config();
        config.timeout = Duration::from_millis(1500);
        let client = OdooClient::connect(config).await.unwrap();
        let columns = super::stand::COLUMNS.map(str::to_owned);
        let mut sink = OdooSink::open(client, super::stand::settings(), &columns).await.unwrap();
        stand.fault(Fault::Hang, "product.product", "load");
        let answers = super::stand::upsert(&mut sink, &items(3)).await;
        for failure in answers.into_iter().map(Result::unwrap_err) {
            assert_eq!((failure.class, failure.reason), (Class::Transient, Reason::Timeout));
            assert!(failure.what().starts_with("outcome unknown"), "{failure}");
        }
        assert!(all(&outcomes(&mut sink, &items(3)).await, Outcome::Created));
        assert_eq!(stand.sizes(), (3, 3));
    }
}

#[tokio::test]
async fn being_asked_to_wait_is_no_record_s_fault_and_takes_back_nothing() {
    let stand = Stand::new(VERSIONS[0]).await;
    let settings = super::super::OdooSinkSettings { batch: 10, ..super::stand::settings() };
    let mut sink = stand.open(settings, &super::stand::COLUMNS).await.unwrap();
    stand.fault(Fault::TooManyRequests { retry_after: 7 }, "product.product", "load");
    let failure = try_upsert(&mut sink, &items(30)).await.unwrap_err();
    assert_eq!((failure.class, failure.retry_after), (Class::Throttled, Some(Duration::from_secs(7))));
    let rule = FaultRule::once(Fault::TooManyRequests { retry_after: 7 }).method("load").after(1);
    stand.control().fault(rule);
    let answers = super::stand::upsert(&mut sink, &items(30)).await;
    assert!(answers[..10].iter().all(Result::is_ok));
    for failure in answers[10..].iter().map(|answer| answer.as_ref().unwrap_err()) {
        assert_eq!((failure.class, failure.retry_after), (Class::Throttled, Some(Duration::from_secs(7))));
    }
    assert_eq!(stand.sizes(), (10, 10));
}
