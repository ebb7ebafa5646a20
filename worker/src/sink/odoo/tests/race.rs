//! Several workers at once, and work that Odoo does after nobody waits for it any more.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::{Counts, Edit, Fault, WriteDate};
use serde_json::json;
use shared::failure::{Class, Failure};
use shared::job::Job;
use shared::record::Outcome;
use tokio::time::Instant;

use super::super::OdooSink;
use super::stand::{Stand, VERSIONS, all, items, job, matching, outcomes, settings, try_upsert, upsert};
use crate::sink::Upserted;

/// Waits until the server has done what `done` looks for.
async fn until(stand: &Stand, done: impl Fn(&Counts) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done(&stand.control().counts()) {
        assert!(Instant::now() < deadline, "never done: {:?}", stand.control().counts());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn batch_that_odoo_takes_in_after_its_repetition_makes_no_duplicates() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.sink().await;
        let jobs = items(20);
        stand.counts();
        stand.fault(Fault::WorkLate { millis: 300 }, "product.product", "load");
        let answers = upsert(&mut sink, &jobs).await;
        assert!(
            answers
                .iter()
                .all(|answer| { answer.as_ref().is_err_and(|failure| failure.class == Class::Transient) })
        );
        // Whoever comes first makes the records; the other finds them.
        if all(&outcomes(&mut sink, &jobs).await, Outcome::Created) {
            until(&stand, |counts| counts.rows_created + counts.rows_written >= 40).await;
        }
        assert_eq!(stand.sizes(), (20, 20));
        assert_eq!(stand.named().len(), 20);
        assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
    }
}

#[tokio::test]
async fn one_batch_in_the_hands_of_two_workers_is_made_once() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let (mut one, mut other) = (stand.sink().await, stand.sink().await);
        let jobs = items(30);
        // As the worker runs it, on a task of its own.
        let theirs = jobs.clone();
        let rival = tokio::spawn(async move { upsert(&mut other, &theirs).await });
        let first = upsert(&mut one, &jobs).await;
        let second = rival.await.unwrap();
        assert!(first.iter().chain(&second).all(Result::is_ok));
        assert_eq!((stand.sizes(), stand.named().len()), ((30, 30), 30));
        assert!(all(&outcomes(&mut one, &jobs).await, Outcome::Unchanged));
    }
}

type Answers = Result<Vec<Result<Upserted, Failure>>, Failure>;

/// The jobs that the queue would give again.
fn left(jobs: Vec<Job>, answers: Answers) -> Vec<Job> {
    let answers = answers.unwrap();
    let again = jobs
        .into_iter()
        .zip(answers)
        .filter(|(_, answer)| answer.as_ref().is_err_and(|failure| failure.class == Class::Transient));
    again.map(|(job, _)| job).collect()
}

#[tokio::test]
async fn record_that_two_workers_find_at_once_is_bound_by_one_of_them() {
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let create = |number: usize| {
            let values = json!({"name": format!("old {number}"), "default_code": format!("C-{number}")});
            let values = values.as_object().unwrap().clone();
            Edit::Create { model: "product.product".to_owned(), values, write_date: WriteDate::default() }
        };
        stand.control().edit((0..10).map(create).collect()).unwrap();
        let columns = ["name", "default_code"];
        let settings =
            || super::super::OdooSinkSettings { match_by: vec!["default_code".to_owned()], ..matching() };
        let mut one = stand.open(settings(), &columns).await.unwrap();
        let mut other = stand.open(settings(), &columns).await.unwrap();
        let jobs = |who: &str| -> Vec<Job> {
            let values =
                |number| json!({"name": format!("{who} {number}"), "default_code": format!("C-{number}")});
            (0..10).map(|number| job(format!("{who}{number}"), values(number))).collect()
        };
        let (mut ours, mut theirs) = (jobs("a"), jobs("b"));
        for _ in 0..10 {
            let (first, second) = tokio::join!(try_upsert(&mut one, &ours), try_upsert(&mut other, &theirs));
            (ours, theirs) = (left(ours, first), left(theirs, second));
            if !(ours.is_empty() || theirs.is_empty()) {
                // The queue's tiers would set them apart.
                ours = left(ours.clone(), try_upsert(&mut one, &ours).await);
            }
        }
        assert!(ours.is_empty() && theirs.is_empty());
        let mut owners: BTreeMap<i64, usize> = BTreeMap::new();
        for id in stand.named().values() {
            *owners.entry(*id).or_default() += 1;
        }
        assert_eq!(owners.len(), 20, "ten were found, and their rivals are records of their own");
        assert!(owners.values().all(|count| *count == 1), "{owners:?}");
        assert_eq!(stand.sizes(), (20, 20));
    }
}

/// A batch with everything to do, on its way through a server on a bad day: each call fails once in some way.
#[tokio::test]
async fn many_faults_in_a_row_cost_only_time() {
    let faults = [
        Fault::LoseReply,
        Fault::BadGateway,
        Fault::CutAnswer,
        Fault::SerializationFailure,
        Fault::InvalidJson,
    ];
    for version in VERSIONS {
        let stand = Stand::new(version).await;
        let mut sink = stand.open(settings(), &["name", "weight", "active"]).await.unwrap();
        let jobs = |round: usize| -> Vec<Job> {
            let values = |number: usize| json!({"name": format!("{number}.{}", round / 2), "weight": round, "active": !(number + round).is_multiple_of(3)});
            (0..12).map(|number| job(number, values(number))).collect()
        };
        for round in 0..10 {
            let methods = ["load", "write", "action_archive", "action_unarchive"];
            for (at, method) in methods.into_iter().enumerate() {
                stand.fault(faults[(round + at) % faults.len()].clone(), "product.product", method);
            }
            let jobs = jobs(round);
            come_through(&mut sink, &jobs).await;
            stand.control().clear_faults();
            assert!(all(&outcomes(&mut sink, &jobs).await, Outcome::Unchanged));
            for number in 0..12_usize {
                let row = stand.product(&number.to_string(), &["active", "weight"]);
                assert_eq!(row["active"], json!(!(number + round).is_multiple_of(3)));
            }
            assert_eq!(stand.sizes(), (12, 12));
        }
    }
}

async fn come_through(sink: &mut OdooSink, jobs: &[Job]) {
    for _ in 0..12 {
        match try_upsert(sink, jobs).await {
            Ok(answers) if answers.iter().all(Result::is_ok) => return,
            Ok(answers) => {
                let failures = answers.into_iter().filter_map(Result::err);
                failures.for_each(|failure| assert_eq!(failure.class, Class::Transient, "{failure}"));
            }
            Err(failure) => assert_eq!(failure.class, Class::Transient, "{failure}"),
        }
    }
    panic!("the batch never came through");
}
