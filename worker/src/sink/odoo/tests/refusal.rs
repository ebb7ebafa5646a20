//! What Odoo refuses costs itself alone.

use sandbox::{Fault, FaultRule};
use serde_json::json;
use shared::failure::{Class, Reason};
use shared::record::Outcome;

use super::stand::{Stand, VERSIONS, all, items, outcomes, try_upsert, upsert};

#[tokio::test]
async fn one_bad_row_in_a_hundred_costs_itself_alone() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        outcomes(&mut sink, &items(1)).await;
        stand.counts();
        let mut jobs = items(101);
        // The barcode of record 1, which nobody but Odoo knows.
        let taken = jobs[0].values["barcode"].clone();
        jobs[41].values.insert("barcode".to_owned(), taken);
        let answers = upsert(&mut sink, &jobs[1..]).await;
        let failure = answers[40].as_ref().unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::BadRecord), "{failure}");
        assert!(failure.to_string().contains("Barcode"), "{failure}");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 99);
        assert_eq!(stand.sizes(), (100, 100));
        let counts = stand.counts();
        assert!(counts.calls_of("product.product", "load") <= 4, "{counts:?}");
    }
}

#[tokio::test]
async fn bad_update_costs_itself_alone() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        let mut jobs = items(20);
        outcomes(&mut sink, &jobs).await;
        for (at, job) in jobs.iter_mut().enumerate() {
            job.values.insert("barcode".to_owned(), json!(format!("new-{at}")));
        }
        jobs[5].values.insert("barcode".to_owned(), json!("new-4"));
        let answers = upsert(&mut sink, &jobs).await;
        let refused: Vec<usize> = (0..20).filter(|at| answers[*at].is_err()).collect();
        // Whichever of the two comes first has the barcode.
        assert_eq!(refused.len(), 1, "{answers:?}");
        assert!(refused == [4] || refused == [5]);
        let ok = answers.iter().flatten();
        assert!(ok.into_iter().all(|upserted| upserted.outcome == Outcome::Updated));
    }
}

#[tokio::test]
async fn all_rows_bad_ends_with_a_reason_each() {
    let stand = Stand::new(VERSIONS[2]).await;
    let mut sink = stand.sink().await;
    outcomes(&mut sink, &items(1)).await;
    let mut jobs = items(31);
    let taken = jobs[0].values["barcode"].clone();
    for job in &mut jobs {
        job.values.insert("barcode".to_owned(), taken.clone());
    }
    let answers = upsert(&mut sink, &jobs[1..]).await;
    assert!(
        answers
            .iter()
            .all(|answer| { answer.as_ref().is_err_and(|failure| failure.reason == Reason::BadRecord) })
    );
    assert_eq!(stand.sizes(), (1, 1));
}

#[tokio::test]
async fn conflict_is_sent_again_and_in_the_end_left_to_the_queue() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        stand.fault(Fault::SerializationFailure, "product.product", "load");
        assert!(all(&outcomes(&mut sink, &items(10)).await, Outcome::Created));
        assert!(stand.control().pending_faults().is_empty());
        if version != VERSIONS[0] {
            continue;
        }
        let always =
            FaultRule::once(Fault::SerializationFailure).model("product.product").method("write").times(50);
        stand.control().fault(always);
        let mut jobs = items(10);
        for job in &mut jobs {
            job.values.insert("weight".to_owned(), json!("7"));
        }
        let answers = upsert(&mut sink, &jobs).await;
        assert!(answers.iter().all(|answer| {
            answer
                .as_ref()
                .is_err_and(|failure| (failure.class, failure.reason) == (Class::Transient, Reason::Conflict))
        }));
        stand.control().clear_faults();
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Updated));
        assert_eq!(stand.sizes(), (10, 10));
    }
}

#[tokio::test]
async fn missing_right_is_no_record_s_fault() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        stand
            .control()
            .fault(FaultRule::once(Fault::AccessError).model("product.product").method("load").times(9));
        let failure = try_upsert(&mut sink, &items(10)).await.unwrap_err();
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Rights), "{failure}");
    }
}

#[tokio::test]
async fn barcode_that_moves_to_another_record_is_no_duplicate() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        let mut jobs = items(3);
        outcomes(&mut sink, &jobs).await;
        let moved = jobs[1].values["barcode"].clone();
        // Written first, being the only one with another name.
        jobs[0].values.insert("name".to_owned(), json!("takes it"));
        jobs[0].values.insert("barcode".to_owned(), moved.clone());
        jobs[1].values.insert("barcode".to_owned(), json!("another"));
        assert_eq!(
            outcomes(&mut sink, &jobs).await,
            [Outcome::Updated, Outcome::Updated, Outcome::Unchanged]
        );
        assert_eq!(stand.product("1", &["barcode"])["barcode"], moved);
    }
}
